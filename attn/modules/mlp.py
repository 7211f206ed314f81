"""The feed-forward half of a block."""

from typing import Any

from flax import nnx
from jax import Array

from attn import functional
from attn.modules.convolution import convolved, make_convolution
from attn.modules.fields import check_spreads
from attn.modules.layers import Linear
from attn.spec.site import At


class MLP(nnx.Module):
    """Widen, activate, narrow: down(activation(up(x))), or gated with a third map.

    Args:
      width: D, of input and output.
      hidden: F, in between.
      activation: a name of `functional.ACTIVATIONS` or `functional.GATES`.
      output_scale: multiplies the initial standard deviation of the map back; 0 makes
        the layer start as nothing, 1 / sqrt(2 L) keeps a deep sum of layers level.
      taps: W, tokens that a short convolution mixes before the activation; None
        means that every token is by itself.
      rngs: where the initial values are drawn from.
      **maps: `std`, `bias` and `precision` of the maps, see `Linear`.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        *,
        activation: str = "gelu",
        output_scale: float = 1.0,
        taps: int | None = None,
        rngs: nnx.Rngs,
        **maps: Any,
    ):
        check_spreads("MLP", output_scale=output_scale)
        known = {**functional.ACTIVATIONS, **functional.GATES}
        if activation not in known:
            raise ValueError(
                f"MLP: activation must be one of {', '.join(known)}, "
                f"got {activation!r}."
            )
        self.activation = activation
        self.up = Linear(width, hidden, rngs=rngs, **maps)
        is_gated = activation in functional.GATES
        self.gate = Linear(width, hidden, rngs=rngs, **maps) if is_gated else None
        self.down = Linear(hidden, width, scale=output_scale, rngs=rngs, **maps)
        precision = self.up.precision
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
