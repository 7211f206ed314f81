"""`attn runs`: list, show, follow, remove and export what has been run."""

import json
import shutil
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.commands.options import RUNS, AsJson, RunName, Runs
from experiments.errors import UserError
from experiments.find import find_run, find_runs

if TYPE_CHECKING:
    from experiments.records import RunRecord

app = typer.Typer(
    help="List, show, follow, remove and export runs.", no_args_is_help=True
)
Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUNS]...",
        help="Runs, the starts of names, sweeps or folders of runs (default: all).",
        show_default=False,
    ),
]


@app.command("ls", epilog="Example: attn runs ls --task mqar --sort loss")
def ls(
    names: Names = None,
    runs: Runs = RUNS,
    status: Annotated[
        str | None, typer.Option(help="Only those of a status, such as killed.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="Only those of a task.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only those with a tag.")] = None,
    sort: Annotated[str, typer.Option(help="Column to sort by.")] = "age",
    reverse: Annotated[
        bool, typer.Option("--reverse", "-r", help="Largest first.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List runs: status, task, steps, loss, time and age."""
    from experiments.config.names import TASKS  # late, for start-up time
    from experiments.records import read_run
    from experiments.summary import COLUMNS, STATUSES, order, summary

    _check_known("--sort", sort, COLUMNS)
    _check_known("--status", status, STATUSES)
    _check_known("--task", task, TASKS)
    rows = [summary(read_run(path)) for path in find_runs(names or [], runs)]
    rows = [
        row
        for row in rows
        if status in (None, row["status"])
        and task in (None, row["task"])
        and (tag is None or tag in (row["tags"] or ()))
    ]
    rows = order(rows, sort)
    rows = rows[::-1] if reverse else rows
    print(json.dumps(rows, indent=2)) if as_json else _print(rows)


def _check_known(option: str, word: str | None, known: Collection[str]) -> None:
    """Refuses a word that can be no value of an option."""
    if word is not None and word not in known:
        from experiments.config import did_you_mean  # late, for start-up time

        hint = did_you_mean(word, known)
        raise UserError(f"attn runs ls: {option} has no `{word[:40]}`. {hint}")


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console  # late, for start-up time
    from rich.table import Table
    from rich.text import Text

    from experiments.summary import COLUMNS, words

    if not rows:
        print("No run is like that.", file=sys.stderr)
        return
    console = Console()
    if not console.is_terminal:  # tabs between the columns, for other programs
        print("\n".join("\t".join(words(row).values()) for row in rows))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    left = ("run", "status", "task", "tags")
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in left else "right")
    for row in rows:
        cells = words(row)
        styles = {"run": "bold", "status": STYLES.get(row["status"], "")}
        table.add_row(*(Text(cells[x], style=styles.get(x, "")) for x in COLUMNS))
    console.print(table)


STYLES = {
    "done": "green",
    "running": "cyan",
    "killed": "yellow",
    "stopped": "yellow",
    "diverged": "red",
    "failed": "red",
    "damaged": "red",
}


@app.command("show", epilog="Example: attn runs show tiny_lm --json")
def show(name: RunName = None, runs: Runs = RUNS, as_json: AsJson = False) -> None:
    """Show one run: what it reached, where it comes from, its loss as a plot."""
    run = _read(find_run(name, runs))
    from experiments.follow import plot_lines  # late, like the next
    from experiments.summary import summary, words

    if as_json:
        found = summary(run) | {
            "path": str(run.path),
            "result": dict(run.result),
            "sessions": run.sessions,
            "config": run.flat,
        }
        print(json.dumps(found, indent=2))
        return
    for key, value in words(summary(run)).items():
        print(f"{key:<10}{value}")
    for session in run.sessions:
        print(f"{'session':<10}{session.get('start')}  {session.get('command')}")
    print("\n".join(plot_lines(run, width=shutil.get_terminal_size().columns)))


@app.command("tail", epilog="Example: attn runs tail tiny_lm")
def tail(
    name: RunName = None,
    runs: Runs = RUNS,
    once: Annotated[
        bool, typer.Option("--once", help="Show it as it is and stop.")
    ] = False,
) -> None:
    """Follow a run while it trains: its last numbers and a plot of its loss."""
    path = find_run(name, runs)
    from experiments.follow import follow  # late, for start-up time

    _read(path)
    follow(path, once=once)


@app.command("rm", epilog="Example: attn runs rm tiny_lm-1a2b3c4d --yes")
def rm(
    names: Annotated[
        list[str], typer.Argument(metavar="RUNS...", help="Runs to remove.")
    ],
    runs: Runs = RUNS,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove runs with their checkpoints; asks first."""
    paths = [find_run(name, runs) for name in names]
    paths = list(dict.fromkeys(paths))
    for path in paths:
        _check_removable(path)
    if not yes:
        _ask(paths)
    for path in paths:
        _remove(path)
    said = [str(path) for path in paths]
    print(json.dumps({"removed": said}) if as_json else f"removed {', '.join(said)}")


def _check_removable(path: Path) -> None:
    if path.is_symlink() or path.resolve() == Path.cwd():
        raise UserError(f"{path}: is a link or this folder itself; remove it by hand.")
    if not (path / "config.yaml").is_file():
        raise UserError(f"{path}: not a run directory (it has no config.yaml).")


def _ask(paths: list[Path]) -> None:
    if not sys.stdin.isatty():
        raise UserError(
            f"attn runs rm: would remove {', '.join(path.name for path in paths[:5])}"
            f"{f' and {len(paths) - 5} more' if len(paths) > 5 else ''} and cannot ask"
            " here; say --yes."
        )
    listed = "\n".join(f"  {path}" for path in paths)
    typer.confirm(f"Remove for good:\n{listed}\n?", abort=True)


def _remove(path: Path) -> None:
    """Removes a run that nobody works on.

    Raises:
      RunError: another process has its lock.
    """
    from experiments import folder  # late, for start-up time

    with folder.lock(path):
        folder.empty(path)  # first what is large, then what makes it a run
        shutil.rmtree(path)


@app.command("to-csv", epilog="Example: attn runs to-csv recall --out curves.csv")
def to_csv(
    names: Names = None,
    runs: Runs = RUNS,
    out: Annotated[
        Path | None, typer.Option(help="File to write.", show_default="print it")
    ] = None,
) -> None:
    """Write curves as a tidy table: run, status, task, seed, step, metric, value."""
    from experiments.records import read_runs  # late, for start-up time
    from experiments.tidy import write_csv

    records, damaged = read_runs(find_runs(names or [], runs))
    for each in damaged:
        print(f"left out: {each.reason}", file=sys.stderr)
    if out is None:
        write_csv(records, sys.stdout)
        return
    with out.open("w", newline="", encoding="utf-8") as file:
        count = write_csv(records, file)
    print(f"{out}: {len(records)} runs, {count:,} values")


def _read(path: Path) -> "RunRecord":
    from experiments.records import Damaged, read_run  # late, for start-up time

    run = read_run(path)
    if isinstance(run, Damaged):
        raise UserError(run.reason)
    return run
