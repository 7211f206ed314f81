"""A picture of runs: training and validation loss against tokens, from what is on disk.

altair makes one chart; vl-convert writes it as PNG, SVG or a page that works offline.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt

from experiments.errors import UserError

FORMATS = (".svg", ".png", ".html")
LOSSES = {"train/loss": "training", "val/loss": "validation"}
WIDTH, HEIGHT = 640, 340
MOST_POINTS = 400  # a curve; more than pixels would only make the file large


def read_losses(run: Path) -> list[dict[str, Any]]:
    """The losses that a run has logged, one row a value.

    Args:
      run: a run directory.

    Returns:
      Rows of run, step, loss and split, in order.

    Raises:
      UserError: nothing has been logged yet, or a line cannot be read.
    """
    path = run / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        try:
            found = json.loads(line)
        except json.JSONDecodeError:
            raise UserError(
                f"{path}:{number}: not a line of JSON; `attn resume {run}` repairs it."
            ) from None
        rows += [
            {
                "run": run.name,
                "step": found["step"],
                "loss": found[key],
                "split": split,
            }
            for key, split in LOSSES.items()
            if key in found
        ]
    if not rows:
        raise UserError(f"{run}: nothing to plot yet; its first losses are not logged.")
    return rows


def thin(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Training losses averaged into at most MOST_POINTS points; the rest untouched."""
    train = [row for row in rows if row["split"] == "training"]
    size = -(-len(train) // MOST_POINTS)
    groups = [train[i : i + size] for i in range(0, len(train), size)]
    means = [
        group[-1] | {"loss": sum(row["loss"] for row in group) / len(group)}
        for group in groups
    ]
    return means + [row for row in rows if row["split"] != "training"]


def loss_chart(runs: Sequence[Path]) -> alt.LayerChart:
    """Loss against steps, a colour a run: thin lines train, points are validation.

    Args:
      runs: run directories.

    Raises:
      UserError: a run has no losses.
    """
    rows = [row for run in runs for row in thin(read_losses(run))]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("step:Q", title="step"),
        y=alt.Y("loss:Q", title="loss (nats per token)").scale(zero=False),
        color=alt.Color("run:N", title=None, legend=alt.Legend(orient="top")),
        tooltip=["run:N", "split:N", "step:Q", alt.Tooltip("loss:Q", format=".4f")],
    )
    train = base.transform_filter("datum.split == 'training'").mark_line(
        opacity=0.45, strokeWidth=1
    )
    validation = base.transform_filter("datum.split == 'validation'").mark_line(
        point=alt.OverlayMarkDef(size=36), strokeWidth=2
    )
    title = alt.Title(
        "Loss", subtitle="thin: training, points: validation", anchor="start"
    )
    return alt.layer(train, validation, title=title).properties(
        width=WIDTH, height=HEIGHT
    )


def save(chart: alt.LayerChart, path: Path) -> None:
    """Writes a chart; the ending says whether as SVG, PNG or an offline page.

    Raises:
      UserError: another ending.
    """
    if path.suffix not in FORMATS:
        raise UserError(
            f"{path}: a picture ends in {', '.join(FORMATS)}, got {path.suffix!r}."
        )
    options: dict[str, Any] = {"scale_factor": 2} if path.suffix == ".png" else {}
    if path.suffix == ".html":
        options["inline"] = True  # the page needs no network
    chart.save(str(path), **options)
