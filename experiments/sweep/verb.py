"""A sweep from its file to its last line: plan, measure, compute, report."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments import signals
from experiments.config.many import Many, Point
from experiments.goals import best_first
from experiments.records import RunRecord, read_runs
from experiments.sweep.checks import check_metric, check_points, check_todo
from experiments.sweep.cluster import JOBS, collect, submit, taken
from experiments.sweep.index import Index, index_of, read_index
from experiments.sweep.plan import Plan, make_plan, shares_device
from experiments.sweep.search import batches
from experiments.sweep.work import Done, carry_out, estimated, measure, ways


@dataclass(frozen=True)
class Asked:
    """What the command line asked for.

    Args:
      runs: the folder of all runs.
      dry_run: says what would be done, and stops.
      measure: compares the ways to compute first.
      again: does diverged runs once more.
      cluster: slurm or local, where jobs are submitted; None computes here.
      options: of the cluster.
    """

    runs: Path
    dry_run: bool = False
    measure: bool = False
    again: bool = False
    cluster: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def sweep(many: Many, asked: Asked, *, quiet: bool = False) -> tuple[int, dict]:
    """Plans and trains, and shows which variants came out best; see `train_all`."""
    code, record = train_all(many, asked, quiet=quiet)
    if code == signals.STOPPED or asked.dry_run:
        return code, record
    console = Console(quiet=quiet, highlight=False)
    index = read_index(Path(record["sweep"]))
    record["points"] = list(show(index, console))
    console.print(f"More: attn compare {index.name}", soft_wrap=True)
    return code, record


def train_all(many: Many, asked: Asked, *, quiet: bool = False) -> tuple[int, dict]:
    """Plans and trains.

    Args:
      many: the file.
      asked: options.
      quiet: prints nothing.

    Returns:
      The exit code, and a record of what was planned and done.

    Raises:
      ConfigError: a point is no good config; nothing has been trained then.
    """
    console, record = Console(quiet=quiet, highlight=False), {}
    stop, code, every = signals.Stop(), 0, []
    if not asked.dry_run:
        stop = signals.install()
    for points in batches(many, asked.runs, dry_run=asked.dry_run):
        check_points(points)
        check_metric(many, points)
        every += points
        index = index_of(many, every, asked.runs)
        now, record = train(many, index, points, asked, stop=stop, console=console)
        code = now or code
        record["sweep"] = str(index.path)
        if now == signals.STOPPED or asked.dry_run:
            return now, record
    return code, record


def train(
    many: Many,
    index: Index,
    points: Sequence[Point],
    asked: Asked,
    *,
    stop: signals.Stop,
    console: Console,
) -> tuple[int, dict[str, Any]]:
    """Trains some points; the exit code, and what was planned and done."""
    plan = _plan(many, points, asked)
    check_todo(plan.todo)
    if asked.dry_run and asked.measure and plan.parts:
        with TemporaryDirectory() as folder:  # the sweep has none before it begins
            compare_ways(plan, Path(folder), console)
        plan = _plan(many, points, asked)
    if not asked.dry_run and plan.parts:
        index.write()
        if asked.measure or (alone(plan) and many.plan.lanes is None):
            compare_ways(plan, index.path, console)
            plan = _plan(many, points, asked)
        if asked.cluster is None:
            plan = estimated(plan, index.path)
    console.print(Text(plan.words()), soft_wrap=True)
    record = {"plan": plan.to_json()}
    if asked.dry_run or not plan.parts:
        if not asked.dry_run:
            index.write()
        return 0, record
    planned = plan.seconds
    if asked.cluster is not None:
        done = on_cluster(plan, index, asked, console)
    else:
        done = carry_out(plan, index.name, index.path, stop, console, asked.again)
    tell(done, planned, many, console)
    record["done"] = {"seconds": done.seconds, "outcomes": done.outcomes}
    return done.code, record


def on_cluster(plan: Plan, index: Index, asked: Asked, console: Console) -> Done:
    """Submits what nobody has yet; waits for it only on this machine."""
    assert asked.cluster is not None
    start = time.monotonic()
    others = taken(plan, index.path, asked.cluster)
    plan = plan.without(others)
    if others:
        who = ", ".join(dict.fromkeys(others.values()))
        text = f"{len(others)} runs are left to who has them already: {who}."
        if (jobs := index.path / JOBS).exists():
            text += f" To submit them anew, cancel those jobs and remove {jobs}."
        console.print(Text(text), soft_wrap=True)
    there = dict.fromkeys(others, ("submitted", ""))
    if not plan.parts:
        return Done(there)
    jobs = submit(
        plan,
        index.name,
        index.path,
        cluster=asked.cluster,
        options=asked.options,
        again=asked.again,
    )
    listed = ", ".join(str(job.job_id) for job in jobs)
    console.print(Text(f"Submitted {len(jobs)} jobs: {listed}"), soft_wrap=True)
    if asked.cluster != "local":
        console.print("The same command, later, shows what is done.", soft_wrap=True)
        return Done(there | {r.path.name: ("submitted", "") for r in plan.todo})
    done = collect(plan, jobs)
    done.outcomes |= there
    done.seconds = time.monotonic() - start
    return done


def _plan(many: Many, points: Sequence[Point], asked: Asked) -> Plan:
    section = many.plan
    return make_plan(
        points,
        asked.runs,
        workers=1 if asked.cluster else section.workers,
        lanes=section.lanes,
        again=asked.again,
    )


def alone(plan: Plan) -> bool:
    """Whether lanes are the only way to fill a device, and nobody has tried them."""
    configs = [run.point.config for run in plan.todo]
    program = plan.parts[0].program
    several = len(plan.parts[0].runs) > 1 and plan.way.lanes == 1
    return several and shares_device(configs) and plan.paces.fastest(program) is None


def compare_ways(plan: Plan, folder: Path, console: Console) -> None:
    """Measures what could be done, and shows it."""
    found = measure(plan, ways(plan), folder)
    first = next(iter(found.values()), 1.0)
    for way, seconds in found.items():
        console.print(
            f"  {1e3 * seconds:8.2f} ms a step and run, {seconds / first:.2f}: "
            f"{way.words()}",
            soft_wrap=True,
        )


def tell(done: Done, planned: float | None, many: Many, console: Console) -> None:
    """Says what was done, and how to go on where it was stopped."""
    console.print(Text(done.words(planned), style="bold"), soft_wrap=True)
    for line in done.faults():
        console.print(Text(f"  {line}"), soft_wrap=True)
    if done.code == signals.STOPPED:
        verb = type(many.plan).__name__.lower()
        text = f"Stopped, what was begun is saved. Go on with: attn {verb} {many.name}"
        console.print(Text(text), soft_wrap=True)


def show(index: Index, console: Console) -> Iterator[dict[str, Any]]:
    """A line for each variant, the best one first: mean over its seeds."""
    records, _ = read_runs(index.runs())
    rows: dict[str, list[float]] = {}
    variants = {entry.run: entry.variant for entry in index.entries}
    for each in records:
        value = _value(each, index.metric)
        if value is not None:
            rows.setdefault(variants[each.name], []).append(value)
    means = {variant: sum(found) / len(found) for variant, found in rows.items()}
    order = sorted(means, key=lambda v: best_first(means[v], index.goal))
    table = Table(box=None, pad_edge=False)
    table.add_column("variant")
    for head in (index.metric, "seeds"):
        table.add_column(head, justify="right")
    for variant in order:
        seeds, mean = len(rows[variant]), means[variant]
        table.add_row(Text(variant or "-"), f"{mean:.4f}", str(seeds))
        yield {"variant": variant, "mean": mean, "seeds": seeds}
    if order:
        console.print(table)


def _value(record: RunRecord, metric: str) -> float | None:
    return record.last(metric) if record.status == "done" else None
