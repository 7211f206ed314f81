"""What a comparison says; plain values that JSON can hold."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from experiments.compare.statistics import Estimate, Paired
from experiments.goals import goal_of


@dataclass(frozen=True)
class Result:
    """One variant on one task by one metric.

    Args:
      task, variant, metric: which.
      estimate: mean over seeds, with its interval.
      seeds: value by seed.
      test: against the reference variant; None for itself, or if no seed is shared.
      p_adjusted: the test's p among all tests of this task and metric.
    """

    task: str
    variant: str
    metric: str
    estimate: Estimate
    seeds: Mapping[int, float]
    test: Paired | None = None
    p_adjusted: float | None = None


@dataclass(frozen=True)
class Cost:
    """What one variant costs on one task; None where nobody wrote it down.

    Args:
      task, variant: which.
      params: how many numbers are learned.
      flops_per_token: of the forward pass, as declared.
      state_bytes_per_token: to be remembered while decoding.
      step_ms: of a training step, the median; of all lanes where there are some.
      peak_bytes: of memory, of the process.
      lanes: runs that shared a step.
    """

    task: str
    variant: str
    params: float | None
    flops_per_token: float | None
    state_bytes_per_token: float | None
    step_ms: float | None
    peak_bytes: float | None
    lanes: int


@dataclass(frozen=True)
class Comparison:
    """All that can be said; JSON can hold it.

    Args:
      title: for the reader.
      metric: what is compared first.
      goal: min or max, of that metric.
      reference: the variant that the others are tested against.
      variants, tasks, metrics: in order.
      results: one for each of their combinations that has runs.
      costs: one for each variant and task.
      tuned: `task/variant` to the values that were chosen.
      differences: variant to its differences from the reference, `key: a -> b`.
      runs: names of the runs that the numbers are of.
      notes: what a reader has to know.
    """

    title: str
    metric: str
    goal: str
    reference: str
    variants: tuple[str, ...]
    tasks: tuple[str, ...]
    metrics: tuple[str, ...]
    results: tuple[Result, ...]
    costs: tuple[Cost, ...]
    tuned: Mapping[str, Mapping[str, Any]]
    differences: Mapping[str, tuple[str, ...]]
    runs: tuple[str, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    def find(self, task: str, variant: str, metric: str) -> Result | None:
        """One result."""
        wanted = task, variant, metric
        known = (r for r in self.results if (r.task, r.variant, r.metric) == wanted)
        return next(known, None)


@dataclass(frozen=True)
class Asked:
    """How to compare.

    Args:
      title: for the reader.
      metric: what is compared first, and by which the best tuned value is chosen.
      goal: min or max; None is what the metric's name says.
      reference: a variant; None is the first.
      half: chooses tuned values by one half of the seeds and reports the other.
    """

    title: str = ""
    metric: str = "val/loss"
    goal: str | None = None
    reference: str | None = None
    half: bool = False

    @property
    def direction(self) -> str:
        """min or max."""
        return goal_of(self.metric, self.goal)
