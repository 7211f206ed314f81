"""A curve drawn with braille dots: eight to a character, on any terminal."""

import numpy as np
from numpy.typing import ArrayLike

ACROSS, UP = 2, 4  # dots of one character
BLANK = 0x2800
# The bit of each dot, by row and column; Unicode numbers the lowest row last.
BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
LABEL = 9  # characters of the axis on the left


def draw(steps: ArrayLike, values: ArrayLike, *, width: int, height: int) -> list[str]:
    """Draws values over steps.

    Args:
      steps, values: [n] each; what is not finite is left out.
      width, height: in characters, labels and the line of steps included.

    Returns:
      `height` lines, or none if there is nothing to draw.
    """
    xs, ys = np.asarray(steps, float), np.asarray(values, float)
    known = np.isfinite(xs) & np.isfinite(ys)
    xs, ys = xs[known], ys[known]
    inner, rows = width - LABEL - 1, height - 1
    if not xs.size or inner < 4 or rows < 2:
        return []
    low, high = float(ys.min()), float(ys.max())
    across = _place(xs, ACROSS * inner)
    up = UP * rows - 1 - _place(ys, UP * rows)
    cells = _dots(across, up, inner, rows)
    lines = ["".join(map(chr, row)) for row in (BLANK + cells).tolist()]
    labels = [_label(high), *[""] * (rows - 2), _label(low)]
    drawn = [
        f"{name:>{LABEL}} {line}" for name, line in zip(labels, lines, strict=True)
    ]
    ends = f"{xs[0]:,.0f}", f"{xs[-1]:,.0f}"
    return [*drawn, f"{'':>{LABEL}} {ends[0]}{ends[1]:>{inner - len(ends[0])}}"]


def _place(values: np.ndarray, count: int) -> np.ndarray:
    """Which of so many dots stands for each value."""
    low, high = values.min(), values.max()
    share = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return np.rint(share * (count - 1)).astype(int)


def _dots(across: np.ndarray, up: np.ndarray, inner: int, rows: int) -> np.ndarray:
    """The bits of every character [rows, inner], dots joined to a line."""
    cells = np.zeros((rows, inner), int)
    ends = zip(across[:-1], up[:-1], across[1:], up[1:], strict=True)
    for x0, y0, x1, y1 in [*ends, (across[-1], up[-1], across[-1], up[-1])]:
        count = max(abs(x1 - x0), abs(y1 - y0), 1)
        for x, y in zip(
            np.rint(np.linspace(x0, x1, count + 1)).astype(int),
            np.rint(np.linspace(y0, y1, count + 1)).astype(int),
            strict=True,
        ):
            cells[y // UP, x // ACROSS] |= BITS[y % UP][x % ACROSS]
    return cells


def _label(value: float) -> str:
    return f"{value:.4g}"
