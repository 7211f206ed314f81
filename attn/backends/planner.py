"""Sizes of tiles, and how many heads run at once; the result depends on neither."""

import dataclasses

from attn.shapes import Shapes


@dataclasses.dataclass(frozen=True)
class Tiling:
    """How the blockwise backend cuts one head.

    Attributes:
      strip: Queries of a strip that is code of its own; 0 for loops of tiles only.
      step: Keys in which a strip is planned; neighbouring ones are joined.
      area: The most pairs of query and key that strips may hold at once.
      rows: Queries of a tile in a loop.
      cols: Keys of a tile in a loop.
    """

    strip: int = 256
    step: int = 128
    area: int = 5 << 19
    rows: int = 512
    cols: int = 512

    def __post_init__(self):
        for name in ("step", "rows", "cols"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"Tiling: `{name}` must be a whole number of at least 1, got "
                    f"{value!r}."
                )


# Chosen on 2 busy CPU cores, float32, width 64, where differences below 15% were noise:
# strips of 128 at T <= 512 skip more of a causal triangle, above that 256 pay less
# per product.
SHORT, SHORT_STRIP = 512, 128
# Pairs of query and key that the heads of one step may hold together: below it heads
# run in parallel, above it their tiles push each other out of the cache. Each head of
# a step is code of its own, so its number is bounded for the compiler's sake.
STEP_AREA = 1 << 21
MOST_HEADS = 4


def tiling(shapes: Shapes, platform: str) -> Tiling:
    """The sizes for one head of these shapes."""
    if platform != "cpu":
        return Tiling(rows=256, cols=512)
    return Tiling(strip=SHORT_STRIP if shapes.t <= SHORT else 256)


def heads_at_once(shapes: Shapes, platform: str) -> int:
    """How many key heads one step of a lifted call computes.

    Args:
      shapes: Of the whole call.
      platform: "cpu", "gpu" or "tpu".

    Returns:
      A number that divides key heads times batch; all of them means by `vmap`.
    """
    total = shapes.batch * shapes.key_heads
    if platform != "cpu":
        return total
    group = shapes.heads // shapes.key_heads
    most = max(1, STEP_AREA // max(1, group * shapes.t * shapes.s))
    sizes = range(1, min(most, MOST_HEADS, max(1, total - 1)) + 1)
    return max(n for n in sizes if _divides(n, shapes.batch, shapes.key_heads))


def _divides(n: int, batch: int, key_heads: int) -> bool:
    """Whether n key heads are whole batch elements or a part of one."""
    if n <= key_heads:
        return key_heads % n == 0
    return n % key_heads == 0 and batch % (n // key_heads) == 0
