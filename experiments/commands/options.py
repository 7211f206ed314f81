"""Arguments and options that several verbs share."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.commands import complete
from experiments.errors import UserError
from experiments.shipped import find_config

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


def split_arguments(arguments: Sequence[str]) -> tuple[Path, list[str]]:
    """The config file and the overrides among the arguments of a verb.

    Args:
      arguments: at most one config, and any number of `key=value`.

    Raises:
      UserError: there are two configs.
    """
    overrides = [each for each in arguments if _is_override(each)]
    names = [each for each in arguments if not _is_override(each)]
    if len(names) > 1:
        raise UserError(
            f"attn: expected one config, got `{names[0]}` and `{names[1]}`;"
            " overrides are written key=value, without spaces around the `=`."
        )
    return find_config(names[0] if names else None), overrides


def _is_override(text: str) -> bool:
    return "=" in text and not os.path.exists(text)


def check_page(verb: str, out: Path) -> None:
    """Refuses a name that is none for a page, before minutes are spent on it.

    Raises:
      UserError: it ends in something else, so that it may be another file, or is a
        folder.
    """
    if out.suffix not in (".html", ".htm"):
        raise UserError(f"{verb}: --out ends in .html, got {str(out)[:80]!a}.")
    if out.is_dir():
        raise UserError(f"{verb}: --out is a file, and {out} is a folder.")
