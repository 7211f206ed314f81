"""`attn inspect`: the attention of a trained model on a text."""

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.commands.look import Which
from experiments.commands.options import RUNS, AsJson, RunName, Runs, check_page
from experiments.errors import UserError
from experiments.find import find_run

if TYPE_CHECKING:
    from experiments.inspect.view import Head, Inspection


def inspect(
    name: RunName = None,
    runs: Runs = RUNS,
    prompt: Annotated[
        str | None,
        typer.Option(help="The text, or source (default: a validation example)."),
    ] = None,
    example: Annotated[
        int, typer.Option(min=0, help="Which validation example, from 0.")
    ] = 0,
    repeat: Annotated[
        bool,
        typer.Option("--repeat", help="Random tokens twice, the test for induction."),
    ] = False,
    sort: Annotated[
        str, typer.Option(help="The score that orders heads in the terminal.")
    ] = "induction",
    head: Annotated[
        str | None, typer.Option(help="The head to draw large, such as 1.3.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The page (default: inspect.html in the run)."),
    ] = None,
    png: Annotated[
        Path | None, typer.Option("--png", help="A picture instead: .png or .svg.")
    ] = None,
    terminal: Annotated[
        bool, typer.Option("--terminal", help="Print to the terminal instead.")
    ] = False,
    browse: Annotated[
        bool, typer.Option("--open", help="Open the page in the browser.")
    ] = False,
    checkpoint: Which = "best",
    as_json: AsJson = False,
) -> None:
    """Show the attention of every layer and head on a text, and the logit lens."""
    if out is not None:
        check_page("attn inspect", out)
    _check(prompt, repeat, sort)
    write = None if png is None else picture_writer(png)
    path = find_run(name, runs)
    from experiments.inspect.look import inspect_run  # late: it imports JAX

    seen = inspect_run(
        path, prompt=prompt, example=example, repeat=repeat, which=checkpoint
    )
    chosen = None if head is None else find_head(seen, head)
    if as_json:
        from experiments.storage import to_json  # late, for start-up time

        print(to_json(seen.record()))
    elif terminal:
        from experiments.inspect.terminal import show  # late: it imports rich

        show(seen, sort=sort, head=chosen)
    elif write is not None and png is not None:
        write(seen, png)
        print(png)
    else:
        _page(seen, out or path / "inspect.html", chosen, browse)


def _page(seen: "Inspection", out: Path, head: "Head | None", browse: bool) -> None:
    from experiments.inspect.page import write_page  # late, for start-up time

    write_page(seen, out, head=head)
    print(out)
    if browse:
        webbrowser.open(out.resolve().as_uri())


def _check(prompt: str | None, repeat: bool, sort: str) -> None:
    """Refuses what cannot be meant, before anything is loaded."""
    from experiments.config import did_you_mean  # late: these need NumPy, pydantic
    from experiments.inspect.scores import SCORES

    if prompt is not None and repeat:
        raise UserError("attn inspect: --prompt and --repeat are two texts; keep one.")
    if sort not in SCORES:
        hint = did_you_mean(sort, SCORES)
        raise UserError(f"attn inspect: --sort does not know `{sort[:40]}`. {hint}")


def picture_writer(path: Path):
    """What writes a picture.

    Raises:
      UserError: the ending means nothing, or the libraries are not there.
    """
    if path.suffix not in (".png", ".svg"):
        raise UserError(f"{path}: --png ends in .png or .svg, got {path.suffix!r}.")
    try:
        from experiments.inspect.picture import write_picture  # late: an extra
    except ImportError:
        raise UserError(
            "attn inspect --png needs pillow and vl-convert: pip install 'attn[plots]',"
            " or pip install -e '.[plots]' in a checkout."
        ) from None
    return write_picture


def find_head(seen: "Inspection", name: str) -> "Head":
    """The head of that name.

    Raises:
      UserError: there is none.
    """
    from experiments.config import did_you_mean  # late, for start-up time

    known = {head.name: head for head in seen.heads()}
    if name in known:
        return known[name]
    hint = did_you_mean(name, known)
    raise UserError(f"attn inspect: there is no head `{name[:40]}`. {hint}")
