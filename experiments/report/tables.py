"""Tables that a click or a key sorts."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from experiments.report.html import Html, join, tag

Key = float | str | None


class Column(NamedTuple):
    """A heading.

    Args:
      label: what stands there.
      is_number: aligned to the right.
      title: more about it, shown on hover.
    """

    label: str
    is_number: bool = False
    title: str | None = None


class Cell(NamedTuple):
    """A cell.

    Args:
      text: what stands there.
      key: what it is sorted by; None is the text.
      class_: of the cell.
    """

    text: Any
    key: Key = None
    class_: str | None = None


def table(
    caption: str, columns: Sequence[Column], rows: Iterable[Sequence[Cell]]
) -> Html:
    """A table in a box of its own that scrolls sideways on a narrow screen."""
    head = tag("tr", *(_heading(column) for column in columns))
    body = [_row(columns, row) for row in rows]
    made = tag(
        "table",
        tag("caption", caption),
        tag("thead", head),
        tag("tbody", *body),
        class_="sortable",
    )
    return tag(
        "div", made, class_="scroll", tabindex="0", role="region", aria_label=caption
    )


def variant_cell(label: str, colour: str) -> Cell:
    """The name of a variant beside its colour."""
    swatch = tag("span", class_=f"swatch {colour}", aria_hidden="true")
    return Cell(join(swatch, tag("bdi", label)), label, "name")


def number(text: str, value: float | None) -> Cell:
    """A number; one that is not there is sorted last."""
    known = value is not None and math.isfinite(value)
    return Cell(text, value if known else None)


def _heading(column: Column) -> Html:
    return tag(
        "th",
        tag("button", column.label, type="button", title=column.title),
        scope="col",
        aria_sort="none",
        class_="number" if column.is_number else None,
    )


def _row(columns: Sequence[Column], row: Sequence[Cell]) -> Html:
    cells = []
    for place, (column, cell) in enumerate(zip(columns, row, strict=True)):
        classes = [cell.class_, "number" if column.is_number else None]
        key = (
            cell.key
            if cell.key is not None
            else None
            if column.is_number
            else cell.text
        )
        cells.append(
            tag(
                "td" if place else "th",
                cell.text,
                scope=None if place else "row",
                class_=" ".join(filter(None, classes)) or None,
                data_key=key,
            )
        )
    return tag("tr", *cells)
