"""The walkthrough as a terminal page or as JSON."""

import dataclasses
import json
from typing import Any

import numpy as np
from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from experiments.walkthrough.steps import Step, Walk, walk

# From which size on a cell is drawn in which style.
SHADES = ((0.5, "bold black on cyan"), (0.3, "bold cyan"), (0.15, "cyan"), (0.05, ""))
FAINT = "dim"


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


def page(step: Step, number: int) -> Panel:
    """One step as a panel."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    for column in step.columns or map(str, range(step.array.shape[1])):
        table.add_column(Text(column), justify="right")  # it may look like markup
    for label, row in zip(step.rows, step.array, strict=True):
        table.add_row(Text(label, style="bold"), *(cell(value, step) for value in row))
    head = Text.assemble(step.meaning, "\n", (step.formula, "green"), "\n")
    title = f"{number}. {step.title}  [dim]{escape(step.shape)}[/]"
    return Panel(Group(head, table), title=title, title_align="left")


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
        console.print(page(step, number))
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
