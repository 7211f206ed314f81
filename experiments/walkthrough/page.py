"""The walkthrough as a terminal page or as JSON."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from rich.cells import cell_len
from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from experiments.walkthrough.steps import Step, Walk, walk

# From which size on a cell is drawn in which style.
SHADES = ((0.5, "bold black on cyan"), (0.3, "bold cyan"), (0.15, "cyan"), (0.05, ""))
FAINT = "dim"
FRAME, GAP = 4, 2  # characters of a panel's sides, and between columns


def cell(value: float, step: Step) -> Text:
    """A rounded number, shaded by its size where that says something."""
    if np.issubdtype(step.array.dtype, np.integer):
        text = str(int(value))
    else:
        text = f"{value:.2f}"
    if not step.shaded:
        return Text(text)
    style = next((style for least, style in SHADES if abs(value) >= least), FAINT)
    return Text(text, style=style)


def page(step: Step, number: int, width: int = 80) -> Panel:
    """One step as a panel of so many characters; its numbers are never cut."""
    head = Text.assemble(step.meaning, "\n", (step.formula, "green"), "\n")
    title = f"{number}. {step.title}  [dim]{escape(step.shape)}[/]"
    inner = Group(head, *tables(step, width - FRAME))
    return Panel(inner, title=title, title_align="left", width=width)


def tables(step: Step, room: int) -> Iterator[Table]:
    """The numbers, as many columns side by side as there is room for."""
    heads = step.columns or [*map(str, range(step.array.shape[1]))]
    cells = [[cell(value, step) for value in row] for row in step.array]
    numbers = [
        max(each.cell_len for each in column) for column in zip(*cells, strict=True)
    ]
    label = min(max(map(cell_len, step.rows)), room // 3)
    wide = [max(n, cell_len(x)) for n, x in zip(numbers, heads, strict=True)]
    for part in parts([GAP + each for each in wide], room - label):
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("", overflow="fold")
        for i in part:  # a head may look like markup, and may be longer than a line
            least, text = numbers[i], Text(heads[i])
            table.add_column(text, justify="right", min_width=least, overflow="fold")
        for name, row in zip(step.rows, cells, strict=True):
            table.add_row(Text(name, style="bold"), *(row[i] for i in part))
        yield table


def parts(widths: Sequence[int], room: int) -> Iterator[range]:
    """Neighbours that fit side by side, at least one each time."""
    first = used = 0
    for i, width in enumerate(widths):
        if used + width > room and i > first:
            yield range(first, i)
            first, used = i, 0
        used += width
    yield range(first, len(widths))


def main(
    sentence: str,
    *,
    spec: str = "everything",
    heads: int = 2,
    head: int = 0,
    seed: int = 0,
    as_json: bool = False,
    console: Console | None = None,
) -> None:
    """Prints the walkthrough of a sentence as a terminal page, or as JSON."""
    console = Console() if console is None else console
    walked = walk(sentence, spec=spec, heads=heads, head=head, seed=seed)
    if as_json:
        print(json.dumps(to_json(walked)))
        return
    console.print(
        Text.assemble(
            "Attention, one step at a time: ",
            (" ".join(walked.words), "bold"),
            f"\nhead {head} of {heads} (counted from 0), seed {seed}, ",
            (repr(walked.spec), "green"),
        )
    )
    for number, step in enumerate(walked.steps, 1):
        console.print(page(step, number, console.width))
    console.print(
        "Checked: x + MultiHeadAttention(x) in one call differs from these steps by "
        f"at most {walked.difference:.1e}."
    )


def to_json(walked: Walk) -> dict[str, Any]:
    """The walk as plain values, full precision."""
    steps = [
        {**dataclasses.asdict(step), "array": step.array.tolist()}
        for step in walked.steps
    ]
    return {
        "words": walked.words,
        "spec": repr(walked.spec),
        "head": walked.head,
        "difference": walked.difference,
        "steps": steps,
    }
