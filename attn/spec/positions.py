"""How positions enter besides logits pieces: added to embeddings, or by rotation."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from attn.numerics import accumulation_dtype, look_up
from attn.spec.field import is_array, is_varying, write
from attn.spec.piece import Parameter, Piece, piece
from attn.spec.scaling import Scaling, check_above, plain_frequencies


class Position(Piece):
    """Base of the positions; each method does nothing unless a position overrides it.

    `embeds` and `rotates` say which of the two a position does.
    """

    kind = "position"
    embeds: ClassVar[bool] = False
    rotates: ClassVar[bool] = False

    def embed(self, x: jax.Array, positions: jax.Array) -> jax.Array:
        """Embeddings x [T, D] with their positions [T] added; dtype of x."""
        return x

    def rotate(self, x: jax.Array, positions: jax.Array) -> jax.Array:
        """Queries or keys x [T, H] turned by their positions [T]; dtype of x."""
        return x

    def sized(self, context: int, width: int) -> "Position":
        """The position with sizes that a model knows filled in where it has none."""
        return self


def _angles(positions: jax.Array, frequencies: Any, dtype: Any) -> jax.Array:
    """positions [T] times frequencies [F]: [T, F], float32 or wider."""
    dtype = accumulation_dtype(dtype)
    frequencies = jnp.asarray(frequencies, dtype)
    return positions.astype(dtype)[:, None] * frequencies[None]


@piece("none")
class NoPosition(Position):
    """No positions (NoPE): order is seen through the mask alone.

    Reference:
      Kazemnejad et al. 2023, arXiv 2305.19466.
    """

    reference: ClassVar[str] = "Kazemnejad et al. 2023, arXiv 2305.19466"


@piece("sinusoidal")
class Sinusoidal(Position):
    """Adds sines and cosines of the position at geometric wavelengths.

    x[2i] + sin(pos / base^(2i / D)), x[2i + 1] + cos(the same)

    Reference:
      Vaswani et al. 2017, section 3.5, arXiv 1706.03762.
    """

    base: Any = 10000.0
    positional = True
    embeds = True
    numbers = ("base",)
    reference: ClassVar[str] = "Vaswani et al. 2017, section 3.5, arXiv 1706.03762"

    def validate(self):
        check_above("sinusoidal", "base", self.base, 1)

    def embed(self, x, positions):
        self.check_numbers()
        width = x.shape[-1]
        exponent = np.arange(0, width, 2) / width
        wide = accumulation_dtype(x.dtype)
        frequencies = jnp.asarray(self.base, wide) ** -jnp.asarray(exponent, wide)
        angles = _angles(positions, frequencies, x.dtype)
        table = jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1)
        table = table.reshape(len(positions), -1)[:, :width]
        return (x.astype(wide) + table).astype(x.dtype)


@piece("learned")
class Learned(Position):
    """Adds a learned vector for each position.

    x + table[position]; without a table [context, D] a module learns one. A position
    outside the table gives NaN rather than a neighbour's vector.

    Reference:
      Gehring et al. 2017, section 3.1, arXiv 1705.03122.
    """

    table: Any = None
    size: Any = None
    positional = True
    embeds = True
    reference: ClassVar[str] = "Gehring et al. 2017, section 3.1, arXiv 1705.03122"

    def validate(self):
        table, size = self.table, self.size
        if table is not None and len(getattr(table, "shape", (1, 1))) != 2:
            raise ValueError(
                f"learned: `table` must be [context, D], got {tuple(table.shape)}."
            )
        if not (table is None or is_array(table) or is_varying(table)):
            raise ValueError(
                f"learned: `table` must be an array [context, D], got {table!r}."
            )
        if not (size is None or _is_size(size)):
            raise ValueError(
                "learned: `size` must be (context, width), two whole numbers of at "
                f"least 1, got {write(size)}."
            )

    def own_parameters(self, num_heads):
        if self.table is not None:
            return {}
        if self.size is None:
            raise ValueError(
                "learned: the size of the table is unknown; give "
                "learned(size=(context, width)) or learned(table=...)."
            )
        init = jax.nn.initializers.normal(0.02)
        return {"table": Parameter(self.size, init)}

    def sized(self, context, width):
        if self.table is None and self.size is None:
            return Learned(size=(context, width))
        if is_varying(self.table):  # `embed_positions` says what is wrong
            return self
        rows, columns = self.size if self.table is None else self.table.shape
        if rows < context or columns != width:
            raise ValueError(
                f"learned: expected a table of at least {context} positions and width "
                f"{width}, got ({rows}, {columns})."
            )
        return self

    def embed(self, x, positions):
        if self.table is None:
            raise ValueError(
                "learned: `table` is to be learned and has no value yet: use it in a "
                "module, or give learned(table=...)."
            )
        if self.table.ndim != 2 or self.table.shape[-1] != x.shape[-1]:
            raise ValueError(
                f"learned: `table` must be [context, D] with D={x.shape[-1]}, got "
                f"{self.table.shape}."
            )
        return x + look_up(self.table, positions).astype(x.dtype)


def _is_size(size: Any) -> bool:
    """Whether a size is two whole numbers of at least 1."""
    if not isinstance(size, tuple) or len(size) != 2:
        return False
    return all(type(length) is int and length >= 1 for length in size)


@piece("rotary")
class Rotary(Position):
    """Turns pairs of coordinates by angles that grow with the position.

    (a, b) -> (a cos - b sin, b cos + a sin), a the first and b the second half of the
    first `width` coordinates (None: all), angle = position * base^(-2i / width), in
    float32. `scaling` is None, linear(factor), ntk(factor) or yarn(factor, context).

    Reference:
      Su et al. 2021, equation 34, arXiv 2104.09864.
    """

    base: Any = 10000.0
    width: int | None = None
    scaling: Any = None
    positional = True
    rotates = True
    numbers = ("base",)
    reference: ClassVar[str] = "Su et al. 2021, eq. 34, arXiv 2104.09864"

    def validate(self):
        check_above("rotary", "base", self.base, 1)
        width = self.width
        if width is not None and (
            not isinstance(width, int)
            or isinstance(width, bool)
            or width < 2
            or width % 2
        ):
            raise ValueError(
                f"rotary: `width` must be an even number of at least 2, got {width!r}."
            )
        if self.scaling is not None and not isinstance(self.scaling, Scaling):
            raise ValueError(
                "rotary: `scaling` must be linear(factor), ntk(factor) or "
                f"yarn(factor, context), got {self.scaling!r}."
            )

    def rotate(self, x, positions):
        self.check_numbers()
        width = x.shape[-1] if self.width is None else self.width
        if width % 2 or width > x.shape[-1]:
            raise ValueError(
                f"rotary: the width to turn must be even and at most H={x.shape[-1]}, "
                f"got {width}; give rotary(width=...)."
            )
        if self.scaling is None:
            frequencies, grow = plain_frequencies(self.base, width), 1.0
        else:
            frequencies = self.scaling.frequencies(self.base, width)
            grow = self.scaling.temperature()
        angles = _angles(positions, frequencies, x.dtype)
        grow = jnp.asarray(grow, angles.dtype) if is_array(grow) else grow
        cos, sin = jnp.cos(angles) * grow, jnp.sin(angles) * grow
        wide = x.astype(angles.dtype)
        a, b = wide[:, : width // 2], wide[:, width // 2 : width]
        rest = wide[:, width:] * grow
        turned = [a * cos - b * sin, b * cos + a * sin, rest]
        return jnp.concatenate(turned, axis=-1).astype(x.dtype)


POSITIONS = {
    "none": NoPosition(),
    "sinusoidal": Sinusoidal(),
    "learned": Learned(),
    "rotary": Rotary(),
}
