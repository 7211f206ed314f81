"""Options that several verbs share."""

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.commands import complete

Settings = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CONFIG] [KEY=VALUE]...",
        help="A YAML file, or the name of a shipped one (default: tiny_lm), and values"
        " that overrule it.",
        show_default=False,
        autocompletion=complete.settings,
    ),
]
RunName = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN]",
        help="A run directory, or the start of its name (default: the latest run).",
        show_default=False,
        autocompletion=complete.runs,
    ),
]
Runs = Annotated[Path, typer.Option("--runs", help="The folder of all runs.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the end only.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RUNS = Path("runs")


def finite(given: Any) -> Any:
    """Refuses a number that is none, or a list with one.

    Raises:
      typer.BadParameter: it is not finite.
    """
    for number in given if isinstance(given, list) else [given]:
        if number is not None and not math.isfinite(number):
            raise typer.BadParameter(f"expected a finite number, got {number}.")
    return given
