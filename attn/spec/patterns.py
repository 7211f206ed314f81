"""Masks given by a table, by chance or by the user: blocks, arrays, functions."""

import itertools
from collections.abc import Callable
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from attn import numerics
from attn.spec.field import check_kept, is_array, is_varying, write
from attn.spec.mask import LARGEST, Cover, Mask, check_whole
from attn.spec.piece import Piece, piece


@piece("random_blocks")
class RandomBlocks(Mask):
    """Each pair of blocks of `size` positions is allowed with probability `rate`.

    The draw depends on (seed, query block, key block) only, so it is the same for every
    length and tiling; the seed is a whole number below 2^32.

    Reference:
      Zaheer et al. 2020, section 2, arXiv 2007.14062 (BigBird's random attention).
    """

    rate: float
    size: int = 64
    seed: int = 0
    positional = True
    reference: ClassVar[str] = "Zaheer et al. 2020, section 2, arXiv 2007.14062"

    def validate(self):
        if not isinstance(self.rate, (int, float)) or not 0 <= self.rate <= 1:
            raise ValueError(
                f"random_blocks: `rate` must lie from 0 to 1, got {self.rate!r}."
            )
        for field, least, most in (("size", 1, LARGEST), ("seed", 0, 2**32 - 1)):
            if not isinstance(getattr(self, field), int):
                raise ValueError(
                    f"random_blocks: `{field}` must be a whole number, "
                    f"got {getattr(self, field)!r}."
                )
            check_whole("random_blocks", field, getattr(self, field), least, most)

    def _drawn(self, query_block, key_block):
        """The draw of blocks; the same bits from NumPy and from JAX."""
        spread = np.uint32(0x9E3779B1)  # odd, so that no two numbers become one
        # Hashed, since seeds that are merely added to a block are shifts of one draw.
        seed = numerics.mix(np.array([[self.seed]], np.uint32) * spread)
        bits = numerics.mix((query_block.astype("uint32") * spread) ^ seed)
        bits = numerics.mix(bits + key_block.astype("uint32"))
        return (bits >> np.uint32(8)) < np.uint32(round(self.rate * (1 << 24)))

    def allows(self, site):
        return self._drawn(site.query_pos // self.size, site.key_pos // self.size)

    def decide(self, query_span, key_span):
        rows, cols = (
            np.arange(span[0] // self.size, span[1] // self.size + 1)
            for span in (query_span, key_span)
        )
        return _all_or_none(self._drawn(rows[:, None], cols[None]))


def _all_or_none(table: np.ndarray) -> Cover:
    if not table.any():
        return Cover.EMPTY
    return Cover.FULL if table.all() else Cover.SOME


@piece("blocks")
class Blocks(Mask):
    """A table of 0 and 1 says which block of queries sees which block of keys.

    table[query_pos // size, key_pos // size]; positions beyond the table see nothing.
    A table of tuples is static, and its empty blocks are skipped; a list or an array is
    data.

    Reference:
      Child et al. 2019, section 5.4, arXiv 1904.10509 (block-sparse attention).
    """

    table: Any
    size: int
    positional = True
    numbers = ("size",)
    reference: ClassVar[str] = "Child et al. 2019, section 5.4, arXiv 1904.10509"

    def validate(self):
        check_whole("blocks", "size", self.size, 1)
        if isinstance(self.table, tuple):
            widths = {len(r) if isinstance(r, tuple) else -1 for r in self.table}
            entries = set(itertools.chain(*self.table)) if -1 not in widths else {None}
            if len(widths) != 1 or not entries or not entries <= {0, 1}:
                raise ValueError(
                    "blocks: `table` must have rows of 0 and 1 of one length, "
                    f"got {self.table!r}."
                )

    def allows(self, site):
        table = jnp.asarray(self.table, bool)
        if table.ndim != 2 or not table.size:
            raise ValueError(
                "blocks: `table` must be [query blocks, key blocks], "
                f"got {table.shape}."
            )
        row, col = site.query_pos // self.size, site.key_pos // self.size
        inside = (row >= 0) & (row < table.shape[0])
        inside = inside & (col >= 0) & (col < table.shape[1])
        row, col = (
            jnp.clip(x, 0, n - 1) for x, n in zip((row, col), table.shape, strict=True)
        )
        return inside & table[row, col]

    def decide(self, query_span, key_span):
        table = np.asarray(self.table, bool)
        rows, cols = (
            (span[0] // self.size, span[1] // self.size)
            for span in (query_span, key_span)
        )
        if rows[0] < 0 or cols[0] < 0:
            return Cover.SOME
        part = table[rows[0] : rows[1] + 1, cols[0] : cols[1] + 1]
        beyond = rows[1] >= table.shape[0] or cols[1] >= table.shape[1]
        if beyond and part.any():
            return Cover.SOME
        return _all_or_none(part)


@piece("dense")
class Dense(Mask):
    """An array [T, S] of booleans, indexed by storage order, not by position.

    array[t, s]; an axis of length 1 is broadcast.
    """

    array: Any
    indexed: ClassVar = {"array": ("query", "key")}
    reference: ClassVar[str] = "Vaswani et al. 2017, section 3.2.3, arXiv 1706.03762"

    def validate(self):
        array = self.array
        while is_varying(array):
            array = array.value
        if is_array(array) and array.dtype != bool:
            raise ValueError(
                "dense: `array` must be boolean (True may attend), got "
                f"{array.dtype}; for numbers to add use `bias(array)`."
            )

    def allows(self, site):
        array = jnp.asarray(self.array)  # a transformation may have put numbers
        return array if array.dtype == bool else array != 0


@piece("predicate")
class Predicate(Mask):
    """Any function of a site, with arrays of its own: `f(site, **arrays) -> bool`.

    `predicate(lambda site, gap: site.distance > gap, gap=2)`. Of a result of numbers 0
    means hidden. Define the function once: each new function object is traced anew.

    Reference:
      Dong et al. 2024, section 3, arXiv 2412.05496 (FlexAttention's mask_mod).
    """

    function: Callable[..., Any]
    arrays: Any
    positional = True
    reference: ClassVar[str] = "Dong et al. 2024, section 3, arXiv 2412.05496"

    def __init__(self, function, /, **arrays):
        set_function(self, function, arrays)

    def __call__(self, *function, **arrays):
        return recalled(self, function, arrays)

    def __repr__(self):
        return repr_function(self)

    def allows(self, site):
        shape = np.broadcast_shapes(site.query_pos.shape, site.key_pos.shape)
        result = returned(self, self.function(site, **self.arrays), shape)
        return result if result.dtype == bool else result != 0


def set_function(self: Any, function: Any, arrays: dict[str, Any]) -> None:
    """Puts a user's function and its arrays into a piece."""
    is_class = isinstance(function, type) and issubclass(function, Piece)
    if isinstance(function, Piece) or is_class:
        raise ValueError(
            f"{self.name}: expected a function, got the piece `{function.name}`; give "
            f"the piece itself, without `{self.name}`."
        )
    if not callable(function):
        raise ValueError(f"{self.name}: expected a function, got {function!r}.")
    arrays = {name: _argument(self.name, name, x) for name, x in arrays.items()}
    object.__setattr__(self, "function", function)
    object.__setattr__(self, "arrays", arrays)
    self.__post_init__()


def recalled(self: Any, function: tuple, arrays: dict[str, Any]) -> Any:
    """A piece of a user's function with another function or other arrays."""
    if len(function) > 1:
        raise TypeError(f"takes at most 1 argument, got {len(function)}")
    return type(self)(*function or (self.function,), **{**self.arrays, **arrays})


def _argument(piece_name: str, name: str, value: Any) -> Any:
    if is_varying(value):
        return value
    try:
        check_kept(value)
    except ValueError as error:
        raise ValueError(f"{piece_name}: `{name}`: {error}") from None
    try:
        return jnp.asarray(value)
    except OverflowError:
        raise ValueError(
            f"{piece_name}: `{name}`: {value} does not fit int32; write it as a float."
        ) from None
    except (TypeError, ValueError):
        raise ValueError(
            f"{piece_name}: `{name}` must be an array or a number, got {value!r}."
        ) from None


def returned(self: Any, result: Any, shape: tuple[int, ...]) -> Any:
    """What a user's function returned, as an array of rank 2 that fits a tile.

    Raises:
      ValueError: It is not made of numbers, or does not broadcast to `shape`.
    """
    word = f"{self.name}: `{write(self.function)}`"
    try:
        array: Any = result if is_array(result) else np.asarray(result)
    except (TypeError, ValueError):  # a list of what is traced, or of odd lengths
        array = np.asarray(None)
    real = jnp.issubdtype(array.dtype, jnp.number) or array.dtype == bool
    if not real or jnp.issubdtype(array.dtype, jnp.complexfloating):
        got = getattr(result, "dtype", type(result).__name__)
        raise ValueError(f"{word} must return an array of real numbers, got {got}.")
    if array.ndim < 2:
        array = array.reshape((1,) * (2 - array.ndim) + tuple(array.shape))
    fits = array.ndim == len(shape) and all(
        size in (1, expected) for size, expected in zip(array.shape, shape, strict=True)
    )
    if not fits:
        raise ValueError(
            f"{word} must return [T, S] = {list(shape)} or what broadcasts to it, "
            f"got {list(np.shape(result))}."
        )
    return array


def repr_function(self: Any) -> str:
    """The notation of a piece that holds a user's function."""
    named = [f"{name}={write(value)}" for name, value in self.arrays.items()]
    return f"{self.name}({', '.join([write(self.function), *named])})"
