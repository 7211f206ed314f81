"""Parts of the validation data, and grids of difficulties, as heat tables."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from experiments.goals import is_share
from experiments.records import RunRecord
from experiments.report.estimates import Estimate, estimate
from experiments.report.html import Html, join, tag
from experiments.report.metrics import ABSENT, figure, name_of
from experiments.report.tables import Cell, Column, table, variant_cell
from experiments.report.view import View
from experiments.variants import Variant

HEATS = 10  # classes of shade in the style sheet
GRID, PART = "grid/", "val/"
MOST = 64  # columns of one table


def section(view: View) -> Html | None:
    """Tables by task: slices, then grids; None if there are neither."""
    parts = [
        made
        for task in view.tasks
        for kind, title in ((PART, "Slices of the validation data"), (GRID, "Grid"))
        if (made := _part(view, task, kind, title)) is not None
    ]
    return join(*parts) if parts else None


def grid_values(run: RunRecord) -> dict[str, float]:
    """`length=32,pairs=8/accuracy` of every cell scored, while training or after."""
    found = {
        name.removeprefix(GRID): value
        for name in run.metrics
        if name.startswith(GRID) and (value := run.last(name)) is not None
    }
    for path in sorted(run.path.glob("grid_*.json")):
        found |= dict(_file_values(path.read_text(encoding="utf-8", errors="replace")))
    return found


def slice_values(run: RunRecord) -> dict[str, float]:
    """`gap_1-8/accuracy` of every slice."""
    return {
        name.removeprefix(PART): value
        for name in run.metrics
        if name.startswith(PART)
        and name.count("/") == 2
        and (value := run.last(name)) is not None
    }


def measured(
    variants: Iterable[Variant], kind: str
) -> dict[Variant, dict[str, Estimate]]:
    """Every slice or cell of every variant, over its seeds that are done."""
    read = grid_values if kind == GRID else slice_values
    found = {}
    for variant in variants:
        each = [read(run) for run in variant.done]
        names = dict.fromkeys(name for values in each for name in values)
        found[variant] = {
            name: estimate([values[name] for values in each if name in values])
            for name in names
        }
    return found


def judged_by(names: Iterable[str]) -> str:
    """Which metric of slices to show: the one that is a share, else the loss."""
    known = {name.rpartition("/")[2] for name in names}
    wanted = ("exact_match", "accuracy", "loss")
    return next((each for each in wanted if each in known), "")


def _part(view: View, task: str, kind: str, title: str) -> Html | None:
    found = measured(view.of_task(task), kind)
    names = dict.fromkeys(name for values in found.values() for name in values)
    metric = judged_by(names)
    cells = [n.rpartition("/")[0] for n in names if n.rpartition("/")[2] == metric]
    cells.sort(key=_natural)  # files have them by letter: 17-32 before 9-16
    if not metric or not cells:
        return None
    suffix = f" · {task}" if len(view.tasks) > 1 else ""
    caption = f"{title}: {name_of(metric)}{suffix}"
    if all(cell.count(",") == 1 for cell in cells):
        return tag(
            "div", *_squares(view, found, cells, metric, caption), class_="grids"
        )
    return _rows(view, found, cells[:MOST], metric, caption)


def _natural(name: str) -> list[tuple[int, str]]:
    """Orders the numbers in a name by size."""
    parts = re.findall(r"\d+|\D+", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _rows(
    view: View, found: dict, cells: Sequence[str], metric: str, caption: str
) -> Html:
    """One row a variant, one column a cell."""
    spread = _range(found, cells, metric)
    rows = [
        [
            variant_cell(variant.label, view.colour(variant)),
            *(_heat(values.get(f"{cell}/{metric}"), metric, spread) for cell in cells),
        ]
        for variant, values in found.items()
    ]
    columns = [Column("variant"), *(Column(cell, True) for cell in cells)]
    return table(caption, columns, rows)


def _squares(
    view: View, found: dict, cells: Sequence[str], metric: str, caption: str
) -> list[Html]:
    """For each variant a table of two axes."""
    pairs = [cell.split(",") for cell in cells]
    downs = list(dict.fromkeys(down for down, _ in pairs))
    acrosses = list(dict.fromkeys(across for _, across in pairs))
    spread = _range(found, cells, metric)
    columns = [Column(""), *(Column(each, True) for each in acrosses)]
    made = []
    for variant, values in found.items():
        rows = [
            [
                Cell(down),
                *(
                    _heat(values.get(f"{down},{across}/{metric}"), metric, spread)
                    for across in acrosses
                ),
            ]
            for down in downs
        ]
        made.append(table(f"{caption} · {variant.label}", columns, rows))
    return made


def _range(found: dict, cells: Sequence[str], metric: str) -> tuple[float, float]:
    """What is palest and what is darkest; a share has its own ends."""
    if is_share(metric):
        return 0.0, 1.0
    means = [
        values[name].mean
        for values in found.values()
        for name in (f"{cell}/{metric}" for cell in cells)
        if name in values and values[name].mean == values[name].mean
    ]
    return (min(means), max(means)) if means else (0.0, 1.0)


def _heat(found: Estimate | None, metric: str, spread: tuple[float, float]) -> Cell:
    if found is None or found.mean != found.mean:
        return Cell(ABSENT)
    low, high = spread
    share = (found.mean - low) / (high - low) if high > low else 1.0
    level = min(HEATS - 1, max(0, int(share * HEATS)))
    text = figure(metric, found.mean)
    if found.low is not None and found.high is not None:
        half = (found.high - found.low) / 2
        said = f"{100 * half:.1f}" if is_share(metric) else f"{half:.2g}"
        text = join(text, tag("small", f" ±{said}"))
    return Cell(text, found.mean, f"heat h{level}")


def _file_values(text: str) -> list[tuple[str, float]]:
    """The cells of a grid file; one that cannot be read has none."""
    try:
        cells = json.loads(text)["cells"]
        return [pair for cell in cells for pair in _cell_values(cell)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []


def _cell_values(cell: dict[str, Any]) -> list[tuple[str, float]]:
    name = ",".join(f"{key}={value}" for key, value in cell["options"].items())
    return [
        (f"{name}/{key.removeprefix(PART)}", float(value))
        for key, value in cell.items()
        if key.startswith(PART) and key.count("/") == 1 and type(value) in (int, float)
    ]
