"""An inspection as text: heads by score, one head in shades, the logit lens."""

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments.inspect.page import strongest
from experiments.inspect.scores import SCORES
from experiments.inspect.view import Head, Inspection, visible
from experiments.progress import printable

SHADES = " ·░▒▓█"  # from which share on: see STEPS
STEPS = (0.02, 0.08, 0.2, 0.45, 0.75)
COLOURS = ("", "color(153)", "color(110)", "color(74)", "color(32)", "color(25)")
MOST_HEADS = 12
LONGEST = 8  # characters of a token beside the map


def show(
    inspection: Inspection,
    *,
    sort: str = "induction",
    head: Head | None = None,
    console: Console | None = None,
) -> None:
    """Prints an inspection; colours appear on a terminal only.

    Args:
      inspection: what to show.
      sort: the score that orders the heads.
      head: drawn large; None takes the strongest that has a name.
      console: where to print.
    """
    console = console or Console(highlight=False)
    head = strongest(inspection) if head is None else head
    console.print(Text(printable(inspection.run), style="bold"))
    about = (f"step {inspection.step:,}", inspection.about, *inspection.notes)
    console.print(Text(printable("; ".join(about)), style="dim"))
    console.print(Text(printable(inspection.spec)))
    console.print(head_table(inspection, sort))
    console.print()
    console.print(large(inspection, head, console.width))
    if inspection.lens is not None:
        console.print()
        console.print(lens_table(inspection))


def head_table(inspection: Inspection, sort: str) -> Table:
    """The first heads in the order of a score."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("head")
    for name in SCORES:
        table.add_column(f"{name}*" if name == sort else name, justify="right")
    table.add_column("")
    found = inspection.heads(sort)
    for each in found[:MOST_HEADS]:
        values = [number(value) for value in each.scores.values()]
        table.add_row(each.name, *values, Text(each.title, style="green"))
    if len(found) > MOST_HEADS:
        table.add_row(f"... {len(found) - MOST_HEADS} more")
    return table


def number(value: float) -> str:
    """Two digits, or a dash where there is nothing to count."""
    return "-" if np.isnan(value) else f"{value:.2f}"


def large(inspection: Inspection, head: Head, width: int) -> Text:
    """One head: a row asks, a column is asked; the last of both that fit a line."""
    rows, columns = (inspection.texts[x] for x in (head.layer.rows, head.layer.columns))
    margin = min(LONGEST, max(len(visible(token)) for token in rows)) + 6
    cell = 2 if margin + 2 * len(columns) <= width else 1
    room = max(1, (width - margin) // cell)
    start, top = max(0, len(columns) - room), max(0, len(rows) - room)
    found = Text.assemble((f"head {head.name}", "bold"), f" {head.title}".rstrip())
    found.append(f"  (rows ask; {SHADES[1:]} from {', '.join(map(str, STEPS))} on)\n")
    if start or top:
        found.append(f"the last {room} of {len(columns)} tokens\n", style="dim")
    signs = "".join(visible(token)[0].ljust(cell) for token in columns[start:])
    found.append(" " * margin + signs + "\n", style="dim")
    largest = max(1.0, float(head.weights.max(initial=0)))
    for t in range(top, len(rows)):
        name = visible(rows[t])[:LONGEST]
        found.append(f"{t:>4} {name:<{margin - 5}}", style="dim")
        for weight in head.weights[t, start:]:
            level = int(np.searchsorted(STEPS, weight / largest, side="right"))
            found.append(SHADES[level] * cell, style=COLOURS[level])
        found.append("\n")
    found.rstrip()
    return found


def lens_table(inspection: Inspection) -> Table:
    """What each layer would say after the last token, the last layer first."""
    lens = inspection.lens
    assert lens is not None
    last = len(lens.wanted) - 1
    said = visible(inspection.texts[inspection.lens_text][last])
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(Text(f"logit lens after `{said}`"))
    table.add_column("likeliest next tokens")
    table.add_column("right: rank, p", justify="right")
    for k in range(len(lens.layers) - 1, -1, -1):
        pairs = zip(lens.tokens[k, last], lens.probabilities[k, last], strict=True)
        words = (f"{visible(inspection.symbols[int(i)])} {p:.0%}" for i, p in pairs)
        rank = f"{lens.rank[k, last]}, {lens.probability[k, last]:.0%}"
        known = lens.wanted[last] >= 0
        table.add_row(lens.layers[k], Text("   ".join(words)), rank if known else "-")
    return table
