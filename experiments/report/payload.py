"""What the page's script draws from: curves, estimates, costs."""

import math
from typing import Any

import numpy as np

from experiments.goals import is_share
from experiments.records import RunRecord
from experiments.report import attention
from experiments.report.costs import cost_of, known, step_ms
from experiments.report.estimates import MOST_SEEDS, Estimate, quantile
from experiments.report.metrics import name_of, unit_of
from experiments.report.series import curves
from experiments.report.slices import GRID, judged_by, measured
from experiments.report.view import View, measure


def payload(view: View) -> dict[str, Any]:
    """Everything the script needs, as JSON."""
    runs = view.runs
    return {
        "tasks": [_task(view, task) for task in view.tasks],
        "variants": _variants(view),
        "runs": [_run(run) for run in runs],
        "curves": curves(runs),
        "costs": [
            {"label": cost.label, "values": [cost_of(v, cost) for v in view.variants]}
            for cost in known(view.variants)
        ],
        "quantiles": [None, None, *(quantile(n) for n in range(2, MOST_SEEDS + 1))],
        "lines": payload_lines(view),
        "maps": attention.payload(view),
    }


def payload_lines(view: View) -> list[dict[str, Any]]:
    """The charts over grids of one axis."""
    return [each for task in view.tasks for each in _lines(view, task)]


def _task(view: View, task: str) -> dict[str, Any]:
    aim = view.aim(task)
    metric = aim.metric
    return {
        "label": task,
        "metric": metric,
        "most": aim.goal == "max",
        "name": name_of(metric),
        "unit": unit_of(metric),
        "share": is_share(metric),
    }


def _variants(view: View) -> list[dict[str, Any]]:
    found, start = [], 0
    for variant in view.variants:
        stop = start + len(variant.runs)
        found.append(
            {
                "label": variant.label,
                "task": view.tasks.index(variant.task),
                "key": view.labels.index(variant.label),
                "colour": view.colour(variant),
                "runs": list(range(start, stop)),
                **_estimate(measure(variant, view.metric(variant.task))),
            }
        )
        start = stop
    return found


def _run(run: RunRecord) -> dict[str, Any]:
    pace = step_ms(run)
    return {
        "name": run.name,
        "seed": run.config.seed,
        "tokens": run.derived.tokens_per_step,
        "seconds": None if pace is None else pace / 1e3,
    }


def _lines(view: View, task: str) -> list[dict[str, Any]]:
    """A chart over each grid that has one axis of numbers."""
    found = measured(view.of_task(task), GRID)
    names = dict.fromkeys(name for values in found.values() for name in values)
    metric = judged_by(names)
    cells = [n.rpartition("/")[0] for n in names if n.rpartition("/")[2] == metric]
    axes: dict[str, dict[float, str]] = {}
    for cell in cells:
        axis, equals, text = cell.partition("=")
        if equals and (place := _number(text)) is not None:
            axes.setdefault(axis, {})[place] = cell
    return [
        {
            "task": view.tasks.index(task),
            "axis": axis,
            "name": name_of(metric),
            "share": is_share(metric),
            "unit": unit_of(metric),
            "x": sorted(places),
            "rows": [
                {
                    "variant": view.variants.index(variant),
                    "points": [
                        _estimate(values[name]) if name in values else None
                        for name in (f"{places[x]}/{metric}" for x in sorted(places))
                    ],
                }
                for variant, values in found.items()
            ],
        }
        for axis, places in axes.items()
        if len(places) > 1
    ]


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _estimate(found: Estimate) -> dict[str, Any]:
    return {
        "mean": _json(found.mean),
        "low": _json(found.low),
        "high": _json(found.high),
        "values": [_json(value) for value in found.values],
    }


def _json(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
