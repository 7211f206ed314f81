"""Logits pieces that depend on the distance between query and key."""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from attn.spec.field import per_head
from attn.spec.logit import LEARNED, Logits, check_number, known
from attn.spec.piece import Parameter, piece


def alibi_slopes(num_heads: int) -> np.ndarray:
    """The paper's slopes [N]: a geometric series, interleaved if N is no power of 2.

    In float64 where JAX has it: from 12 heads on most slopes are no powers of 2.
    """
    power = 2 ** math.floor(math.log2(num_heads))
    slopes = [2.0 ** (-8 * (i + 1) / power) for i in range(power)]
    extra = [2.0 ** (-4 * (2 * i + 1) / power) for i in range(num_heads - power)]
    return np.array(slopes + extra, jax.dtypes.canonicalize_dtype(np.float64))


@piece("alibi")
class Alibi(Logits):
    """Linear bias: the farther a key, the lower its logit.

    logits - slope * |query_pos - key_pos|; slopes None are the paper's series over the
    heads, `slopes="learned"` starts from it, an array is one slope, or
    `per_head([N])`.

    Reference:
      Press et al. 2022, section 3, arXiv 2108.12409.
    """

    slopes: Any = None
    positional = True
    numbers = ("slopes",)
    reference: ClassVar[str] = "Press et al. 2022, section 3, arXiv 2108.12409"

    def validate(self):
        if self.slopes is not None:
            check_number(self, "slopes")

    def own_parameters(self, num_heads):
        if not isinstance(self.slopes, str) or self.slopes != LEARNED:
            return {}
        init = lambda rng, shape, dtype=jnp.float32: jnp.asarray(  # noqa: E731
            alibi_slopes(shape[0]), dtype
        )
        return {"slopes": Parameter((num_heads,), init, per_head=True)}

    def for_heads(self, num_heads):
        if self.slopes is not None:
            return self
        return Alibi(slopes=per_head(alibi_slopes(num_heads)))

    def apply(self, logits, site):
        if self.slopes is None:  # one head alone
            slope = jnp.asarray(alibi_slopes(1)[0], logits.dtype)
        else:
            slope = known(self, "slopes", logits.dtype)
        distance = jnp.abs(site.query_pos - site.key_pos).astype(logits.dtype)
        return logits - slope * distance


@piece("t5")
class T5(Logits):
    """Adds a learned number for each bucket of relative distance.

    logits + table[bucket(key_pos - query_pos)]; half of the buckets are exact, the
    rest logarithmic up to `max_distance`. Without a table a module learns one.

    Reference:
      Raffel et al. 2020, section 2.1, arXiv 1910.10683.
    """

    table: Any = None
    buckets: int = 32
    max_distance: int = 128
    bidirectional: bool = False
    positional = True
    reference: ClassVar[str] = "Raffel et al. 2020, section 2.1, arXiv 1910.10683"

    def validate(self):
        least = 4 if self.bidirectional else 2
        if not isinstance(self.buckets, int) or self.buckets < least:
            raise ValueError(
                f"t5: `buckets` must be a whole number of at least {least}, "
                f"got {self.buckets!r}."
            )
        if not isinstance(self.max_distance, int) or self.max_distance <= self.buckets:
            raise ValueError(
                f"t5: `max_distance` must exceed `buckets`={self.buckets}, "
                f"got {self.max_distance!r}."
            )

    def own_parameters(self, num_heads):
        if self.table is not None:
            return {}
        init = jax.nn.initializers.normal(0.02)
        return {"table": Parameter((num_heads, self.buckets), init, per_head=True)}

    def bucket(self, ahead: jax.Array) -> jax.Array:
        """The bucket of each `key_pos - query_pos`."""
        buckets, base = self.buckets, jnp.zeros_like(ahead)
        if self.bidirectional:
            buckets //= 2
            base = jnp.where(ahead > 0, buckets, 0)
            ahead = -jnp.abs(ahead)
        back = jnp.maximum(-ahead, 0)
        exact = buckets // 2
        ratio = math.log(self.max_distance / exact)
        log = jnp.log(jnp.maximum(back, 1).astype(jnp.float32) / exact) / ratio
        far = exact + (log * (buckets - exact)).astype(back.dtype)
        return base + jnp.where(back < exact, back, jnp.minimum(far, buckets - 1))

    def apply(self, logits, site):
        table = known(self, "table", logits.dtype)
        if table.shape != (self.buckets,):
            raise ValueError(
                f"t5: `table` must be [buckets] = [{self.buckets}], got {table.shape}; "
                "a table of several heads is per_head(table)."
            )
        return logits + table[self.bucket(site.key_pos - site.query_pos)]
