"""A trained model on a grid of lengths and difficulties beyond its training."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from experiments import tasks
from experiments.config import Config
from experiments.config.grid import Axes, Cell, cells
from experiments.errors import UserError
from experiments.evaluate import Score, evaluate
from experiments.setup import Setup, assemble

Halted = Callable[[], bool]


@dataclass(frozen=True)
class Scored:
    """A cell with its score, or without one and the reason why."""

    cell: Cell
    score: Score | None


def evaluate_grid(
    setup: Setup,
    params: Any,
    axes: Axes,
    *,
    batches: int | None = None,
    halted: Halted = lambda: False,
) -> list[Scored] | None:
    """Scores a model at every cell of a grid.

    Args:
      setup: what it was trained with.
      params: of the model.
      axes: option to values; see `experiments.config.grid`.
      batches: how many a cell reads; None means as the config says.
      halted: asked between calls.

    Returns:
      The cells in order, or None when halted.

    Raises:
      UserError: a cell has another vocabulary than the model.
    """
    found = []
    for cell in cells(setup.config, axes):
        if cell.config is None:
            found.append(Scored(cell, None))
            continue
        score = _score(setup, params, cell.config, batches, halted)
        if score is None:
            return None
        found.append(Scored(cell, score))
    return found


def _score(
    setup: Setup, params: Any, config: Config, batches: int | None, halted: Halted
) -> Score | None:
    """The score at one difficulty; compiles for its shapes."""
    made = _at(setup, config)
    wanted = batches or setup.config.eval.batches or made.task.validation_steps
    return evaluate(
        made.eval_call,
        params,
        replace(made.inputs, seed=setup.inputs.seed),
        batches=min(wanted, made.task.validation_steps),
        most=made.most,
        halted=halted,
    )


_kept: dict[tuple[str, ...], Setup] = {}
MOST_KEPT = 32  # compiled difficulties; runs of one sweep share them


def _at(setup: Setup, config: Config) -> Setup:
    """What evaluates at one difficulty, compiled once for all runs that are alike."""
    # A model for longer texts is built anew, since its positions may be a table; for
    # shorter ones the trained one serves, whose learned table has places to spare.
    is_longer = config.data.length > setup.config.data.length
    built = config if is_longer else setup.config
    key = (setup.task.fingerprint, config.data.model_dump_json(), *_alike(built))
    if key not in _kept:
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        _kept[key] = assemble(built, _task(setup, config))
    return _kept[key]


def _alike(config: Config) -> tuple[str, ...]:
    """What an evaluation depends on; two runs may differ in all the rest."""
    sections = (config.model, config.precision, config.mesh, config.data)
    numbers = (config.train.steps_per_call, config.optim.accumulate)
    return (*(each.model_dump_json() for each in sections), *map(str, numbers))


def _task(setup: Setup, config: Config) -> Any:
    """The task at one difficulty.

    Raises:
      UserError: it has another vocabulary than the model.
    """
    saved = setup.task.vocabulary.to_json()
    task = tasks.build(config.data, vocabulary=saved)
    if task.vocabulary.to_json() != saved:
        raise UserError(
            f"grid: {json.dumps(config.data.options)} has another vocabulary than the"
            " model was trained with; leave the options that change it as they were."
        )
    return task


def row(found: Sequence[Scored]) -> dict[str, float]:
    """The scores under the names of the metrics file: `grid/length=32/accuracy`."""
    numbers: dict[str, float] = {}
    for cell, score in _with_scores(found):
        known = {"loss": score.loss, "accuracy": score.accuracy}
        if score.exact_match is not None:
            known["exact_match"] = score.exact_match
        numbers |= {f"grid/{cell.name}/{key}": x for key, x in known.items()}
    return numbers


def _with_scores(found: Sequence[Scored]) -> Iterator[tuple[Cell, Score]]:
    return ((each.cell, each.score) for each in found if each.score is not None)


def record(setup: Setup, step: int, axes: Axes, found: Sequence[Scored]) -> str:
    """The grid as JSON, for the file in the run directory.

    Returns:
      An object of `step`, `axes`, `trained` (the options that the model was trained
      with) and `cells`: each has `options`, `context` and the score under the names of
      the metrics file, or `left_out` with the reason.
    """
    options = setup.config.data.options | {"context": setup.config.data.length}
    trained = {axis: options[axis] for axis in axes}
    listed = [_cell(each) for each in found]
    whole = {"step": step, "axes": axes, "trained": trained, "cells": listed}
    return json.dumps(whole, indent=1) + "\n"


def _cell(each: Scored) -> dict[str, Any]:
    if each.score is None or each.cell.config is None:
        return {"options": each.cell.options, "left_out": each.cell.reason}
    place = {"options": each.cell.options, "context": each.cell.config.data.length}
    return place | each.score.row(None)


def file_name(axes: Axes) -> str:
    """`grid_length_pairs.json`: another grid does not replace this one."""
    return f"grid_{'_'.join(axes)}.json"
