"""`attn eval` and `attn sample`: what a trained model is worth, and how it writes."""

import json
from typing import Annotated

import typer

from experiments.asked import Asked, check_asked
from experiments.commands import grid as grids
from experiments.commands.options import RUNS, AsJson, RunName, Runs, finite
from experiments.config.fields import LARGEST, MOST_BEAMS
from experiments.find import find_run
from experiments.run import Run

Which = Annotated[
    str, typer.Option("--checkpoint", help="best, last, or the step of one.")
]


def evaluate(
    name: RunName = None,
    runs: Runs = RUNS,
    checkpoint: Which = "best",
    batches: Annotated[
        int | None,
        typer.Option(
            min=1, max=LARGEST, help="Validation batches to read (default: all)."
        ),
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            "--grid",
            metavar="OPTION=VALUE,...",
            help="Options of the task to vary, such as length=16,32,64; several make"
            " a table.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score a run on held-out data, also at other lengths and difficulties."""
    path = find_run(name, runs)
    if grid:
        found = grids.evaluate_on(path, grid, checkpoint, batches)
        print(json.dumps(found) if as_json else grids.table(found))
        return
    from experiments.look import load_trained, score  # late: it imports JAX

    found = score(load_trained(path, checkpoint), batches)
    if as_json:
        print(json.dumps(found))
        return
    width = max(map(len, found)) + 2
    for key, value in found.items():
        said = f"{value:.6g}" if isinstance(value, float) else value
        print(f"{key:<{width}}{said}")


def sample(
    name: RunName = None,
    runs: Runs = RUNS,
    prompt: Annotated[
        str | None,
        typer.Option(
            help="How the text begins; what to translate or classify.",
            show_default="config",
        ),
    ] = None,
    length: Annotated[
        int | None,
        typer.Option(min=1, max=LARGEST, help="Tokens.", show_default="config"),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            min=0,
            callback=finite,
            help="0 takes the likeliest.",
            show_default="config",
        ),
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=LARGEST,
            help="Draw among the k likeliest.",
            show_default="config",
        ),
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            callback=finite,
            help="Among the likeliest of this probability together.",
            show_default="config",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=LARGEST, help="Another seed, another text."),
    ] = None,
    beam: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_BEAMS,
            help="Beams of a translation; 1 is greedy.",
            show_default="config",
        ),
    ] = None,
    length_penalty: Annotated[
        float | None,
        typer.Option(
            min=0,
            callback=finite,
            help="Favours longer answers of a beam.",
            show_default="config",
        ),
    ] = None,
    checkpoint: Which = "best",
    as_json: AsJson = False,
) -> None:
    """Let a trained model write, translate or classify."""
    asked = Asked(
        prompt=prompt,
        length=length,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        beam=beam,
        length_penalty=length_penalty,
    )
    path = find_run(name, runs)
    check_asked(asked, Run.open(path).config.model.kind)
    from experiments.look import load_trained, say  # late: it imports JAX
    from experiments.progress import printable

    trained = load_trained(path, checkpoint, text=False)
    said = say(trained, asked)
    if as_json:
        found = {"run": path.name, "step": trained.step, "text": said.text}
        print(json.dumps(found | said.record))
    else:
        print(printable(said.text))
