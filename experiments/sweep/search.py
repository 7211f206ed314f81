"""The points of a sweep: all at once, or in batches that learn from those before."""

import importlib
import logging
import math
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from experiments.config.drafts import Draft, seeds, words
from experiments.config.many import Many, Point
from experiments.config.sweeps import Range, Sweep
from experiments.errors import UserError
from experiments.goals import goal_of
from experiments.records import RunRecord, read_run
from experiments.run import directory

BATCH = 4  # proposals at a time; fixed, so that they do not depend on the machine


def batches(many: Many, root: Path, *, dry_run: bool = False) -> Iterator[list[Point]]:
    """The points of a sweep in the order in which they can be known.

    Args:
      many: a file with a sweep or a study.
      root: the folder of all runs, where results are read.
      dry_run: yields only what is known before anything has run.
    """
    plan = many.plan
    if not isinstance(plan, Sweep) or plan.mode == "grid":
        yield many.points
    elif plan.mode == "random":
        yield random_points(many, plan)
    else:
        yield from proposed(many, plan, root)


def random_points(many: Many, plan: Sweep) -> list[Point]:
    """`trials` draws, the same for the same `draw`."""
    source = random.Random(plan.draw)
    chosen = [
        {key: draw(values, source) for key, values in plan.axes.items()}
        for _ in range(plan.trials or 1)
    ]
    return many.make(draft for values in chosen for draft in _drafts(plan, values))


def draw(values: Any, source: random.Random) -> Any:
    """One value of a list or a range."""
    if not isinstance(values, Range):
        return source.choice(values)
    if values.scale == "log":
        found = math.exp(source.uniform(math.log(values.low), math.log(values.high)))
    else:
        found = source.uniform(values.low, values.high)
    return _rounded(values, found)


def _rounded(values: Range, found: float) -> float | int:
    if values.whole:
        return round(found)
    # Four digits are as good as sixteen, and can be read in a table.
    return float(f"{min(max(found, values.low), values.high):.4g}")


def _drafts(plan: Sweep, values: Mapping[str, Any]) -> Iterator[Draft]:
    """A point with each of the seeds."""
    changes = {key: (value, ("sweep", "axes", key)) for key, value in values.items()}
    for seeded in seeds("sweep", plan.seeds, 0):
        free = tuple((k, v) for k, v in values.items() if k != "seed")
        yield Draft({**changes, **seeded}, words(changes), tuned=free)


def proposed(many: Many, plan: Sweep, root: Path) -> Iterator[list[Point]]:
    """Batches of proposals by optuna's sampler, told what the ones before reached.

    Its memory is the runs on disk: started again, it proposes the same points, finds
    them done, and goes on.
    """
    optuna = _optuna()
    direction = {"min": "minimize", "max": "maximize"}[goal_of(plan.metric, plan.goal)]
    sampler = optuna.samplers.TPESampler(seed=plan.draw)
    study = optuna.create_study(direction=direction, sampler=sampler)
    trials, axes = plan.trials or 1, plan.axes
    for first in range(0, trials, BATCH):
        asked = [study.ask() for _ in range(min(BATCH, trials - first))]
        made = [
            many.make(_drafts(plan, {k: suggest(t, k, v) for k, v in axes.items()}))
            for t in asked
        ]
        yield [point for points in made for point in points]
        for trial, points in zip(asked, made, strict=True):
            found = reached(points, plan.metric, root)
            failed = optuna.trial.TrialState.FAIL
            if found is None:
                study.tell(trial, state=failed)
            else:
                study.tell(trial, found)


def suggest(trial: Any, key: str, values: Any) -> Any:
    """What a trial proposes for an axis."""
    if not isinstance(values, Range):
        names = [repr(each) for each in values]  # optuna's choices are plain values
        return values[names.index(trial.suggest_categorical(key, names))]
    log = values.scale == "log"
    if values.whole:
        return trial.suggest_int(key, int(values.low), int(values.high), log=log)
    found = trial.suggest_float(key, values.low, values.high, log=log)
    return _rounded(values, found)


def reached(points: list[Point], metric: str, root: Path) -> float | None:
    """The mean over the seeds; None if a run is not done or lacks the metric."""
    found = [read_run(directory(point.config, root)) for point in points]
    values = [
        each.last(metric)
        for each in found
        if isinstance(each, RunRecord) and each.status == "done"
    ]
    good = [value for value in values if value is not None and math.isfinite(value)]
    return sum(good) / len(good) if len(good) == len(points) else None


def _optuna() -> Any:
    """The library, silent.

    Raises:
      UserError: it is not installed.
    """
    try:
        optuna = importlib.import_module("optuna")
    except ImportError:
        raise UserError(
            "sweep.mode: optuna is not installed; install the extra `search`,"
            " or use mode: random."
        ) from None
    optuna.logging.set_verbosity(logging.WARNING)
    return optuna
