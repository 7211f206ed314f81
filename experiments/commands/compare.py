"""`attn compare` and `attn noise`: statistics over runs."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.options import RUNS, AsJson, Runs, finite

Words = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN|SWEEP|CONFIG...",
        help="Runs, sweeps, studies or configs; a config means its runs of all seeds.",
    ),
]


def compare(
    words: Words,
    runs: Runs = RUNS,
    metric: Annotated[
        str | None,
        typer.Option(help="What is compared first.", show_default="the study's"),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(help="The variant to test against.", show_default="the first"),
    ] = None,
    best_of: Annotated[
        list[str] | None,
        typer.Option("--best-of", help="A key whose best value counts: optim.lr."),
    ] = None,
    half: Annotated[
        bool,
        typer.Option("--half", help="Choose by half of the seeds, report the others."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say which of several variants is better, at what, and how sure that is."""
    from rich.console import Console  # late, like the three below, for start-up time

    from experiments.compare.comparison import Asked
    from experiments.compare.members import find
    from experiments.compare.render import show

    found = find(words, Path(runs), best_of or [])
    index = found.index
    asked = Asked(
        title=index.title if index else "Comparison",
        metric=metric or (index.metric if index else "val/loss"),
        goal=index.goal if index and metric in (None, index.metric) else None,
        reference=reference or (index.reference if index else None) or None,
        half=half,
    )
    from experiments.compare.compare import compare  # late: scipy

    comparison = compare(found, asked)
    for each in found.damaged:
        print(f"Left out: {each.reason}", file=sys.stderr)
    if as_json:
        print(json.dumps(comparison.to_json(), indent=2))
    else:
        show(comparison, Console(highlight=False))


def noise(
    file: Annotated[str, typer.Argument(metavar="CONFIG", help="A config.")],
    changes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", show_default=False),
    ] = None,
    seeds: Annotated[int, typer.Option(min=2, help="Seeds to train: 0, 1, ...")] = 8,
    metric: Annotated[str, typer.Option(help="Whose noise.")] = "val/loss",
    difference: Annotated[
        list[float] | None,
        typer.Option(
            callback=finite,
            help="A difference to be seen.",
            show_default="shares of it",
        ),
    ] = None,
    runs: Runs = RUNS,
    as_json: AsJson = False,
) -> int:
    """Train one config with several seeds: which differences can be seen at all."""
    from experiments.shipped import find_config
    from experiments.sweep.noise import noise_of  # late, for start-up time

    path = find_config(file)
    code, found = noise_of(
        path,
        changes or [],
        seeds=seeds,
        metric=metric,
        differences=difference or [],
        root=Path(runs),
        quiet=as_json,
    )
    if as_json and found is not None:
        print(json.dumps(asdict(found), indent=2))
    return code
