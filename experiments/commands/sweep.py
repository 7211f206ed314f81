"""`attn sweep` and `attn study`: many runs of one file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from experiments.commands.options import RUNS, AsJson, Runs
from experiments.shipped import find_config

if TYPE_CHECKING:
    from experiments.config.many import Many

File = Annotated[
    str, typer.Argument(metavar="CONFIG", help="A YAML file with a section `sweep:`.")
]
StudyFile = Annotated[
    str, typer.Argument(metavar="CONFIG", help="A YAML file with a section `study:`.")
]
Changes = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...",
        help="Values that overrule the file, such as sweep.seeds=2.",
        show_default=False,
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and stop.")
]
Again = Annotated[bool, typer.Option("--again", help="Do diverged runs once more.")]
On = Annotated[
    Literal["slurm", "local"] | None,
    typer.Option("--on", help="Submit one job a program, through submitit."),
]
Options = Annotated[
    list[str] | None,
    typer.Option("--with", help="Of the cluster, such as slurm_partition=gpu."),
]
Measure = Annotated[
    bool, typer.Option("--measure", help="Compare the ways to compute, then begin.")
]


def sweep(
    file: File,
    changes: Changes = None,
    runs: Runs = RUNS,
    dry_run: DryRun = False,
    measure: Measure = False,
    again: Again = False,
    on: On = None,
    options: Options = None,
    as_json: AsJson = False,
) -> int:
    """Train a grid, random draws, or what optuna proposes; done runs are skipped."""
    many = read(file, changes or [], "sweep")
    from experiments.sweep.cluster import options_of  # late, for start-up time
    from experiments.sweep.verb import Asked, sweep

    asked = Asked(
        runs=Path(runs),
        dry_run=dry_run,
        measure=measure,
        again=again,
        cluster=on,
        options=options_of(options or []),
    )
    code, record = sweep(many, asked, quiet=as_json)
    if as_json:
        print(json.dumps(record, indent=2))
    return code


def study(
    file: StudyFile,
    changes: Changes = None,
    runs: Runs = RUNS,
    dry_run: DryRun = False,
    measure: Measure = False,
    again: Again = False,
    half: Annotated[
        bool,
        typer.Option("--half", help="Tune by half of the seeds, report the others."),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Train variants on tasks with several seeds, compare them, write the report."""
    many = read(file, changes or [], "study")
    from experiments.sweep.study import study  # late, for start-up time
    from experiments.sweep.verb import Asked

    asked = Asked(runs=Path(runs), dry_run=dry_run, measure=measure, again=again)
    code, record = study(many, asked, quiet=as_json, half=half)
    if as_json:
        print(json.dumps(record, indent=2))
    return code


def read(file: str, changes: list[str], kind: str) -> "Many":
    """The file of many runs, every point of it checked, notation too.

    Raises:
      ConfigError: with all faults.
    """
    from experiments.config.many import load_many  # late, for start-up time

    return load_many(find_config(file), changes, kind)
