"""A comparison on a terminal: tables that a reader can take in at a glance."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments.compare.comparison import Comparison, Cost, Result
from experiments.goals import is_share

WIDTH = 20  # of names, at least
SLICES = 3  # of one table
SURE = 0.05


def show(comparison: Comparison, console: Console) -> None:
    """Prints the tables."""
    for task in comparison.tasks:
        shown = _means(comparison, task), _tests(comparison, task)
        for table in (*shown, *_slices(comparison, task)):
            if table is not None:
                console.print(table)
    console.print(_costs(comparison))
    for line in _lines(comparison):
        console.print(Text(line), soft_wrap=True)


def _table(title: str, *columns: str) -> Table:
    """Names to the left, numbers to the right."""
    table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False)
    first, *rest = columns
    table.add_column(first, overflow="fold", min_width=WIDTH)
    for column in rest:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _sorted(comparison: Comparison, task: str) -> list[Result]:
    """The results by the first metric, the best one first."""
    wanted = task, comparison.metric
    rows = [row for row in comparison.results if (row.task, row.metric) == wanted]
    sign = 1 if comparison.goal == "min" else -1
    return sorted(rows, key=lambda each: sign * each.estimate.mean)


def _means(comparison: Comparison, task: str) -> Table:
    title = f"{task}: {comparison.metric}"
    table = _table(title, "variant", "mean", "95% interval", "sd", "seeds")
    for row in _sorted(comparison, task):
        found = row.estimate
        tuned = comparison.tuned.get(f"{row.task}/{row.variant}", {})
        said = ", ".join(f"{key}={value}" for key, value in tuned.items())
        table.add_row(
            Text(f"{row.variant} ({said})" if said else row.variant),
            number(found.mean),
            interval(*bounded(row.metric, found.low, found.high)),
            "-" if found.sd is None else number(found.sd),
            str(found.n),
        )
    return table


def _tests(comparison: Comparison, task: str) -> Table | None:
    """Each variant against the reference; a column that has nothing is left out."""
    rows = [x for x in _sorted(comparison, task) if x.variant != comparison.reference]
    if not rows:
        return None
    columns = ["difference", "95% interval", "d", "p", "p adj.", "p ranks"]
    filled = [list(_cells(row)) for row in rows]
    kept = [i for i in range(len(columns)) if any(cells[i] for cells in filled)]
    if len(rows) == 1:
        kept = [i for i in kept if columns[i] != "p adj."]
    title = f"against {comparison.reference}, over the seeds that both have"
    table = _table(title, "variant", *(columns[i] for i in kept))
    for row, cells in zip(rows, filled, strict=True):
        sure = row.p_adjusted is not None and row.p_adjusted < SURE
        style = "bold" if sure else ""
        table.add_row(Text(row.variant), *(cells[i] for i in kept), style=style)
    return table


def _cells(row: Result) -> Iterator[str]:
    test = row.test
    if test is None:
        yield from ("no shared seed", "", "", "", "", "")
        return
    yield f"{test.difference:+.4f}"
    yield test.note or interval(test.low, test.high)
    yield "" if test.effect is None else f"{test.effect:+.2f}"
    for p in (test.p, row.p_adjusted, test.p_ranks):
        yield "" if p is None else probability(p)


def _slices(comparison: Comparison, task: str) -> Iterator[Table]:
    """The slices by the metric that counts, means with half of their intervals."""
    there = [m for m in comparison.metrics if m != comparison.metric]
    there = [m for m in there if comparison.find(task, comparison.reference, m)]
    kind = comparison.metric.rpartition("/")[2]
    alike = [each for each in there if each.rpartition("/")[2] == kind]
    for first in range(0, len(alike), SLICES):
        shown = alike[first : first + SLICES]
        names = [each.removeprefix("val/").removesuffix(f"/{kind}") for each in shown]
        table = _table(f"{task}: {kind} by slice", "variant", *names)
        for variant in comparison.variants:
            found = [comparison.find(task, variant, metric) for metric in shown]
            if any(found):
                table.add_row(Text(variant), *(_slice(each) for each in found))
        yield table


def _slice(row: Result | None) -> str:
    """`0.9341 ±0.0361`."""
    if row is None:
        return "-"
    found = row.estimate
    half = "" if found.high is None else f" ±{found.high - found.mean:.4f}"
    return f"{number(found.mean)}{half}"


def _costs(comparison: Comparison) -> Table:
    columns = ("parameters", "FLOPs\nper token", "state bytes\nper token")
    columns += ("step ms", "peak\nmemory")
    table = _table("cost", "variant", *columns)
    several = len(comparison.tasks) > 1
    for cost in comparison.costs:
        name = f"{cost.variant}, {cost.task}" if several else cost.variant
        table.add_row(Text(name), *_cost(cost))
    return table


def _cost(cost: Cost) -> Iterator[str]:
    for value in (cost.params, cost.flops_per_token, cost.state_bytes_per_token):
        yield "-" if value is None else f"{value:,.0f}"
    lanes = f" / {cost.lanes} lanes" if cost.lanes > 1 else ""
    yield "-" if cost.step_ms is None else f"{cost.step_ms:.2f}{lanes}"
    peak = cost.peak_bytes
    yield "-" if peak is None else f"{peak / 2**20:,.0f} MiB"


def _lines(comparison: Comparison) -> Iterator[str]:
    for variant, changes in comparison.differences.items():
        listed = "; ".join(changes) or "nothing but the seed"
        yield f"{variant} differs from {comparison.reference}: {listed}"
    yield "Losses and all other metrics of every slice: --json."
    yield from comparison.notes


def number(value: float) -> str:
    """A metric, four digits behind the point."""
    return f"{value:.4f}"


def bounded(
    metric: str, low: float | None, high: float | None
) -> tuple[float | None, float | None]:
    """The ends of an interval, for a share within 0 and 1."""
    if low is None or high is None or not is_share(metric):
        return low, high
    return max(0.0, low), min(1.0, high)


def interval(low: float | None, high: float | None) -> str:
    """`0.9801 .. 0.9912`; a dash with one seed."""
    if low is None or high is None:
        return "-"
    return f"{low:.4f} .. {high:.4f}"


def probability(p: float) -> str:
    """`0.031`, or `<0.001`."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"
