"""Everything a run computes with, made out of its config and its task."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh

from experiments import weights
from experiments.answer import make_answer_call
from experiments.config import Config, Derived, resolve
from experiments.config.foresight import check_foresight
from experiments.costs import costs
from experiments.model import FORWARD, build_model
from experiments.optim import make_optimizer, make_schedule
from experiments.step import (
    Apply,
    Inputs,
    State,
    Training,
    Tree,
    initial_state,
    make_eval_call,
    make_train_call,
    split,
)


@dataclass(frozen=True)
class Setup:
    """What training, evaluation and sampling share.

    Args:
      config: as loaded.
      derived: the numbers that follow from it.
      task: what is learned.
      training: what a step is made of.
      inputs: data, constants and seed, on the devices.
      shapes: the state's shapes and dtypes.
      start: makes the state before the first step.
      train_call, eval_call, answer_call: the three jitted functions.
      costs: of the model, for the result; see `experiments.costs`.
    """

    config: Config
    derived: Derived
    task: Any
    training: Training
    inputs: Inputs
    shapes: State
    start: Callable[[], State]
    train_call: Callable[..., Any]
    eval_call: Callable[..., Any]
    answer_call: Callable[..., Any]
    costs: Mapping[str, float]

    @property
    def most(self) -> int:
        """The longest compiled call in steps or batches."""
        return self.config.train.steps_per_call

    @property
    def eval_batches(self) -> int:
        """Batches of one evaluation: as configured, at most all there are."""
        wanted = self.config.eval.batches
        return min(wanted or self.task.validation_steps, self.task.validation_steps)

    @property
    def idle_devices(self) -> int:
        """Devices that get nothing, because the batch does not divide by all."""
        wanted = self.config.mesh.devices or jax.local_device_count()
        return wanted - self.training.mesh.size

    @property
    def parameters(self) -> int:
        """How many numbers are learned."""
        return sum(math.prod(x.shape) for x in jax.tree.leaves(self.shapes.params))

    def place(self, tree: Tree) -> Tree:
        """Puts a pytree whole onto every device."""
        return jax.device_put(tree, self.training.replicated)


def assemble(config: Config, task: Any) -> Setup:
    """Builds the model, the optimizer and the jitted functions; compiles nothing.

    Raises:
      ConfigError: the model cannot be built or would see what it is to predict, or
        there are too few devices.
    """
    check_foresight(config, task)
    derived = resolve(config)
    size, seed = task.vocabulary.size, np.uint32(config.seed)
    forward = FORWARD[config.model.kind]
    noted: dict[str, float] = {}

    def build() -> nnx.Module:
        model = build_model(config, size)
        noted.update(costs(config, model))
        return model

    model = nnx.eval_shape(build)
    apply, _, fixed = split(model, forward)
    training = make_training(config, task, apply)

    def start(seed: Any) -> State:
        return first_state(config, size, seed, training)

    def constants() -> Tree:
        return split(build_model(config, size), forward)[2]

    placed = training.replicated
    if jax.tree.leaves(fixed):
        fixed = jax.jit(constants, out_shardings=placed)()
    shapes = jax.eval_shape(start, seed)
    made = jax.jit(start, out_shardings=placed)
    begun = jax.jit(partial(initial_state, training), out_shardings=placed)

    def begin() -> State:
        given = weights.read(config, shapes.params)
        return made(seed) if given is None else begun(given)

    most = config.train.steps_per_call
    return Setup(
        config=config,
        derived=derived,
        task=task,
        training=training,
        inputs=jax.device_put(Inputs(task.arrays, fixed, seed), placed),
        shapes=shapes,
        start=begin,
        train_call=make_train_call(training, most),
        eval_call=make_eval_call(training, most),
        answer_call=make_answer_call(config, model, apply),
        costs=noted,
    )


def first_state(config: Config, size: int, seed: Any, training: Training) -> State:
    """The state before the first step, its parameters drawn from a seed."""
    model = build_model(config, size, seed)
    return initial_state(training, split(model, FORWARD[config.model.kind])[1])


def make_training(config: Config, task: Any, apply: Apply) -> Training:
    """What a step is made of; numbers of the `optim` section may be traced."""
    derived = resolve(config)
    schedule = make_schedule(
        config.optim, steps=derived.steps, warmup=derived.warmup, decay=derived.decay
    )
    return Training(
        apply=apply,
        optimizer=make_optimizer(config.optim, schedule),
        schedule=schedule,
        batch=task.batch,
        mesh=data_mesh(config, derived.microbatch),
        accumulate=config.optim.accumulate,
        ema=config.optim.ema,
        whole=task.whole,
    )


def data_mesh(config: Config, examples: int) -> Mesh:
    """The devices that share a batch, on one axis `data`.

    Args:
      config: `mesh.devices` says how many, None for all local ones.
      examples: computed at once; the largest number of devices that divides them works.

    Raises:
      ConfigError: more devices are asked for than there are.
    """
    devices = jax.local_devices()
    wanted = config.mesh.devices or len(devices)
    if wanted > len(devices):
        raise config.mesh.fault(
            "devices",
            f"expected at most the {len(devices)} devices that are here, got {wanted}; "
            f"say mesh.devices={len(devices)} (`attn resume` takes it, too), or set "
            "process.simulated_devices on a CPU.",
        )
    used = max(n for n in range(1, wanted + 1) if examples % n == 0)
    return Mesh(np.array(devices[:used]), ("data",))
