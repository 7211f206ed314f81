"""The feed-forward half of a block."""

from flax import nnx
from jax import Array

from attn import functional
from attn.modules.layers import Linear
from attn.modules.precision import FLOAT32, Precision


class MLP(nnx.Module):
    """Widen, activate, narrow: down(activation(up(x))), or gated with a third map.

    Args:
      width: D, of input and output.
      hidden: F, in between.
      activation: a name of `functional.ACTIVATIONS` or `functional.GATES`.
      std: of the initial kernels; None means 1 / sqrt(inputs).
      output_scale: multiplies the initial standard deviation of the map back; 0 makes
        the layer start as nothing, 1 / sqrt(2 L) keeps a deep sum of layers level.
      bias: whether the maps have biases.
      precision: dtype policy.
      rngs: where the initial values are drawn from.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        *,
        activation: str = "gelu",
        std: float | None = None,
        output_scale: float = 1.0,
        bias: bool = False,
        precision: Precision = FLOAT32,
        rngs: nnx.Rngs,
    ):
        known = {**functional.ACTIVATIONS, **functional.GATES}
        if activation not in known:
            raise ValueError(
                f"MLP: activation must be one of {', '.join(known)}, "
                f"got {activation!r}."
            )
        shared = {"bias": bias, "precision": precision, "rngs": rngs}
        self.activation = activation
        self.up = Linear(width, hidden, std=std, **shared)
        is_gated = activation in functional.GATES
        self.gate = Linear(width, hidden, std=std, **shared) if is_gated else None
        self.down = Linear(hidden, width, std=std, scale=output_scale, **shared)

    def __call__(self, x: Array) -> Array:
        """Maps [..., D] to [..., D]."""
        if self.gate is None:
            return self.down(functional.ACTIVATIONS[self.activation](self.up(x)))
        activation = functional.GATES[self.activation]
        return self.down(functional.gated(self.gate(x), self.up(x), activation))

    def flops(self, rows: int) -> int:
        """FLOPs of so many rows."""
        maps = [self.up, self.down] + ([] if self.gate is None else [self.gate])
        return sum(each.flops(rows) for each in maps)
