"""`attn plot`: a picture of one or more runs."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.options import RUNS, Runs
from experiments.errors import UserError
from experiments.find import find_run


def plot(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN]...", help="Runs (default: the newest)."),
    ] = None,
    runs: Runs = RUNS,
    out: Annotated[
        Path, typer.Option("--out", help="File to write: .svg, .png or .html.")
    ] = Path("loss.svg"),
) -> None:
    """Draw the losses of runs."""
    found = [find_run(name, runs) for name in names or [None]]
    try:
        from experiments.plot import loss_chart, save  # late: an extra
    except ImportError:
        raise UserError(
            "attn plot needs altair and vl-convert: pip install 'attn[plots]', or "
            "pip install -e '.[plots]' in a checkout."
        ) from None
    save(loss_chart(found), out)
    print(out)
