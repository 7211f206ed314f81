"""All heads of an inspection as one picture: SVG, or PNG drawn from it."""

import base64
import html
import io
from pathlib import Path

import numpy as np
import vl_convert
from PIL import Image

from experiments.errors import UserError
from experiments.inspect.view import Head, Inspection
from experiments.progress import printable

FORMATS = (".png", ".svg")
# From nothing to the largest weight; the page has the same ramp.
RAMP = np.array(
    [[255, 255, 255], [211, 229, 245], [106, 170, 222], [31, 111, 178], [10, 44, 79]]
)
TILE, GAP, MARGIN, TOP = 128, 14, 24, 74  # pixels
LABEL = 34  # below a tile
FONT = 'font-family="DejaVu Sans, Helvetica, Arial, sans-serif"'


def write_picture(inspection: Inspection, path: Path) -> None:
    """Writes the picture; the ending says whether as PNG or SVG.

    Raises:
      UserError: another ending.
    """
    if path.suffix not in FORMATS:
        raise UserError(
            f"{path}: a picture ends in {' or '.join(FORMATS)}, got {path.suffix!r}."
        )
    drawn = picture(inspection)
    if path.suffix == ".svg":
        path.write_text(drawn, encoding="utf-8")
    else:
        path.write_bytes(vl_convert.svg_to_png(drawn, scale=2))


def picture(inspection: Inspection) -> str:
    """The SVG: a row a layer, a tile a head."""
    columns = max(len(layer.weights) for layer in inspection.layers)
    width = max(2 * MARGIN + columns * (TILE + GAP) - GAP, 420)
    height = TOP + len(inspection.layers) * (TILE + LABEL + GAP) + 6
    tiles = [
        tile(head, MARGIN + number * (TILE + GAP), TOP + row * (TILE + LABEL + GAP))
        for row, layer in enumerate(inspection.layers)
        for number, head in enumerate(layer.heads)
    ]
    about = f"step {inspection.step:,}, {inspection.about}; {inspection.spec}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
            f'height="{height}" viewBox="0 0 {width} {height}">',
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            text(MARGIN, 34, inspection.run, 17, "#1c1d20", weight="bold"),
            text(MARGIN, 56, about, 12, "#62656d"),
            *tiles,
            "</svg>\n",
        ]
    )


def tile(head: Head, x: int, y: int) -> str:
    """One head at a place: its map, its name, what it is called."""
    image = base64.b64encode(png(head.weights)).decode()
    return "\n".join(
        [
            f'<image x="{x}" y="{y}" width="{TILE}" height="{TILE}" '
            'preserveAspectRatio="none" '
            f'image-rendering="optimizeSpeed" href="data:image/png;base64,{image}"/>',
            f'<rect x="{x - 0.5}" y="{y - 0.5}" width="{TILE + 1}" '
            f'height="{TILE + 1}" fill="none" stroke="#e3e2dc"/>',
            text(x, y + TILE + 15, head.name, 12, "#1c1d20"),
            text(x, y + TILE + 29, head.title, 10, "#17876d"),
        ]
    )


def text(x: int, y: int, said: str, size: int, fill: str, weight: str = "") -> str:
    """A line of text, escaped."""
    bold = f' font-weight="{weight}"' if weight else ""
    plain = html.escape(printable(said))
    return f'<text x="{x}" y="{y}" {FONT} font-size="{size}" fill="{fill}"{bold}>{plain}</text>'  # noqa: E501


def png(weights: np.ndarray) -> bytes:
    """A map [T, S] as a small PNG, each weight at least a pixel.

    The colour goes by the square root, so that small weights are seen.
    """
    share = np.sqrt(np.clip(weights, 0, None) / max(1.0, float(weights.max(initial=0))))
    places = np.linspace(0, 1, len(RAMP))
    levels = [np.interp(share, places, RAMP[:, channel]) for channel in range(3)]
    pixels = np.stack(levels, axis=-1).round().astype(np.uint8)
    # Enlarged by whole pixels: a renderer would smooth, and cells would run together.
    pixels = pixels.repeat(scale(weights.shape[0]), 0).repeat(
        scale(weights.shape[1]), 1
    )
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return file.getvalue()


def scale(length: int) -> int:
    """Pixels of a cell, so that a tile has at least twice its size in pixels."""
    return max(1, -(-2 * TILE // length))
