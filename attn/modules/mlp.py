"""The feed-forward half of a block."""

from flax import nnx
from jax import Array

from attn import functional
from attn.modules.convolution import convolved, make_convolution
from attn.modules.fields import check_spreads
from attn.modules.layers import Linear
from attn.modules.precision import FLOAT32, Precision
from attn.spec.site import At


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
      taps: W, tokens that a short convolution mixes before the activation; None
        means that every token is by itself.
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
        taps: int | None = None,
        precision: Precision = FLOAT32,
        rngs: nnx.Rngs,
    ):
        check_spreads("MLP", std=std, output_scale=output_scale)
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
        self.up_mix = make_convolution(hidden, taps, precision)
        self.gate_mix = make_convolution(hidden, taps if is_gated else None, precision)

    def __call__(self, x: Array, *, at: At | None = None) -> Array:
        """Maps [..., T, D] to the like; `at` says which tokens are one document's."""
        data = None if at is None else at.query
        up = convolved(self.up_mix, self.up(x), data)
        if self.gate is None:
            return self.down(functional.ACTIVATIONS[self.activation](up))
        gate = convolved(self.gate_mix, self.gate(x), data)
        activation = functional.GATES[self.activation]
        return self.down(functional.gated(gate, up, activation))

    def flops(self, rows: int) -> int:
        """FLOPs of so many rows."""
        parts = self.up, self.down, self.gate, self.up_mix, self.gate_mix
        return sum(each.flops(rows) for each in parts if each is not None)

    def state_bytes(self, t: int) -> int:
        """Bytes that decoding remembers after T tokens."""
        mixes = self.up_mix, self.gate_mix
        return sum(mix.state_bytes(t) for mix in mixes if mix is not None)
