"""A spec as part of a module: its arrays in variables, some of them learned."""

from typing import Any

import jax
from flax import nnx

from attn.spec.piece import Piece


class SpecArray(nnx.Variable):
    """An array inside a spec that is data, not learned."""


class Learned(nnx.Module):
    """A spec or a position whose arrays live in NNX variables.

    Arrays that the piece asks to be learned become `nnx.Param`; arrays that it came
    with become `SpecArray`. The rest of the piece is static.
    """

    def __init__(self, piece: Piece, *, heads: int, dtype: str, rngs: nnx.Rngs):
        leaves, self.structure = jax.tree.flatten(piece.for_heads(heads))
        self.arrays = nnx.List([SpecArray(leaf) for leaf in leaves])
        self.parameters = nnx.Dict(
            {
                _attribute(path): nnx.Param(
                    parameter.init(rngs.params(), parameter.shape, dtype)
                )
                for path, parameter in piece.parameters(heads).items()
            }
        )

    @property
    def piece(self) -> Any:
        """The piece with its current arrays."""
        piece = jax.tree.unflatten(self.structure, [a[...] for a in self.arrays])
        # No call of a method, this one's or a Dict's: `nnx.tabulate` traces them all,
        # and cannot bear `items` or print a piece without arrays.
        learned = {k: self.parameters[_attribute(k)][...] for k in piece.parameters(1)}
        return piece.with_parameters(learned)


def _attribute(path: str) -> str:
    """The name of a learned array as an attribute."""
    return path.replace(".", "__")
