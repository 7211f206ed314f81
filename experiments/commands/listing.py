"""`attn list`: every name that can be written, with its meaning."""

import inspect
import itertools
import json
from typing import Annotated, Any, NamedTuple

import typer

from experiments.commands.options import AsJson
from experiments.config import names
from experiments.errors import UserError
from experiments.shipped import configs_folder


class Row(NamedTuple):
    """One name."""

    name: str
    meaning: str
    reference: str = ""


PIECES = {  # heading: kind of piece
    "similarities": "similarity",
    "logits": "logits",
    "masks": "mask",
    "normalizers": "normalizer",
    "positions": "position",
    "scalings": "scaling",
    "dropouts": "dropout",
}
TABLES = {
    "models": names.MODELS,
    "activations": names.ACTIVATIONS,
    "norms": names.NORMS,
    "convolutions": names.CONVOLUTIONS,
    "tasks": names.TASKS,
    "sources": names.SOURCES,
    "vocabularies": names.VOCABULARIES | names.OWN,
    "optimizers": names.OPTIMIZERS,
    "schedules": names.SCHEDULES,
}
HEADINGS = (*PIECES, "backends", *TABLES, "configs")


def listing(
    what: Annotated[
        str | None,
        typer.Argument(
            help=f"One of {', '.join(HEADINGS)}, or a task such as mqar.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the names that a spec or a config can use."""
    if what in (*names.TASKS, "tasks", "task"):
        return _tasks(what, as_json)
    wanted = [_heading(what)] if what else list(HEADINGS)
    found = {heading: rows(heading) for heading in wanted}
    if as_json:
        plain = {key: [each._asdict() for each in found[key]] for key in found}
        print(json.dumps(plain, indent=2))
    else:
        _print(found)
    return None


def _tasks(what: str, as_json: bool) -> None:
    """One task in full, or a few lines on each."""
    from experiments.commands import tasks  # late, for start-up time

    if as_json:
        kinds = [what] if what in names.TASKS else list(names.TASKS)
        print(json.dumps({"tasks": [tasks.details(kind) for kind in kinds]}, indent=2))
    elif what in names.TASKS:
        print(tasks.long(what))
    else:
        print("\n".join(tasks.short(kind) for kind in names.TASKS))


def _heading(what: str) -> str:
    from experiments.config import did_you_mean  # late, for start-up time

    for heading in HEADINGS:
        if what.lower() in (heading, heading.removesuffix("s")):
            return heading
    known = [*HEADINGS, *names.TASKS]
    raise UserError(f"attn list: nothing called `{what}`. {did_you_mean(what, known)}")


def rows(heading: str) -> list[Row]:
    """What stands under a heading of `attn list`."""
    if heading in TABLES:
        return [Row(*item) for item in TABLES[heading].items()]
    if heading == "configs":
        files = sorted(configs_folder().glob("*.yaml"))
        return [Row(each.name, _first_comment(each.read_text())) for each in files]
    if heading == "backends":
        from attn.backends.dispatch import BACKENDS  # late: it imports JAX

        return [Row(name, _first_line(module)) for name, module in BACKENDS.items()]
    from attn.spec.notation import PIECES as pieces  # late for the same reason

    listed = {key: piece for key, piece in pieces.items() if hasattr(piece, "kind")}
    return [
        _piece_row(name, piece)
        for name, piece in listed.items()
        if piece.kind == PIECES[heading]
    ]


def _piece_row(name: str, piece: Any) -> Row:
    kind = piece if inspect.isclass(piece) else type(piece)
    return Row(name, _first_line(kind), getattr(kind, "reference", ""))


def _first_line(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").split("\n")[0]


def _first_comment(text: str) -> str:
    """The first line of a config that is neither its command nor a key."""
    lines = itertools.takewhile(lambda line: line.startswith("#"), text.split("\n"))
    said = [line.removeprefix("#").strip() for line in lines]
    return next((line for line in said if not line.startswith("attn ")), "")


def _print(found: dict[str, list[Row]]) -> None:
    from rich.console import Console  # late, for start-up time
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        return _print_plain(found)
    for heading, listed in found.items():
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 2))
        for row in listed:
            cells = [Text(row.name, style="bold"), Text(row.meaning)]
            table.add_row(*cells, Text(row.reference, style="dim"))
        console.print(Text(heading, style="bold underline"))
        console.print(table)
    return None


def _print_plain(found: dict[str, list[Row]]) -> None:
    """Tabs between the columns, for other programs."""
    for heading, listed in found.items():
        print(heading)
        for row in listed:
            print("", *filter(None, row), sep="\t")
