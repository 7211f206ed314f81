"""A run of the nanoGPT recipe in torch: the process that `torch_recipe` times.

    python -m experiments.bench.rivals.torch_training '{"folder": ..., "seed": 0, ...}'

It draws its own weights, trains, evaluates and saves as the config says, and prints the
validation losses as a line of JSON.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from experiments import process
from experiments.bench.rivals.torch_step import OURS, Model, Training, window
from experiments.bench.work import RECIPE, StepWork
from experiments.config import Config, load, resolve
from experiments.shipped import find_config
from experiments.tasks import vocabularies
from experiments.tasks.text import split_text

POSITION_STD = 0.02  # of our learned positions, whatever the rest is drawn with


def main() -> None:
    """Trains by an order: folder, seed, below, threads, allocator."""
    order = json.loads(sys.argv[1])
    if order["allocator"]:
        process.keep_memory()
    torch.set_num_threads(order["threads"])
    torch.manual_seed(order["seed"])
    given = dict(np.load(Path(order["folder"], "given.npz")))
    print(json.dumps({"losses": train(given, order)}))


def train(given: dict[str, np.ndarray], order: dict) -> list[float]:
    """The validation losses, one an evaluation, until the last step or `below`."""
    config = load(find_config(RECIPE), ["data.path=text.txt"])
    work, plan = sizes(config), resolve(config)
    parts, vocabulary = tokens(given["text"], config.data.validation)
    weights = initial(config, vocabulary, order["seed"])
    training = Training(work, {**given, **weights}, compiles=False)
    losses: list[float] = []
    for step in range(1, plan.steps + 1):
        training.step(*window(parts[0], work))
        if step % plan.eval_every and step < plan.steps:
            continue
        losses.append(evaluate(training.model, parts[1], work))
        save(training, Path(order["folder"], "checkpoint.pt"))
        if losses[-1] < order["below"]:
            break
    return losses


def sizes(config: Config) -> StepWork:
    """Of the model and its batches."""
    model, data = config.model, config.data
    return StepWork(model.layers, model.heads, model.width, data.length, data.batch)


def tokens(
    text: np.ndarray, fraction: float
) -> tuple[tuple[torch.Tensor, torch.Tensor], int]:
    """Training and validation tokens, and how many symbols there are."""
    parts = split_text(text.tobytes().decode("utf-8"), fraction)
    vocabulary = vocabularies.fit("char", *parts, None)
    train, validation = (
        torch.from_numpy(vocabulary.tokens(part).astype(np.int64)) for part in parts
    )
    return (train, validation), vocabulary.size


def initial(config: Config, vocabulary: int, seed: int) -> dict[str, np.ndarray]:
    """Weights drawn as ours are, under our names."""
    model, random = config.model, np.random.default_rng(seed)
    width, std = model.width, model.init_std
    hidden, last = 4 * width, std * (2 * model.layers) ** -0.5

    def draw(rows: int, columns: int, spread: float) -> np.ndarray:
        return spread * random.standard_normal((rows, columns), np.float32)

    kernels = [*[(width, width, std)] * 3, (width, width, last)]
    maps = [(width, hidden, std), (hidden, width, last)]
    shapes = [None, *kernels, None, *maps]  # None is a norm; the order is that of OURS
    found = {
        "embedding.table": draw(vocabulary, width, std),
        "position.parameters.table": draw(config.data.length, width, POSITION_STD),
        "norm.scale": np.ones(width, np.float32),
    }
    for number in range(model.layers):
        for name, shape in zip(OURS, shapes, strict=True):
            drawn = np.ones(width, np.float32) if shape is None else draw(*shape)
            found[f"blocks.{number}.{name}"] = drawn
    return found


@torch.no_grad()
def evaluate(model: Model, text: torch.Tensor, work: StepWork) -> float:
    """The mean loss over the whole text, in windows side by side."""
    count = (len(text) - 1) // work.context
    rows = [text[start : start + count * work.context] for start in (0, 1)]
    inputs, targets = (row.unflatten(0, (count, work.context)) for row in rows)
    pairs = zip(inputs.split(work.batch), targets.split(work.batch), strict=True)
    return sum(model(x, y).item() * len(x) for x, y in pairs) / count


def save(training: Training, path: Path) -> None:
    """A checkpoint, in place of the one before."""
    state = {
        "model": training.model.state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "taken": training.taken,
    }
    torch.save(state, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


if __name__ == "__main__":
    main()
