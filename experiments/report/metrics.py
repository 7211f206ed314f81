"""What metrics are called, which way is better, how their numbers are written."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.goals import best_first, is_share
from experiments.records import RunRecord

NAMES = {
    "train/loss": "training loss",
    "val/loss": "validation loss",
    "val/accuracy": "validation accuracy",
    "val/exact_match": "exact match",
    "val/perplexity": "validation perplexity",
    "val/bpb": "bits per byte",
    "optim/lr": "learning rate",
    "optim/grad_norm": "gradient norm",
}
UNITS = {"loss": "nats per token", "bpb": "bits"}
MOST = {"min": "lowest", "max": "highest"}
ABSENT = "\N{EN DASH}"  # stands where there is no number
COUNTS = ("tokens", "val/tokens")  # of no interest over time


@dataclass(frozen=True)
class Aim:
    """What runs are judged by.

    Args:
      metric: its name.
      goal: min or max, whichever is better.
    """

    metric: str
    goal: str

    @property
    def most(self) -> str:
        """The best value in words, lowest or highest."""
        return MOST[self.goal]

    def behind(self, value: float, best: float) -> float:
        """How much worse a value is than the best one; not finite if one is not."""
        return best_first(value, self.goal) - best_first(best, self.goal)


def name_of(metric: str) -> str:
    """A metric in words; a slice keeps its own."""
    if metric in NAMES:
        return NAMES[metric]
    *head, last = metric.split("/")
    inner = "/".join(head).removeprefix("val/")
    return f"{last.replace('_', ' ')} · {inner}" if inner else last


def unit_of(metric: str) -> str:
    """The unit, empty for a pure number."""
    return UNITS.get(metric.rpartition("/")[2], "")


def primary(records: Sequence[RunRecord]) -> str:
    """The metric to judge runs of a task by.

    Whole answers, if the task is judged so; else tokens, if answers are right or wrong;
    the loss for text.
    """
    known = [set(run.metrics) for run in records]
    kinds = {run.config.data.kind for run in records}
    for metric in ("val/exact_match", "val/accuracy"):
        if "text" not in kinds and any(metric in names for names in known):
            return metric
    return "val/loss"


def figure(metric: str, value: float | None) -> str:
    """A value as a reader wants it: 99.4%, 1.2514, 853k."""
    if value is None or not math.isfinite(value):
        return ABSENT
    if is_share(metric):
        return f"{100 * value:.1f}%"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e3 else short(value)


def short(value: float | None) -> str:
    """Three digits and a prefix: 853k, 1.84M, 2.1e-05."""
    if value is None or not math.isfinite(value):
        return ABSENT
    for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= 0.9995 * size:
            return f"{value / size:.3g}{prefix}"
    return f"{value:.3g}"
