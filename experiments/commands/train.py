"""`attn train` and `attn resume`."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands import complete
from experiments.commands.options import (
    RUNS,
    Quiet,
    RunName,
    Runs,
    Settings,
    split_arguments,
)
from experiments.find import find_run

PROFILED = 10  # steps, if not said
Profile = Annotated[
    int | None,
    typer.Option(
        "--profile",
        metavar="[STEPS]",
        help=f"Record {PROFILED} steps or so many, and print what took their time.",
        min=1,
        show_default=False,
    ),
]


def with_profile(words: list[str]) -> list[str]:
    """The words, `--profile` followed by a number; typer's options have one or none."""
    found = []
    for word, after in zip(words, [*words[1:], ""], strict=True):
        bare = word == "--profile" and not after.lstrip("-").isdecimal()
        found += [word, str(PROFILED)] if bare else [word]
    return found


def train(
    settings: Settings = None,
    runs: Runs = RUNS,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh", help="Start over; the earlier run goes at the first step."
        ),
    ] = False,
    quiet: Quiet = False,
    profile: Profile = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and stop.")
    ] = False,
) -> int:
    """Train a model; the same command again continues or shows the result."""
    from experiments.config import load  # late, for start-up time

    path, overrides = split_arguments(settings or [])
    config = load(path, overrides)
    if dry_run:
        from experiments.commands.configs import summary
        from experiments.config.files import display
        from experiments.ready import check_files, check_words
        from experiments.run import directory

        check_words(config)
        check_files(config, directory(config, runs))
        print(f"{display(path)} would do this:\n{summary(config, runs)}")
        return 0
    from experiments.session import work

    return work(config, runs, fresh=fresh, quiet=quiet, profile=profile)


def resume(
    name: RunName = None,
    changes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="Values that do not change what is computed, such as train.budget.",
            show_default=False,
            autocompletion=complete.overrides,
        ),
    ] = None,
    runs: Runs = RUNS,
    quiet: Quiet = False,
    profile: Profile = None,
) -> int:
    """Continue a run from its last checkpoint, bit for bit."""
    changes = changes or []
    if name is not None and "=" in name:  # `attn resume train.budget=5min`
        name, changes = None, [name, *changes]
    path = find_run(name, runs)
    return _continue(path, changes, quiet, profile)


def _continue(path: Path, changes: list[str], quiet: bool, profile: int | None) -> int:
    from experiments.config import load  # late, for start-up time
    from experiments.run import check_same
    from experiments.session import work

    config = load(path / "config.yaml", changes)
    check_same(path, config)
    return work(config, path.parent, at=path, quiet=quiet, profile=profile)
