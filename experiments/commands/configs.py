"""`attn config show` and `attn config check`."""

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.commands.find import split_arguments
from experiments.commands.options import RUNS, AsJson, Runs, Settings

if TYPE_CHECKING:
    from experiments.config import Config
    from experiments.config.schema import Data

app = typer.Typer(
    help="Show or check a config without running it.", no_args_is_help=True
)


@app.command(epilog="Example: attn config show configs/tiny_lm.yaml model.layers=2")
def show(
    settings: Settings = None,
    origin: Annotated[
        bool, typer.Option("--origin", help="Say where each value was written.")
    ] = False,
    meanings: Annotated[
        bool, typer.Option("--meanings", help="Say what each key means and may be.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the whole config after `extends`, overrides and defaults."""
    from experiments.config import dump, load, meaning, place  # late, for start-up

    path, overrides = split_arguments(settings or [])
    config = load(path, overrides)
    if as_json:
        print(json.dumps(config.model_dump(mode="json"), indent=2))
    else:
        print(dump(config, place if origin else meaning if meanings else None), end="")


@app.command(epilog="Example: attn config check configs/tiny_lm.yaml")
def check(
    settings: Settings = None, runs: Runs = RUNS, as_json: AsJson = False
) -> None:
    """Say whether a config is fine, and what follows from it."""
    from experiments.config import load, resolve  # late, for start-up time
    from experiments.config.files import display
    from experiments.config.notation import check_notation

    path, overrides = split_arguments(settings or [])
    config = load(path, overrides)
    check_notation(config)
    if as_json:
        print(json.dumps(dataclasses.asdict(resolve(config)), indent=2))
    else:
        print(f"{display(path)} is fine.\n{summary(config, runs)}")


def summary(config: "Config", runs: object) -> str:
    """What a config will do, as a few lines."""
    from experiments.config import resolve  # late, for start-up time
    from experiments.run import directory

    derived, model, data = resolve(config), config.model, config.data
    schedule, optim = config.optim.schedule, config.optim
    sampled = (
        f"every {derived.sample_every:,} steps" if derived.sample_every else "never"
    )
    end = optim.lr * (1 if schedule.kind == "constant" else schedule.floor)
    lines = {
        "run": directory(config, str(runs)),
        "length": f"{derived.steps:,} steps of {data.batch} x {data.length} tokens,"
        f" {derived.tokens:,} tokens in all",
        "rate": f"{optim.kind}, {derived.warmup:,} steps up to {optim.lr:g},"
        f" {schedule.kind} to {end:g}",
        "evaluate": f"every {derived.eval_every:,} steps",
        "sample": sampled,
        "save": f"every {derived.checkpoint_every:,} steps",
        "model": f"{model.layers} layers, width {model.width}, {model.heads} heads of"
        f" {derived.head_width}, {derived.key_heads} key heads, MLP {derived.hidden}",
        "attention": f"{model.mask}, {model.position}, {model.normalizer}",
        "data": _data(data, derived.source),
    }
    return "\n".join(f"  {name:<10}{line}" for name, line in lines.items())


def _data(data: "Data", source: str) -> str:
    """What is learned: a text, or a task with its options."""
    if data.kind == "text":
        return f"{data.path or source}, {data.vocabulary} tokens"
    return ", ".join([data.kind, *(f"{k} {v}" for k, v in data.options.items())])
