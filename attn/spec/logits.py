"""What happens to a logit before the mask: `apply(logits, site) -> logits`, by `>>`."""

import math
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from attn.spec.masks import repr_function, set_function
from attn.spec.piece import Parameter, Piece, is_array, is_varying, per_head, piece
from attn.spec.site import Site

LEARNED = "learned"


class Logits(Piece):
    """Base of the logits pieces.

    `opaque` says that a user's function is inside, whose derivative at hidden pairs
    nobody vouches for.
    """

    kind = "logits"
    opaque: ClassVar[bool] = False

    def apply(self, logits: jax.Array, site: Site) -> jax.Array:
        """New logits [T, S] of logits [T, S]."""
        raise NotImplementedError

    def has_opaque(self) -> bool:
        """Whether a user's function is anywhere inside."""
        return any(getattr(inner, "opaque", False) for inner in self.walk())

    def __rshift__(self, other):
        if not isinstance(other, Logits):
            return NotImplemented
        if isinstance(self, Identity) or isinstance(other, Identity):
            return other if isinstance(self, Identity) else self
        if isinstance(other, Then):  # one tree whatever the brackets
            return Then(self >> other.left, other.right)
        return Then(self, other)


def _number(piece_: Piece, field: str, *, positive: bool = False) -> None:
    """Checks a static number; arrays and the word `learned` pass."""
    value, words = getattr(piece_, field), piece_.own_parameters(1)
    if is_array(value) or is_varying(value) or field in words:
        return
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not good or not math.isfinite(value) or (positive and value <= 0):
        what = "a positive number" if positive else "a finite number"
        raise ValueError(f"{piece_.name}: `{field}` must be {what}, got {value!r}.")


def known(piece_: Piece, field: str, dtype: Any) -> jax.Array:
    """A field as an array; raises if a module was to learn it and none did."""
    value = getattr(piece_, field)
    if field in piece_.own_parameters(1):
        raise ValueError(
            f"{piece_.name}: `{field}` is to be learned and has no value yet: use it "
            f"in a module, or give an array, {piece_.name}({field}=...)."
        )
    return jnp.asarray(value, dtype)


@piece("identity")
class Identity(Logits):
    """Leaves the logits as they are; the neutral piece."""

    reference: ClassVar[str] = "Vaswani et al. 2017, eq. 1, arXiv 1706.03762"

    def apply(self, logits, site):
        return logits


@piece("then")
class Then(Logits):
    """One piece after another, in reading order: `left >> right`."""

    left: Any
    right: Any

    def apply(self, logits, site):
        return self.right.apply(self.left.apply(logits, site), site)

    def __repr__(self):
        return f"{self.left!r} >> {self.right!r}"


@piece("scale")
class Scale(Logits):
    """Multiplies the logits by a number, fixed or learned.

    logits * by; `by="learned"` starts at 1 and is one number a head.

    Reference:
      Henry et al. 2020, section 3, arXiv 2010.04245 (learned scale).
    """

    by: Any
    reference: ClassVar[str] = "Henry et al. 2020, section 3, arXiv 2010.04245"

    def validate(self):
        _number(self, "by")

    def own_parameters(self, num_heads):
        return _learned_scalar(self.by, "by", num_heads, 1.0)

    def apply(self, logits, site):
        return logits * known(self, "by", logits.dtype)


def _learned_scalar(value: Any, field: str, num_heads: int, start: float) -> dict:
    if not isinstance(value, str) or value != LEARNED:
        return {}
    init = jax.nn.initializers.constant(start)
    return {field: Parameter((num_heads,), init, per_head=True)}


@piece("log_length")
class LogLength(Logits):
    """Multiplies the logits of a query by the log of how many keys came before.

    logits * by * log(query_pos + 1), so that attention stays as sharp in long
    sequences; `by="learned"` is one number a head and starts at 0.43.

    Reference:
      Nakanishi 2025, equation 3, arXiv 2501.19399 (scalable softmax).
    """

    by: Any = 1.0
    positional = True
    reference: ClassVar[str] = "Nakanishi 2025, eq. 3, arXiv 2501.19399"

    def validate(self):
        _number(self, "by")

    def own_parameters(self, num_heads):
        # 0.43 is where the paper's learned values settle (its section 3).
        return _learned_scalar(self.by, "by", num_heads, 0.43)

    def apply(self, logits, site):
        length = jnp.log1p(jnp.maximum(site.query_pos, 0).astype(logits.dtype))
        return logits * (known(self, "by", logits.dtype) * length)


@piece("softcap")
class Softcap(Logits):
    """Keeps logits smoothly between -cap and cap.

    cap * tanh(logits / cap)

    Reference:
      Gemma team 2024, section 2, arXiv 2408.00118.
    """

    cap: Any
    reference: ClassVar[str] = "Gemma team 2024, section 2, arXiv 2408.00118"

    def validate(self):
        _number(self, "cap", positive=True)

    def apply(self, logits, site):
        cap = jnp.asarray(self.cap, logits.dtype)
        return cap * jnp.tanh(logits / cap)


def alibi_slopes(num_heads: int) -> np.ndarray:
    """The paper's slopes [N]: a geometric series, interleaved if N is no power of 2."""
    power = 2 ** math.floor(math.log2(num_heads))
    slopes = [2.0 ** (-8 * (i + 1) / power) for i in range(power)]
    extra = [2.0 ** (-4 * (2 * i + 1) / power) for i in range(num_heads - power)]
    return np.array(slopes + extra, np.float32)


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
    reference: ClassVar[str] = "Press et al. 2022, section 3, arXiv 2108.12409"

    def validate(self):
        if self.slopes is not None:
            _number(self, "slopes")

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
        alone = self.for_heads(1).slopes.value[0] if self.slopes is None else None
        slope = known(self, "slopes", logits.dtype) if alone is None else alone
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


@piece("decay")
class Decay(Logits):
    """Forgets: adds the log gates between key and query, as running sums.

    logits + query[t] - key[s], with query = key = cumsum(log gate), so that the pair
    gets the sum of the log gates after the key up to the query.

    Reference:
      Lin et al. 2025, equation 5, arXiv 2503.02130 (forgetting transformer).
    """

    query: Any
    key: Any
    indexed: ClassVar = {"query": ("query",), "key": ("key",)}
    reference: ClassVar[str] = "Lin et al. 2025, eq. 5, arXiv 2503.02130"

    def apply(self, logits, site):
        query = jnp.asarray(self.query, logits.dtype)[:, None]
        return logits + (query - jnp.asarray(self.key, logits.dtype)[None])


@piece("bias")
class Bias(Logits):
    """Adds an array [T, S], indexed by storage order, not by position.

    logits + array; an axis of length 1 is broadcast.

    Reference:
      Raffel et al. 2020, section 2.1, arXiv 1910.10683 (additive bias).
    """

    array: Any
    indexed: ClassVar = {"array": ("query", "key")}
    reference: ClassVar[str] = "Raffel et al. 2020, section 2.1, arXiv 1910.10683"

    def apply(self, logits, site):
        return logits + jnp.asarray(self.array, logits.dtype)


@piece("fn")
class Fn(Logits):
    """Any function with arrays of its own: `f(logits, site, **arrays) -> logits`.

    `fn(lambda logits, site, slope: logits - slope * site.distance, slope=0.1)`. Define
    the function once: each new function object is traced anew.

    Reference:
      Dong et al. 2024, section 3, arXiv 2412.05496 (FlexAttention's score_mod).
    """

    function: Callable[..., Any]
    arrays: Any
    positional = True
    opaque = True
    reference: ClassVar[str] = "Dong et al. 2024, section 3, arXiv 2412.05496"

    def __init__(self, function, /, **arrays):
        set_function(self, function, arrays)

    def __repr__(self):
        return repr_function(self)

    def apply(self, logits, site):
        return self.function(logits, site, **self.arrays)


LOGITS = {
    "identity": Identity(),
    "scale": Scale,
    "log_length": LogLength(),
    "softcap": Softcap,
    "alibi": Alibi(),
    "t5": T5(),
    "decay": Decay,
    "bias": Bias,
    "fn": Fn,
}
