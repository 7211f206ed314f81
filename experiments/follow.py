"""A run while it trains, seen from another terminal."""

import time
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from experiments.braille import draw
from experiments.progress import duration
from experiments.records import Damaged, RunRecord, moment, read_run
from experiments.summary import summary, words

PAUSE = 1.0  # seconds between looks at the files
HEIGHT = 12
SPAN = 5.0  # seconds between log lines, which have whole ones, to tell a pace
SHOWN = ("status", "step", "steps", "loss", "accuracy", "seconds", "age")


def follow(path: Path, *, once: bool = False) -> None:
    """Shows a run until it is no longer running; once where there is no terminal."""
    console = Console()
    run = read_run(path)
    if once or not console.is_terminal or not _runs(run):
        console.print(look(run, console.width), soft_wrap=True)
        return
    with Live(console=console, auto_refresh=False) as live:
        while True:
            run = read_run(path)
            live.update(look(run, console.width), refresh=True)
            if not _runs(run):
                return
            time.sleep(PAUSE)


def _runs(run: RunRecord | Damaged) -> bool:
    return isinstance(run, RunRecord) and run.status == "running"


def look(run: RunRecord | Damaged, width: int) -> RenderableType:
    """A plot and a line of numbers."""
    if isinstance(run, Damaged):
        return Text(run.reason)
    found = words(summary(run))
    said = "  ".join(f"{name} {found[name]}" for name in SHOWN)
    head = Text(f"{run.name}{_left(run)}", style="bold")
    plot = [Text(line) for line in plot_lines(run, width=width)]
    return Group(head, *plot, Text(said))


def plot_lines(run: RunRecord, *, width: int, height: int = HEIGHT) -> list[str]:
    """The training loss, or the validation loss if there is no other."""
    name = "train/loss" if "train/loss" in run.metrics else "val/loss"
    drawn = draw(*run.curve(name), width=min(width, 120), height=height)
    return [name, *drawn] if drawn else []


def _left(run: RunRecord) -> str:
    """How long it will take yet, if it runs."""
    pace = _pace(run)
    if run.status != "running" or pace is None:
        return ""
    return f"  about {duration((run.derived.steps - run.step) * pace)} left"


def _pace(run: RunRecord) -> float | None:
    """Seconds of a step of the last session, with the evaluations in between.

    Seconds of the step alone before the log lines span enough time, None without any.
    """
    began = _clock(run.sessions[-1].get("start")) if run.sessions else 0.0
    logged = [row for row in run.perf_rows if row.get("event") == "log"]
    marks = [(_clock(row.get("time")), row["step"]) for row in logged]
    if mine := [mark for mark in marks if mark[0] >= max(began, 1.0)]:
        (first, start), (last, end) = mine[0], mine[-1]
        if last - first >= SPAN and end > start:
            return (last - first) / (end - start)
    alone = run.perf("step_ms")[1]
    return float(alone[-1]) / 1e3 if alone.size else None


def _clock(text: Any) -> float:
    """Seconds of a time as it was written down; 0 if it is none."""
    found = moment(text)
    return found.timestamp() if found else 0.0
