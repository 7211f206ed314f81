"""The short convolution as a module, and the places of a block where one may stand."""

from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax import Array

from attn.batches import of_all_heads
from attn.convolution import short_convolution
from attn.modules.precision import FLOAT32, Precision, checked

# Place -> what is mixed there. Allen-Zhu 2025 calls them Canon-A to Canon-D.
PLACES = {
    "attention": "what attention reads",
    "heads": "queries, keys and values",
    "mlp": "what the MLP reads",
    "hidden": "what the MLP activates",
}
TAPS = 4


class ShortConvolution(nnx.Module):
    """Mixes a few neighbouring tokens, feature by feature; starts as nothing.

    Args:
      width: D, features of a token.
      taps: W, tokens that are mixed, itself among them.
      precision: dtype policy.

    Reference: see `attn.convolution.short_convolution`.
    """

    def __init__(self, width: int, taps: int = TAPS, *, precision: Precision = FLOAT32):
        dtype = checked(precision).parameters
        self.taps = nnx.Param(jnp.zeros((taps, width), dtype))
        self.precision = precision

    def __call__(self, x: Array, segment: Array | None = None) -> Array:
        """Maps [..., T, D] to the like; segment [..., T] keeps documents apart."""
        return short_convolution(x, self.precision.cast(self.taps), segment)

    def flops(self, rows: int) -> int:
        """FLOPs of so many rows."""
        return 2 * rows * self.taps.size

    def state_bytes(self, t: int) -> int:
        """Bytes that decoding remembers after T tokens: those that it still weighs."""
        taps, width = self.taps.shape
        return min(t, taps - 1) * width * jnp.dtype(self.precision.compute).itemsize


def make_convolution(
    width: int, taps: int | None, precision: Precision
) -> ShortConvolution | None:
    """A convolution, or None for no taps."""
    if taps is None:
        return None
    return ShortConvolution(width, taps, precision=precision)


def convolved(
    convolution: ShortConvolution | None, x: Array, data: dict[str, Any] | None
) -> Array:
    """x through a convolution, if there is one.

    Args:
      convolution: or None, which leaves x alone.
      x: [..., T, D].
      data: per-token data of x, of which `segment` keeps documents apart.
    """
    if convolution is None:
        return x
    segment = None if data is None else data.get("segment")
    return convolution(x, of_all_heads("convolution", "segment", segment))


def check_places(who: str, places: Iterable[str], taps: int | None) -> None:
    """Refuses unknown places, and a number of taps without a place.

    Raises:
      ValueError: the message names `who` and the field.
    """
    is_tuple = isinstance(places, tuple)  # a model's config has to hash
    unknown = [repr(x) for x in places if x not in PLACES] if is_tuple else []
    if not is_tuple or unknown:
        raise ValueError(
            f"{who}: convolve must be a tuple of {', '.join(PLACES)}, got "
            f"{', '.join(unknown) if is_tuple else repr(places)}."
        )
    if taps is not None and not tuple(places):
        raise ValueError(
            f"{who}: taps={taps} means nothing without a convolution; say where with "
            "convolve=('mlp',), or leave it out."
        )
