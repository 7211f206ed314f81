"""A grid of difficulties to evaluate on, `eval.grid`: what it asks for, and if it can.

    eval: {grid: {length: [16, 32, 64], pairs: [4, 8]}}

An axis is an option of the task or, for a task whose context is chosen, `context`.
"""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from experiments import tasks
from experiments.config.complete import with_options
from experiments.config.errors import ConfigError, nearest, show
from experiments.config.paths import words_of, wrong_value
from experiments.config.schema import Config, Data

MOST = 100  # cells; each is compiled for itself, which takes seconds

Axes = Mapping[str, list[Any]]


@dataclass(frozen=True)
class Cell:
    """One point of a grid.

    Args:
      options: axis to value.
      config: the experiment at that difficulty, or None where there is no such thing.
      reason: why there is none.
    """

    options: dict[str, Any]
    config: Config | None
    reason: str = ""

    @property
    def name(self) -> str:
        """`length=32,pairs=8`, as metrics and files name it."""
        return ",".join(f"{key}={value}" for key, value in self.options.items())


def cells(config: Config, axes: Axes) -> list[Cell]:
    """Every combination of the values of the axes, the last axis fastest.

    Args:
      config: as loaded; the options that are no axis stay as they are.
      axes: without faults.
    """
    names, values = list(axes), itertools.product(*axes.values())
    return [_cell(config, dict(zip(names, each, strict=True))) for each in values]


def _cell(config: Config, options: dict[str, Any]) -> Cell:
    try:
        return Cell(options, with_options(config, options))
    except ConfigError as error:
        return Cell(options, None, error.faults[0].message.rstrip("."))


def faults(config: Config, axes: Axes) -> Iterator[tuple[str, str]]:
    """(axis, message) for all that is wrong with a grid."""
    if not axes:
        return
    wrong = [(axis, _axis(config, axis, axes[axis])) for axis in axes]
    found = [(axis, message) for axis, message in wrong if message]
    count = math.prod(len(each) for each in axes.values() if isinstance(each, list))
    if not found and count > MOST:
        found = [(next(iter(axes)), f"makes {count:,} cells; expected at most {MOST}.")]
    yield from found or _together(config, axes)


def _axis(config: Config, axis: str, values: Any) -> str:
    """What is wrong with one axis, or nothing."""
    task, kind = tasks.declared(config.data.kind), config.data.kind
    known = {**task.knobs.model_fields}
    if task.context is not None:
        known["context"] = Data.model_fields["context"]
    if axis not in known:
        close = nearest(axis, known)
        hint = f"Did you mean `{close}`?" if close else f"Known: {', '.join(known)}."
        return f"task {kind} has no such option. {hint}"
    if not isinstance(values, list) or not values:
        return f"expected a list of values, such as [16, 32], got {show(values)}."
    return next(filter(None, (_value(config, axis, each) for each in values)), "")


def _value(config: Config, axis: str, value: Any) -> str:
    """What is wrong with one value, or nothing."""
    task = tasks.declared(config.data.kind)
    if axis == "context" and axis not in task.knobs.model_fields:
        kind, given, field = Data, {axis: value}, Data.model_fields[axis]
    else:
        given = {**config.data.options, axis: value}
        kind, field = task.knobs, task.knobs.model_fields[axis]
    try:
        kind.model_validate(given)
    except ValidationError:
        return wrong_value(("eval", "grid", axis), value, "", words_of(field))
    return ""


def _together(config: Config, axes: Axes) -> Iterator[tuple[str, str]]:
    """Cells that this model cannot read, or a grid without any cell."""
    first, found = next(iter(axes)), cells(config, axes)
    made = [cell for cell in found if cell.config]
    if not made:
        yield first, f"no cell is possible: {found[0].name}: {found[0].reason}."
    longest = max(made, key=lambda cell: cell.config.data.length, default=None)
    has_table = config.model.position.strip().startswith("learned")
    if longest and has_table and longest.config.data.length > config.data.length:
        yield (
            first,
            f"learned positions end at {config.data.length} tokens, but"
            f" {longest.name} has {longest.config.data.length}; train on the longest"
            " length, or use rotary, sinusoidal or no positions.",
        )
