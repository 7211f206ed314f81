"""`attn eval --grid`: a trained model at lengths and difficulties beyond training."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from experiments.config.source import plain_scalar
from experiments.errors import UserError


def parse(texts: Iterable[str]) -> dict[str, list[Any]]:
    """Axes from `length=16,32` texts.

    Raises:
      UserError: one is not of that form, or says an axis again.
    """
    axes: dict[str, list[Any]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        listed = [each.strip() for each in values.split(",")]
        if not equals or not name or not all(listed):
            raise UserError(
                f"--grid: expected option=value,value such as length=16,32, got"
                f" {ascii(text)[1:-1][:60]!r}."
            )
        if name in axes:
            raise UserError(f"--grid: {name} is given twice; put its values together.")
        axes[name] = [_value(each) for each in listed]
    return axes


def _value(text: str) -> Any:
    try:
        return plain_scalar(text)
    except ValueError as error:
        raise UserError(f"--grid: {error}") from None


def evaluate_on(
    path: Path, texts: list[str], checkpoint: str, batches: int | None
) -> dict[str, Any]:
    """Scores a run on a grid, and keeps the result in the run directory.

    Returns:
      What the file holds; see `experiments.grid.record`.

    Raises:
      UserError: there is no such axis, or the model cannot read a cell.
    """
    from experiments.config.grid import faults  # late, for start-up time
    from experiments.run import Run

    axes = parse(texts)
    for axis, message in faults(Run.open(path).config, axes):
        raise UserError(f"--grid {axis}: {message}")
    from experiments import grid, storage  # late: it imports JAX
    from experiments.look import load_trained

    trained = load_trained(path, checkpoint)
    found = grid.evaluate_grid(trained.setup, trained.params, axes, batches=batches)
    assert found is not None  # nothing halts it
    text = grid.record(trained.setup, trained.step, axes, found)
    storage.write_atomic(path / grid.file_name(axes), text)
    return json.loads(text)


def table(record: dict[str, Any]) -> str:
    """Accuracy by cell, the last axis from left to right; `*` marks the training."""
    axes = record["axes"]
    *above, last = axes
    judged = "val/exact_match"
    whole = any(judged in cell for cell in record["cells"])
    columns = [_heading(record, last, value) for value in axes[last]]
    lines = [[*above, *columns]]
    for start in range(0, len(record["cells"]), len(columns)):
        cells = record["cells"][start : start + len(columns)]
        first = [_heading(record, axis, cells[0]["options"][axis]) for axis in above]
        lines.append([*first, *(_shown(each, judged, whole) for each in cells)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = ("  ".join(map(str.rjust, line, widths)).rstrip() for line in lines)
    title = "whole answers right" if whole else "accuracy"
    head = f"{title} by {' and '.join(axes)} (*: as trained), step {record['step']:,}"
    return "\n".join([head, *rows, *_reasons(record)])


def _heading(record: dict[str, Any], axis: str, value: Any) -> str:
    mark = "*" if record["trained"][axis] == value else ""
    return f"{axis}={value}{mark}"


def _shown(cell: dict[str, Any], judged: str, whole: bool) -> str:
    if "left_out" in cell:
        return "-"
    return f"{cell[judged if whole else 'val/accuracy']:.1%}"


def _reasons(record: dict[str, Any]) -> list[str]:
    """Why some cells are empty, each reason once."""
    reasons = [cell["left_out"] for cell in record["cells"] if "left_out" in cell]
    return [f"- {reason}" for reason in dict.fromkeys(reasons)]
