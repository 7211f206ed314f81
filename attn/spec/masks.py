"""The masks by name: which pairs of query and key count."""

import itertools
from collections.abc import Callable
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from attn import numerics
from attn.spec.mask import Cover, Everything, Mask, Span
from attn.spec.piece import is_array, is_varying, piece


def _whole(name: str, field: str, value: Any, least: int = 0) -> None:
    """A static number must be whole and not below `least`; arrays are trusted."""
    if is_array(value) or is_varying(value):
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(
            f"{name}: `{field}` must be a whole number of at least {least}, "
            f"got {value!r}."
        )


def _compare(low: int, high: int, least: float, most: float) -> Cover:
    """Cover of `least <= x <= most` for x anywhere from low to high."""
    if high < least or low > most:
        return Cover.EMPTY
    return Cover.FULL if least <= low and high <= most else Cover.SOME


def _known(*spans: Span) -> bool:
    return all(span is not None for span in spans)


@piece("causal")
class Causal(Mask):
    """A query sees itself and every earlier key.

    key_pos <= query_pos

    Reference:
      Vaswani et al. 2017, section 3.2.3, arXiv 1706.03762.
    """

    positional = True
    reference: ClassVar[str] = "Vaswani et al. 2017, section 3.2.3, arXiv 1706.03762"

    def allows(self, site):
        return site.key_pos <= site.query_pos

    def cover(self, query_span, key_span):
        if not _known(query_span, key_span):
            return Cover.SOME
        (q_low, q_high), (k_low, k_high) = query_span, key_span
        return _compare(k_low - q_high, k_high - q_low, -np.inf, 0)


@piece("window")
class Window(Mask):
    """Keys at most `back` before and `ahead` after the query, itself not counted.

    -back <= key_pos - query_pos <= ahead; None is unlimited on that side.

    Reference:
      Beltagy et al. 2020, section 3.1, arXiv 2004.05150.
    """

    back: Any = None
    ahead: Any = None
    positional = True
    reference: ClassVar[str] = "Beltagy et al. 2020, section 3.1, arXiv 2004.05150"

    def validate(self):
        for field in ("back", "ahead"):
            if getattr(self, field) is not None:
                _whole("window", field, getattr(self, field))
        if self.back is None and self.ahead is None:
            raise ValueError(
                "window: expected `back=` or `ahead=` (keys before or after the query, "
                "itself not counted), got neither; for no limit use `everything`."
            )

    def allows(self, site):
        ahead = site.key_pos - site.query_pos
        near = ahead <= self.ahead if self.ahead is not None else None
        if self.back is None:
            return near
        far = ahead >= -self.back
        return far if near is None else far & near

    def cover(self, query_span, key_span):
        limits = (self.back, self.ahead)
        if not _known(query_span, key_span) or not all(
            x is None or isinstance(x, int) for x in limits
        ):
            return Cover.SOME
        (q_low, q_high), (k_low, k_high) = query_span, key_span
        least = -np.inf if self.back is None else -self.back
        most = np.inf if self.ahead is None else self.ahead
        return _compare(k_low - q_high, k_high - q_low, least, most)


@piece("prefix")
class Prefix(Mask):
    """The first `length` positions see each other, both ways.

    query_pos < length and key_pos < length; a prefix LM is `causal | prefix(length)`.

    Reference:
      Raffel et al. 2020, section 3.2.1, arXiv 1910.10683.
    """

    length: Any
    positional = True
    reference: ClassVar[str] = "Raffel et al. 2020, section 3.2.1, arXiv 1910.10683"

    def validate(self):
        _whole("prefix", "length", self.length)

    def allows(self, site):
        return (site.query_pos < self.length) & (site.key_pos < self.length)

    def cover(self, query_span, key_span):
        if not isinstance(self.length, int) or not _known(query_span, key_span):
            return Cover.SOME
        return min(
            _compare(*span, -np.inf, self.length - 1) for span in (query_span, key_span)
        )


@piece("first")
class First(Mask):
    """Every query sees the first `count` keys (attention sinks).

    key_pos < count; StreamingLLM is `causal & (first(4) | window(back=1024))`.

    Reference:
      Xiao et al. 2023, section 3.2, arXiv 2309.17453.
    """

    count: Any
    positional = True
    reference: ClassVar[str] = "Xiao et al. 2023, section 3.2, arXiv 2309.17453"

    def validate(self):
        _whole("first", "count", self.count)

    def allows(self, site):
        return site.key_pos < self.count

    def cover(self, query_span, key_span):
        if not isinstance(self.count, int) or not _known(key_span):
            return Cover.SOME
        return _compare(*key_span, -np.inf, self.count - 1)


@piece("segments")
class Segments(Mask):
    """A query sees the keys of its own document (packed sequences).

    query segment == key segment, from `at=attn.at(segment=[T])`.

    Reference:
      Krell et al. 2021, section 3.2.4, arXiv 2107.02027.
    """

    reference: ClassVar[str] = "Krell et al. 2021, section 3.2, arXiv 2107.02027"

    def allows(self, site):
        for side, data in (("query", site.query), ("key", site.key)):
            if "segment" not in data:
                raise ValueError(
                    f"segments: the {side} side has no segments: give "
                    "at=attn.at(segment=...) with one number per token."
                )
        return site.query["segment"] == site.key["segment"]


@piece("dilated")
class Dilated(Mask):
    """Keys at distances that are multiples of `step`.

    (query_pos - key_pos) % step == 0

    Reference:
      Child et al. 2019, section 4.2, arXiv 1904.10509 (strided attention).
    """

    step: Any
    positional = True
    reference: ClassVar[str] = "Child et al. 2019, section 4.2, arXiv 1904.10509"

    def validate(self):
        _whole("dilated", "step", self.step, 1)

    def allows(self, site):
        return (site.query_pos - site.key_pos) % self.step == 0

    def cover(self, query_span, key_span):
        if not isinstance(self.step, int) or not _known(query_span, key_span):
            return Cover.SOME
        low, high = query_span[0] - key_span[1], query_span[1] - key_span[0]
        if low == high or self.step == 1:
            return Cover.EMPTY if low % self.step else Cover.FULL
        return Cover.SOME if low <= high // self.step * self.step else Cover.EMPTY


@piece("chunked")
class Chunked(Mask):
    """Positions are cut into chunks of `size`; a query sees its own chunk.

    query_pos // size == key_pos // size

    Reference:
      Meta 2025, Llama 4 (chunked attention); Parmar et al. 2018, arXiv 1802.05751.
    """

    size: Any
    positional = True
    reference: ClassVar[str] = "Parmar et al. 2018, section 3.2, arXiv 1802.05751"

    def validate(self):
        _whole("chunked", "size", self.size, 1)

    def allows(self, site):
        return site.query_pos // self.size == site.key_pos // self.size

    def cover(self, query_span, key_span):
        if not isinstance(self.size, int) or not _known(query_span, key_span):
            return Cover.SOME
        (q_low, q_high), (k_low, k_high) = (
            [x // self.size for x in span] for span in (query_span, key_span)
        )
        if q_high < k_low or k_high < q_low:
            return Cover.EMPTY
        return Cover.FULL if q_low == q_high == k_low == k_high else Cover.SOME


@piece("global_tokens")
class GlobalTokens(Mask):
    """The first `count` positions see everything and are seen by everything.

    query_pos < count or key_pos < count

    Reference:
      Beltagy et al. 2020, section 3.1, arXiv 2004.05150 (global attention).
    """

    count: Any
    positional = True
    reference: ClassVar[str] = "Beltagy et al. 2020, section 3.1, arXiv 2004.05150"

    def validate(self):
        _whole("global_tokens", "count", self.count)

    def allows(self, site):
        return (site.query_pos < self.count) | (site.key_pos < self.count)

    def cover(self, query_span, key_span):
        if not isinstance(self.count, int) or not _known(query_span, key_span):
            return Cover.SOME
        return max(
            _compare(*span, -np.inf, self.count - 1) for span in (query_span, key_span)
        )


@piece("random_blocks")
class RandomBlocks(Mask):
    """Each pair of blocks of `size` positions is allowed with probability `rate`.

    The draw depends on (seed, query block, key block) only, so it is the same for every
    length and tiling.

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
        for field, least in (("size", 1), ("seed", 0)):
            if not isinstance(getattr(self, field), int):
                raise ValueError(
                    f"random_blocks: `{field}` must be a whole number, "
                    f"got {getattr(self, field)!r}."
                )
            _whole("random_blocks", field, getattr(self, field), least)

    def _drawn(self, query_block, key_block):
        """The draw of blocks; the same bits from NumPy and from JAX."""
        bits = numerics.mix(query_block.astype("uint32") * np.uint32(0x9E3779B1))
        bits = numerics.mix(bits + key_block.astype("uint32") + np.uint32(self.seed))
        return (bits >> np.uint32(8)) < np.uint32(round(self.rate * (1 << 24)))

    def allows(self, site):
        return self._drawn(site.query_pos // self.size, site.key_pos // self.size)

    def cover(self, query_span, key_span):
        if not _known(query_span, key_span):
            return Cover.SOME
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
    reference: ClassVar[str] = "Child et al. 2019, section 5.4, arXiv 1904.10509"

    def validate(self):
        _whole("blocks", "size", self.size, 1)
        if isinstance(self.table, tuple):
            widths = {len(r) if isinstance(r, tuple) else -1 for r in self.table}
            entries = set(itertools.chain(*self.table)) if -1 not in widths else {None}
            if len(widths) != 1 or not entries <= {0, 1}:
                raise ValueError(
                    "blocks: `table` must have rows of 0 and 1 of one length, "
                    f"got {self.table!r}."
                )

    def allows(self, site):
        table = jnp.asarray(self.table, bool)
        if table.ndim != 2:
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

    def cover(self, query_span, key_span):
        if not isinstance(self.table, tuple) or not _known(query_span, key_span):
            return Cover.SOME
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
        if is_array(self.array) and self.array.dtype != bool:
            raise ValueError(
                "dense: `array` must be boolean (True may attend), got "
                f"{self.array.dtype}; for numbers to add use `bias(array)`."
            )

    def allows(self, site):
        return jnp.asarray(self.array)


@piece("predicate")
class Predicate(Mask):
    """Any function of a site, with arrays of its own: `f(site, **arrays) -> bool`.

    `predicate(lambda site, gap: site.distance > gap, gap=2)`. Define the function once:
    each new function object is traced anew.

    Reference:
      Dong et al. 2024, section 3, arXiv 2412.05496 (FlexAttention's mask_mod).
    """

    function: Callable[..., Any]
    arrays: Any
    positional = True
    reference: ClassVar[str] = "Dong et al. 2024, section 3, arXiv 2412.05496"

    def __init__(self, function, /, **arrays):
        set_function(self, function, arrays)

    def __repr__(self):
        return repr_function(self)

    def allows(self, site):
        return self.function(site, **self.arrays)


def set_function(self: Any, function: Any, arrays: dict[str, Any]) -> None:
    """Puts a user's function and its arrays into a piece."""
    if not callable(function):
        raise ValueError(f"{self.name}: expected a function, got {function!r}.")
    arrays = {
        name: value if is_varying(value) else jnp.asarray(value)
        for name, value in arrays.items()
    }
    object.__setattr__(self, "function", function)
    object.__setattr__(self, "arrays", arrays)
    self.__post_init__()


def repr_function(self: Any) -> str:
    """The notation of a piece that holds a user's function."""
    from attn.spec.piece import write

    named = [f"{name}={write(value)}" for name, value in self.arrays.items()]
    return f"{self.name}({', '.join([write(self.function), *named])})"


MASKS = {
    "everything": Everything(),
    "causal": Causal(),
    "window": Window,
    "prefix": Prefix,
    "segments": Segments(),
    "first": First,
    "dilated": Dilated,
    "chunked": Chunked,
    "global_tokens": GlobalTokens,
    "random_blocks": RandomBlocks,
    "blocks": Blocks,
    "dense": Dense,
    "predicate": Predicate,
}
