"""One line about a run: what `attn runs ls` prints and `load_runs` returns."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from experiments import run as runs
from experiments.progress import duration
from experiments.records import KILLED, Damaged, RunRecord

LOSS = "val/loss"
DAMAGED = "damaged"
STATUSES = (*runs.STATUSES, KILLED, DAMAGED)
CHANGING = ("manifest.json", "metrics.jsonl", "perf.jsonl", "result.json")
COLUMNS = (  # in the order of the table
    "run",
    "status",
    "task",
    "step",
    "steps",
    "loss",
    "accuracy",
    "seconds",
    "age",
    "seed",
    "tags",
)


def summary(run: RunRecord | Damaged) -> dict[str, Any]:
    """The columns of a run; a damaged one has only a few.

    Returns:
      A flat record; `seconds` is time worked, `age` seconds since its last change.
    """
    if isinstance(run, Damaged):
        known = {"run": run.name, "status": DAMAGED, "reason": run.reason}
        return dict.fromkeys(COLUMNS) | known | {"age": age(run.path)}
    return {
        "run": run.name,
        "status": run.status,
        "task": run.config.data.kind,
        "step": run.step,
        "steps": run.derived.steps,
        "loss": run.last(LOSS) if LOSS in run.metrics else run.last("train/loss"),
        "accuracy": run.last("val/accuracy"),
        "seconds": round(run.seconds, 1),
        "age": age(run.path),
        "seed": run.config.seed,
        "tags": list(run.tags),
    }


def age(path: Path) -> float | None:
    """Seconds since a file of the run changed; None if it has none."""
    files = [path / name for name in CHANGING]
    times = [each.stat().st_mtime for each in files if each.is_file()]
    return round(max(0.0, time.time() - max(times)), 1) if times else None


def order(rows: Iterable[dict[str, Any]], column: str) -> list[dict[str, Any]]:
    """Rows by a column, smallest first; what has no value comes last."""
    rows = list(rows)
    known = [row for row in rows if row[column] is not None]
    return [
        *sorted(known, key=lambda row: row[column]),
        *(row for row in rows if row[column] is None),
    ]


def words(row: dict[str, Any]) -> dict[str, str]:
    """The columns as a table shows them."""
    kinds: dict[str, Callable[[Any], str]] = {
        "loss": "{:.4f}".format,
        "accuracy": "{:.1%}".format,
        "seconds": duration,
        "age": duration,
        "step": "{:,}".format,
        "steps": "{:,}".format,
        "tags": " ".join,
    }
    return {
        name: "-" if row[name] is None else kinds.get(name, str)(row[name])
        for name in COLUMNS
    }
