"""Every run in a table."""

from experiments.progress import duration
from experiments.records import RunRecord
from experiments.report.costs import step_ms
from experiments.report.html import Html
from experiments.report.metrics import ABSENT, figure, name_of
from experiments.report.problems import badge
from experiments.report.tables import Cell, Column, number, table, variant_cell
from experiments.report.view import View
from experiments.variants import Variant

ALWAYS = ("val/loss", "val/accuracy", "val/exact_match")


def section(view: View) -> Html:
    """One row a run."""
    logged = {name for run in view.runs for name in run.metrics}
    metrics = [name for name in ALWAYS if name in logged]
    columns = [
        Column("run"),
        Column("variant"),
        *([Column("task")] if len(view.tasks) > 1 else []),
        Column("seed", True),
        Column("status"),
        Column("steps", True),
        *(Column(name_of(name), True) for name in metrics),
        Column("best loss", True, "lowest validation loss, at any step"),
        Column("ms per step", True, "median"),
        Column("time", True),
    ]
    rows = [
        _row(view, variant, run, metrics)
        for variant in view.variants
        for run in variant.runs
    ]
    return table("Every run", columns, rows)


def _row(
    view: View, variant: Variant, run: RunRecord, metrics: list[str]
) -> list[Cell]:
    values = [(name, run.last(name)) for name in metrics]
    best, pace = run.last("best/val_loss"), step_ms(run)
    return [
        Cell(run.name, class_="name"),
        variant_cell(variant.label, view.colour(variant)),
        *([Cell(variant.task)] if len(view.tasks) > 1 else []),
        number(str(run.config.seed), run.config.seed),
        Cell(badge(run.status), run.status),
        number(f"{run.step:,}", run.step),
        *(number(figure(name, value), value) for name, value in values),
        number(figure("val/loss", best), best),
        number(ABSENT if pace is None else f"{pace:.3g}", pace),
        number(duration(run.seconds) if run.seconds else ABSENT, run.seconds or None),
    ]
