"""`attn train` and `attn resume`."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands import complete
from experiments.commands.find import find_run, split_arguments
from experiments.commands.options import RUNS, Quiet, RunName, Runs, Settings


def train(
    settings: Settings = None,
    runs: Runs = RUNS,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over, removing the earlier run.")
    ] = False,
    quiet: Quiet = False,
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

        print(f"{display(path)} would do this:\n{summary(config, runs)}")
        return 0
    from experiments.session import work

    return work(config, runs, fresh=fresh, quiet=quiet)


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
) -> int:
    """Continue a run from its last checkpoint, bit for bit."""
    changes = changes or []
    if name is not None and "=" in name:  # `attn resume train.budget=5min`
        name, changes = None, [name, *changes]
    path = find_run(name, runs)
    return _continue(path, changes, quiet)


def _continue(path: Path, changes: list[str], quiet: bool) -> int:
    from experiments.config import load  # late, for start-up time
    from experiments.run import check_same
    from experiments.session import work

    config = load(path / "config.yaml", changes)
    check_same(path, config)
    return work(config, path.parent, at=path, quiet=quiet)
