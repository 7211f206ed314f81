"""What a report is made of, in the order in which the page shows it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from experiments.compare.comparison import Comparison
from experiments.goals import best_first, goal_of, is_share
from experiments.records import Damaged, RunRecord
from experiments.report.estimates import Estimate, clipped, estimate
from experiments.report.metrics import Aim, primary
from experiments.variants import Names, Variant, group_runs

COLOURS = 10  # of the palette; further variants are dashed


@dataclass(frozen=True, eq=False)
class View:
    """Runs put together for a page.

    Args:
      title: of the page.
      variants: best first within a task, tasks in the order of their first run.
      damaged: runs that could not be read.
      comparison: statistics that were made before, or None.
      trained: how many runs there were; the comparison may have chosen among them.
    """

    title: str
    variants: tuple[Variant, ...]
    damaged: tuple[Damaged, ...]
    comparison: Comparison | None = None
    trained: int = 0

    @cached_property
    def runs(self) -> list[RunRecord]:
        """Every run, variant by variant."""
        return [run for variant in self.variants for run in variant.runs]

    @cached_property
    def tasks(self) -> list[str]:
        """What is learned."""
        return list(dict.fromkeys(variant.task for variant in self.variants))

    @cached_property
    def labels(self) -> list[str]:
        """The variants' labels; a label has one colour on all tasks."""
        return list(dict.fromkeys(variant.label for variant in self.variants))

    def of_task(self, task: str) -> list[Variant]:
        """The variants that learned a task."""
        return [variant for variant in self.variants if variant.task == task]

    def aim(self, task: str) -> Aim:
        """What the runs of a task are judged by: as the comparison was asked to."""
        asked = self.comparison
        if asked and any(
            each.task == task and each.metric == asked.metric for each in asked.results
        ):
            return Aim(asked.metric, asked.goal)
        runs = [run for each in self.of_task(task) for run in each.runs]
        return Aim(primary(runs), goal_of(primary(runs)))

    def metric(self, task: str) -> str:
        """The metric of its aim."""
        return self.aim(task).metric

    def ranked(self, task: str) -> list[Variant]:
        """The variants of a task, best first."""
        aim = self.aim(task)
        return sorted(
            self.of_task(task),
            key=lambda each: best_first(measure(each, aim.metric).mean, aim.goal),
        )

    def colour(self, variant: Variant) -> str:
        """The classes of its marks."""
        index = self.labels.index(variant.label)
        dashed = f" d{index // COLOURS % 4}" if index >= COLOURS else ""
        return f"c{index % COLOURS}{dashed}"


def make_view(
    records: Sequence[RunRecord],
    *,
    title: str,
    damaged: Sequence[Damaged] = (),
    comparison: Comparison | None = None,
    names: Names | None = None,
) -> View:
    """Groups runs into variants and ranks them; see `write_report`."""
    trained = len(records)
    if comparison is not None:
        # Of several learning rates the comparison has chosen one; the page shows it.
        records = [run for run in records if run.name in comparison.runs] or records
    variants = tuple(group_runs(records, names))
    found = View(title, variants, tuple(damaged), comparison, trained)
    ranked = [each for task in found.tasks for each in found.ranked(task)]
    return replace(found, variants=tuple(ranked))


def measure(variant: Variant, metric: str) -> Estimate:
    """The last value of a metric, over the seeds of a variant that are done."""
    values = [run.last(metric) for run in variant.done]
    found = estimate([value for value in values if value is not None])
    return clipped(found) if is_share(metric) else found
