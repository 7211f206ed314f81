"""The runner's jitted step as a contender."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments import tasks
from experiments.bench.contender import Arrays, Contender
from experiments.bench.jitted import traced
from experiments.bench.program import dissect
from experiments.bench.rivals.text import SEED
from experiments.config import Config
from experiments.setup import Setup, assemble

TRAINING = 3  # FLOPs of a step over those of its forward pass


class Running:
    """Training that goes on: the state is donated from call to call.

    Args:
      setup: as the runner assembles it.
    """

    def __init__(self, setup: Setup):
        self.setup, self.state = setup, setup.start()

    def take(self, steps: int) -> np.ndarray:
        """Takes steps as the runner does; their losses on the host."""
        self.state, metrics, done = self.setup.train_call(
            self.state, self.setup.inputs, np.int32(steps)
        )
        return np.asarray(metrics["loss"])[: int(done)]


def running(config: Config, *, steps: int, checked: int) -> Contender:
    """A contender that takes `steps` a call, checked on its first losses."""
    setup = assemble(config, tasks.build(config.data))
    flops = TRAINING * setup.costs["cost/flops_per_token"] * config.data.batch
    trainer, fresh = Running(setup), Running(setup)
    args = (trainer.state, setup.inputs, np.int32(steps))
    program, text = dissect(
        setup.train_call, args, flops=flops * config.data.length, reads_all=False
    )

    def call() -> np.ndarray:
        return trainer.take(steps)

    def outputs() -> list[np.ndarray]:
        fresh.state = setup.start()
        return [fresh.take(checked)]

    return Contender(
        call=call,
        outputs=outputs,
        facts={
            "program": asdict(program),
            "hlo": text,
            "seeds": {"text": SEED, "training": config.seed},
        },
        units=steps,
        given=lambda: given(setup, checked),
        profile=lambda folder: traced(call, Path(folder), text),
    )


def given(setup: Setup, steps: int) -> Arrays:
    """Initial weights, the first batches and rates, for the same model elsewhere."""
    state, config = setup.start(), setup.config
    draw = jax.jit(lambda i: setup.training.batch(setup.inputs.data, seed, "train", i))
    seed: Any = setup.inputs.seed
    batches = [draw(np.int32(i)) for i in range(steps)]
    rates = [float(setup.training.schedule(i)) for i in range(steps)]
    found = {name(path): np.asarray(x) for path, x in leaves(state.params)}
    optim = config.optim
    return found | {
        "tokens": np.stack([np.asarray(x.tokens) for x in batches]),
        "targets": np.stack([np.asarray(x.targets) for x in batches]),
        "rates": np.array(rates),
        "adam": np.array([*optim.betas, optim.eps, optim.weight_decay, optim.clip]),
    }


def leaves(tree: Any) -> list[tuple[Any, Any]]:
    """Paths and arrays of a tree."""
    return jax.tree_util.tree_flatten_with_path(tree)[0]


def name(path: Any) -> str:
    """`blocks.0.mlp.up.kernel`."""
    keys = (getattr(each, "key", getattr(each, "idx", each)) for each in path)
    return ".".join(map(str, keys))
