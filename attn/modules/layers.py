"""The small layers: linear maps, embeddings, norms. Parameters and wiring only."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from attn import functional
from attn.modules.fields import check_spreads
from attn.modules.precision import FLOAT32, Precision, checked


def normal(rngs: nnx.Rngs, shape: tuple[int, ...], std: float, dtype: str) -> nnx.Param:
    """A parameter drawn from a normal distribution; std 0 gives zeros."""
    draw = std * jax.random.normal(rngs.params(), shape, jnp.float32)
    return nnx.Param(draw.astype(dtype))


class Linear(nnx.Module):
    """A linear map of the last axis.

    Args:
      inputs: width before.
      outputs: width after.
      std: standard deviation of the initial kernel; None means 1 / sqrt(inputs),
        which keeps the size of what passes through.
      scale: multiplies that standard deviation.
      bias: whether to add a learned vector.
      precision: dtype policy.
      rngs: where the initial values are drawn from.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        std: float | None = None,
        scale: float = 1.0,
        bias: bool = False,
        precision: Precision = FLOAT32,
        rngs: nnx.Rngs,
    ):
        check_spreads("Linear", std=std, scale=scale)
        initial = scale * (inputs**-0.5 if std is None else std)
        dtype = checked(precision).parameters
        self.kernel = normal(rngs, (inputs, outputs), initial, dtype)
        self.bias = nnx.Param(jnp.zeros(outputs, dtype)) if bias else None
        self.precision = precision

    def __call__(self, x: Array) -> Array:
        """Maps [..., inputs] to [..., outputs]."""
        cast = self.precision.cast
        bias = None if self.bias is None else cast(self.bias)
        return functional.linear(
            x, cast(self.kernel), bias, accumulate=self.precision.accumulate
        )

    def flops(self, rows: int) -> int:
        """FLOPs of so many rows, see `attn.spec.cost`."""
        return 2 * rows * self.kernel.size


class Embedding(nnx.Module):
    """A table with one row per token; read forwards as input, backwards as head.

    Args:
      vocabulary: number of rows.
      width: length of a row.
      std: standard deviation of the initial table.
      precision: dtype policy.
      rngs: where the initial values are drawn from.
    """

    def __init__(
        self,
        vocabulary: int,
        width: int,
        *,
        std: float = 0.02,
        precision: Precision = FLOAT32,
        rngs: nnx.Rngs,
    ):
        check_spreads("Embedding", std=std)
        dtype = checked(precision).parameters
        self.table = normal(rngs, (vocabulary, width), std, dtype)
        self.precision = precision

    def __call__(self, tokens: Array) -> Array:
        """Maps tokens [...] to rows [..., D]."""
        return functional.embed(self.precision.cast(self.table), tokens)

    def attend(self, x: Array) -> Array:
        """Scores every token: x [..., D] to logits [..., V] in the sums' dtype."""
        table = self.precision.cast(self.table)
        return functional.unembed(table, x, accumulate=self.precision.accumulate)

    def flops(self, rows: int) -> int:
        """FLOPs of scoring so many rows; looking rows up costs none."""
        return 2 * rows * self.table.size


class LayerNorm(nnx.Module):
    """Layer normalisation with a learned scale and, if asked for, a bias."""

    def __init__(
        self, width: int, *, bias: bool = False, precision: Precision = FLOAT32
    ):
        dtype = checked(precision).parameters
        self.scale = nnx.Param(jnp.ones(width, dtype))
        self.bias = nnx.Param(jnp.zeros(width, dtype)) if bias else None

    def __call__(self, x: Array) -> Array:
        """Maps [..., D] to [..., D]."""
        bias = None if self.bias is None else self.bias[...]
        return functional.layer_norm(x, self.scale[...], bias)


class RMSNorm(nnx.Module):
    """Root-mean-square normalisation with a learned scale; it has no bias."""

    def __init__(
        self, width: int, *, bias: bool = False, precision: Precision = FLOAT32
    ):
        if bias:
            raise ValueError("RMSNorm: has no bias; say bias=False or use 'layer'.")
        self.scale = nnx.Param(jnp.ones(width, checked(precision).parameters))

    def __call__(self, x: Array) -> Array:
        """Maps [..., D] to [..., D]."""
        return functional.rms_norm(x, self.scale[...])


NORMS = {"layer": LayerNorm, "rms": RMSNorm}
