"""From logits to weights: a monoid over key blocks, and its dense definition."""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from attn import numerics
from attn.spec.field import is_array, is_varying
from attn.spec.logit import known, learned_scalar
from attn.spec.piece import Piece, piece


class Normalizer(Piece):
    """Base of the normalizers.

    A mergeable one is a monoid: `lift` turns a tile of logits into unfinished weights
    and a state, `merge` joins the states of two disjoint sets of keys and says how to
    rescale each side's unfinished weights, `close` ends the fold. `ordered` means that
    merge wants the earlier keys on the left. One that is not mergeable has only
    `weights`.
    """

    kind = "normalizer"
    mergeable: ClassVar[bool] = True
    ordered: ClassVar[bool] = False

    def zero(self, rows: int, dtype: Any) -> Any:
        """The state of no keys at all, a tuple of arrays [T]."""
        raise NotImplementedError

    def lift(self, logits: jax.Array, allowed: Any) -> tuple[jax.Array, Any]:
        """Unfinished weights [T, S] and the state of a tile; allowed None is all."""
        raise NotImplementedError

    def merge(self, left: Any, right: Any) -> tuple[Any, jax.Array, jax.Array]:
        """The joint state, and the factors [T] of the left and right weights."""
        raise NotImplementedError

    def close(self, state: Any) -> jax.Array:
        """The factor [T] that finishes the weights; 0 for a row without keys."""
        raise NotImplementedError

    def weights(self, logits: jax.Array, allowed: Any = None) -> jax.Array:
        """Weights [T, S] of logits [T, S]: the dense definition.

        Args:
          logits: [T, S] in the accumulation dtype.
          allowed: Broadcastable to [T, S], True where a pair counts; None for all.

        Returns:
          [T, S], exactly 0 where a pair is hidden.
        """
        weights, state = self.lift(logits, allowed)
        return weights * self.close(state)[:, None]


@piece("softmax")
class Softmax(Normalizer):
    """Exponentials that sum to 1 over the allowed keys.

    exp(logit) / (sum of exp(logits) + exp(sink)); the sink is a key without a value,
    absent where None; `sink="learned"` is one number a head and starts at 0.

    Reference:
      Vaswani et al. 2017, equation 1, arXiv 1706.03762; the sink: OpenAI 2025,
      arXiv 2508.10925.
    """

    sink: Any = None
    numbers = ("sink",)
    reference: ClassVar[str] = "Vaswani et al. 2017, eq. 1, arXiv 1706.03762"

    def validate(self):
        _number_or(self, "sink", none=True)

    def own_parameters(self, num_heads):
        return learned_scalar(self.sink, "sink", num_heads, 0.0)

    def zero(self, rows, dtype):
        return jnp.full((rows,), -jnp.inf, dtype), jnp.zeros((rows,), dtype)

    def lift(self, logits, allowed=None):
        logits = numerics.hide(logits, allowed, -jnp.inf)
        largest = jax.lax.stop_gradient(jnp.max(logits, axis=-1, initial=-jnp.inf))
        weights = jnp.exp(logits - numerics.finite_max(largest)[:, None])
        return weights, (largest, jnp.sum(weights, axis=-1))

    def merge(self, left, right):
        largest = jnp.maximum(left[0], right[0])
        a, b = (jnp.exp(x[0] - numerics.finite_max(largest)) for x in (left, right))
        return (largest, left[1] * a + right[1] * b), a, b

    def close(self, state):
        largest, total = state
        if self.sink is None:
            return numerics.safe_reciprocal(total)
        sink = known(self, "sink", total.dtype)
        # 1 / (total + exp(sink - largest)), without overflow where the sink is large.
        empty = total == 0
        seen = jnp.log(jnp.where(empty, 1.0, total))
        gain = jnp.exp(-jnp.logaddexp(seen, sink - numerics.finite_max(largest)))
        return jnp.where(empty, 0.0, gain)


def _number_or(normalizer: Normalizer, field: str, *, none: bool = False) -> None:
    value = getattr(normalizer, field)
    skip = is_array(value) or is_varying(value) or field in normalizer.own_parameters(1)
    if skip or (none and value is None):
        return
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not good or not math.isfinite(value):
        raise ValueError(
            f"{normalizer.name}: `{field}` must be a finite number or 'learned', "
            f"got {value!r}."
        )


@piece("softmax_one")
class SoftmaxOne(Softmax):
    """Softmax that may attend to nothing: one is added to the denominator.

    exp(logit) / (1 + sum of exp(logits)), the same as softmax(sink=0).

    Reference:
      Miller 2023, "Attention is off by one".
    """

    sink: Any = 0.0
    reference: ClassVar[str] = "Miller 2023, 'Attention is off by one'"


class Pointwise(Normalizer):
    """Base of the normalizers that weigh each pair on its own: nothing to carry."""

    def bend(self, logits: jax.Array) -> jax.Array:
        """Weights of logits, elementwise; 0 for minus infinity."""
        raise NotImplementedError

    def zero(self, rows, dtype):
        return (jnp.zeros((rows,), dtype),)

    def lift(self, logits, allowed=None):
        weights = self.bend(numerics.hide(logits, allowed, -jnp.inf))
        return weights, self.zero(logits.shape[0], logits.dtype)

    def merge(self, left, right):
        one = jnp.ones_like(left[0])
        return left, one, one

    def close(self, state):
        return jnp.ones_like(state[0])


@piece("sigmoid")
class Sigmoid(Pointwise):
    """Each pair on its own: a sigmoid, with no sum over keys.

    sigmoid(logit + bias); the paper suggests bias = -log(S); `bias="learned"` is one
    number a head and starts at 0.

    Reference:
      Ramapuram et al. 2024, arXiv 2409.04431.
    """

    bias: Any = 0.0
    numbers = ("bias",)
    reference: ClassVar[str] = "Ramapuram et al. 2024, arXiv 2409.04431"

    def validate(self):
        _number_or(self, "bias")

    def own_parameters(self, num_heads):
        return learned_scalar(self.bias, "bias", num_heads, 0.0)

    def bend(self, logits):
        return jax.nn.sigmoid(logits + known(self, "bias", logits.dtype))


@piece("relu2")
class Relu2(Pointwise):
    """Squared ReLU: each pair on its own, with no sum over keys.

    max(logit, 0)^2; how large a row is grows with its number of keys, so long rows want
    `scale(...)` before it.

    Reference:
      So et al. 2021 (Primer), section 3, arXiv 2109.08668; in attention: Hua et al.
      2022, section 3.1, arXiv 2202.10447, who also divide by the length.
    """

    reference: ClassVar[str] = "Hua et al. 2022, section 3.1, arXiv 2202.10447"

    def bend(self, logits):
        return jnp.square(jax.nn.relu(logits))


@piece("stick_breaking")
class StickBreaking(Normalizer):
    """Each key breaks a piece off what later keys have left of a stick of length 1.

    sigmoid(logit[s]) * product over allowed u > s of (1 - sigmoid(logit[u])), in
    storage order: the latest key chooses first.

    Reference:
      Tan et al. 2024, section 2, arXiv 2410.17980.
    """

    ordered = True
    reference: ClassVar[str] = "Tan et al. 2024, section 2, arXiv 2410.17980"

    def zero(self, rows, dtype):
        return (jnp.zeros((rows,), dtype),)

    def lift(self, logits, allowed=None):
        # A hidden key is one of logit minus infinity: it takes nothing, leaves all.
        logits = numerics.hide(logits, allowed, -jnp.inf)
        kept = jax.nn.log_sigmoid(-logits)
        left = jax.lax.cumsum(kept, axis=1, reverse=True)
        later = jnp.pad(left[:, 1:], ((0, 0), (0, 1)))
        return jnp.exp(jax.nn.log_sigmoid(logits) + later), (jnp.sum(kept, -1),)

    def merge(self, left, right):
        remains = jnp.exp(right[0])
        return (left[0] + right[0],), remains, jnp.ones_like(remains)

    def close(self, state):
        return jnp.ones_like(state[0])


@piece("entmax")
class Entmax(Normalizer):
    """A softmax with exact zeros; alpha 1 would be softmax, 2 is sparsemax.

    max((alpha - 1) logit - tau, 0)^(1 / (alpha - 1)), tau such that the row sums to 1.

    Reference:
      Peters et al. 2019, equation 10, arXiv 1905.05702.
    """

    alpha: float = 1.5
    mergeable = False
    reference: ClassVar[str] = "Peters et al. 2019, eq. 10, arXiv 1905.05702"

    def validate(self):
        good = isinstance(self.alpha, (int, float)) and not isinstance(self.alpha, bool)
        if not good or not 1 < self.alpha <= 16:
            raise ValueError(
                f"{self.name}: `alpha` must be a number above 1 and at most 16, "
                f"got {self.alpha!r}; for alpha = 1 use softmax."
            )

    def weights(self, logits, allowed=None):
        return numerics.entmax(numerics.hide(logits, allowed, -jnp.inf), self.alpha)


@piece("sparsemax")
class Sparsemax(Entmax):
    """The point of the simplex nearest to the logits: entmax with alpha 2.

    max(logit - tau, 0), tau such that the row sums to 1.

    Reference:
      Martins and Astudillo 2016, equation 2, arXiv 1602.02068.
    """

    alpha: float = 2.0
    reference: ClassVar[str] = "Martins & Astudillo 2016, eq. 2, arXiv 1602.02068"

    def validate(self):
        if self.alpha != 2.0:
            raise ValueError(
                f"sparsemax: takes no alpha, got {self.alpha!r}; "
                f"use entmax(alpha={self.alpha!r})."
            )


NORMALIZERS = {
    "softmax": Softmax(),
    "softmax_one": SoftmaxOne(),
    "sigmoid": Sigmoid(),
    "relu2": Relu2(),
    "stick_breaking": StickBreaking(),
    "entmax": Entmax(),
    "sparsemax": Sparsemax(),
}
