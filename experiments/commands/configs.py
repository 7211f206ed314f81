"""`attn config`: show, check, write a new one, and the schema for editors."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.commands.options import (
    RUNS,
    AsJson,
    Runs,
    Settings,
    split_arguments,
)
from experiments.errors import UserError

if TYPE_CHECKING:
    from experiments.config import Config
    from experiments.config.schema import Data, Model

app = typer.Typer(
    help="Show, check or write a config without running it.", no_args_is_help=True
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
        f" {derived.head_width}, {derived.key_heads} key heads, MLP {derived.hidden}"
        f"{_mixes(model)}",
        "attention": f"{model.masks}, {model.position}, {model.normalizer}",
        "data": _data(data, derived.source),
    }
    return "\n".join(f"  {name:<10}{line}" for name, line in lines.items())


def _mixes(model: "Model") -> str:
    """Where neighbouring tokens are mixed; nothing where they are not."""
    places = ", ".join(model.convolve)
    return f", short convolutions at {places}" if places else ""


def _data(data: "Data", source: str) -> str:
    """What is learned: a text, or a task with its options."""
    from experiments.config.errors import show  # late, for start-up time

    if data.kind == "text":
        apart = f", documents by {show(data.documents)}" if data.documents else ""
        return f"{data.path or source}, {data.vocabulary} tokens{apart}"
    return ", ".join([data.kind, *(f"{k} {v}" for k, v in data.options.items())])


@app.command(epilog="Example: attn config schema --out attn.schema.json")
def schema(
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write (default: print).")
    ] = None,
) -> None:
    """Print the JSON schema with which editors complete and check a config.

    An editor with the YAML language server uses it for every file that begins with
    `# yaml-language-server: $schema=attn.schema.json`.
    """
    from experiments import storage  # late, like the next: for start-up time
    from experiments.config.editors import json_schema

    text = json.dumps(json_schema(), indent=2) + "\n"
    if out is not None and out.is_dir():
        raise UserError(f"{out}: is a folder; --out is a file like attn.schema.json.")
    if out is None:
        print(text, end="")
    else:
        storage.write_atomic(out, text)
        print(f"{out}\nFirst line of a config: # yaml-language-server: $schema={out}")


@app.command(epilog="Example: attn config new recall")
def new(
    name: Annotated[str, typer.Argument(help="Of the file and its runs.")] = "mine",
) -> None:
    """Write a config with every key, its meaning and its default."""
    from experiments.config import dump, load, meaning  # late, for start-up time
    from experiments.config.schema import Config

    path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    checked = load(None, [f"name={json.dumps(path.stem)}"])
    config = Config(name=checked.name)  # not completed: null leaves it to the task
    head = (
        f"#   attn train {path}\n#\n# Every key with its default: change what you"
        " mean to change, delete the rest.\n"
    )
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(head + dump(config, meaning))
    except FileExistsError:
        raise UserError(
            f"{path}: is there already; give another name, or remove it."
        ) from None
    print(f"{path}\nNext: attn config check {path}, attn train {path}")
