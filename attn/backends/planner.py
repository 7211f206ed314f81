"""Sizes of tiles, and how many heads run at once; the result depends on neither."""

import dataclasses
import math
from typing import NamedTuple

from attn.shapes import Shapes

POSITIVE = ("step", "reach", "abreast", "rows", "cols")  # sizes that cannot be 0


@dataclasses.dataclass(frozen=True)
class Tiling:
    """How the blockwise backend cuts one head.

    Attributes:
      strip: Queries of a strip that is code of its own; 0 for loops of tiles only.
      step: Keys in which a strip is planned; neighbouring ones are joined.
      reach: Keys up to which they are joined to one tile.
      abreast: How many tiles of strips are in flight; the next waits for one of them.
      area: The most pairs of query and key that strips may visit.
      strips: The most strips: each is code to compile.
      rows: Queries of a tile in a loop.
      cols: Keys of a tile in a loop.
    """

    strip: int = 256
    step: int = 128
    reach: int = 512
    abreast: int = 2
    area: int = 10 << 20
    strips: int = 16
    rows: int = 512
    cols: int = 512

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value, least = getattr(self, field.name), int(field.name in POSITIVE)
            if not isinstance(value, int) or value < least:
                raise ValueError(
                    f"Tiling: `{field.name}` must be a whole number of at least "
                    f"{least}, got {value!r}."
                )


class Steps(NamedTuple):
    """How many of each one step of a lifted call computes side by side."""

    group: int
    key_heads: int
    batch: int


# From races with a few neighbours on 2 CPU cores, float32, causal, width 64; no sweep.
# Strips of 128 at T <= 512 skip more of a causal triangle, longer ones above that pay
# less per product.
SHORT, SHORT_STRIP = 512, 128
WHOLE_STRIP = 256  # where there is no triangle to skip: 25% faster than 128 at T = 512
# Strips of 256 above: with AVX-512 as fast as 192 and 320, without it 10 to 20% faster.
# Tiles of two strips in flight, none wider than REACH, stay in the cache: at T = 1024
# 8% faster than whole strips, for three quarters of the memory. From LONG on they may
# be twice as wide, which is 5% faster at T = 2048 and less to compile. There two heads
# become one, but a lone head stays one: its memory should not grow faster than T.
REACH, LONG = 512, 2048
FEW_HEADS = 2  # of a step: at T <= 512 two tiles of each are 6 to 15% faster than one
# Pairs of query and key that the heads of one step may hold together: below it heads
# run in parallel, above it their tiles push each other out of the cache. Each head of
# a step is code of its own, so its number is bounded for the compiler's sake: 8 heads
# at T = 512 are 20% faster than 4, and 16 at T = 256 10 to 20% faster than 8, for
# twice the time to compile.
STEP_AREA = 1 << 21
MOST_HEADS = 16
PAIR_AREA = 1300 * 1300  # up to here two heads a step still gain 10% forward


def tiling(shapes: Shapes, platform: str, *, masked: bool = True) -> Tiling:
    """The sizes for each head of a call, whether or not a mask hides pairs."""
    if platform != "cpu":  # whole strips: no shorter reach was measured there
        return Tiling(rows=256, cols=512, reach=shapes.s)
    lone = shapes.batch * shapes.heads == 1
    reach = REACH if shapes.s < (2 * LONG if lone else LONG) else 2 * REACH
    if shapes.t > SHORT:
        return Tiling(reach=reach)
    is_whole = shapes.t > WHOLE_STRIP and not masked
    side = steps(shapes, platform)
    few = side is not None and math.prod(side) <= FEW_HEADS
    return Tiling(
        strip=WHOLE_STRIP if is_whole else SHORT_STRIP,
        reach=reach,
        abreast=2 if few else 1,
    )


def steps(shapes: Shapes, platform: str) -> Steps | None:
    """How many heads one step of a lifted call computes.

    Args:
      shapes: Of the whole call.
      platform: "cpu", "gpu" or "tpu".

    Returns:
      Divisors of the three sizes; None means all at once, by `vmap`.
    """
    if platform != "cpu" or shapes.sharded:  # one device could not take another's heads
        return None
    area = shapes.t * shapes.s
    left = min(MOST_HEADS, max(STEP_AREA // area, 2 * (area <= PAIR_AREA)))
    chosen = []
    for size in (shapes.heads // shapes.key_heads, shapes.key_heads, shapes.batch):
        chosen.append(_divisor(size, left))
        left = left // size if chosen[-1] == size else 1
    return Steps(*chosen)


def _divisor(size: int, most: int) -> int:
    """The largest divisor up to `most`, or a smaller one that 2 cores share evenly.

    Of 12 heads of 768 positions 3 a step take 14 ms forward, 2 or 4 take 10.
    """
    fit = [n for n in range(1, min(size, max(1, most)) + 1) if size % n == 0]
    even = max((n for n in fit if n % 2 == 0), default=1)
    return even if 2 * even > fit[-1] else fit[-1]
