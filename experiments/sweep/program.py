"""One compiled program for several runs: in turn, or as lanes side by side."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import jax
import numpy as np
from jax import Array

from experiments import weights
from experiments.config import Config, resolve
from experiments.setup import Setup, assemble, first_state, make_training
from experiments.step import (
    Inputs,
    State,
    Tree,
    eval_batches,
    initial_state,
    train_steps,
)
from experiments.sweep.traced import Values, get, put


@dataclass(frozen=True)
class Program:
    """What configs that differ in traceable numbers and seeds have in common.

    Args:
      setup: that of the first config.
      keys: the numbers in which they differ; arguments of the compiled functions.
    """

    setup: Setup
    keys: tuple[str, ...]

    @classmethod
    def of(cls, config: Config, keys: Sequence[str], task: Any) -> "Program":
        """The program of a config and those like it; compiles nothing.

        Args:
          config: one of them.
          keys: the numbers in which they differ, from `varying`.
          task: what is learned.

        Raises:
          ConfigError: the model cannot be built.
        """
        return cls(assemble(config, task), tuple(keys))

    def values(self, config: Config) -> Values:
        """What the compiled functions take for a config."""
        return {
            key: jax.tree.map(np.float32, get(config, key), is_leaf=np.isscalar)
            for key in self.keys
        }

    def alone(self, config: Config) -> Setup:
        """A config's own setup, its functions those of this program."""
        setup, values = self.setup, self.values(config)
        inputs = replace(setup.inputs, seed=setup.place(np.uint32(config.seed)))
        train = partial(self._train, values) if self.keys else setup.train_call
        start = partial(self.begin, config, values, inputs.seed)
        derived = resolve(config)
        shared = replace(setup, config=config, derived=derived, inputs=inputs)
        return replace(shared, start=start, train_call=train)

    def begin(self, config: Config, values: Values, seed: Array) -> State:
        """The state before the first step, with drawn or with given parameters."""
        given = weights.read(config, self.setup.shapes.params)
        if given is None:
            return self._start(values, seed)
        return self._begin(values, given)

    def given(self, values: Values, params: Tree) -> State:
        """The state before the first step, with given parameters."""
        return initial_state(self.training(values), params)

    def start(self, values: Values, seed: Array) -> State:
        """The state before the first step, its parameters drawn from a seed."""
        config, size = put(self.setup.config, values), self.setup.task.vocabulary.size
        return first_state(config, size, seed, self.training(values))

    def training(self, values: Values) -> Any:
        """The step's parts with these numbers in it."""
        setup = self.setup
        config = put(setup.config, values)
        made = make_training(config, setup.task, setup.training.apply)
        return replace(made, mesh=setup.training.mesh)

    def steps(self, values: Values, state: State, inputs: Inputs, count: Array):
        """Many steps; see `train_steps`."""
        return train_steps(self.training(values), self.setup.most)(state, inputs, count)

    def lane_steps(
        self, values: Values, state: State, inputs: Inputs, seed: Array, count: Array
    ):
        """`steps` of one lane, which has its own seed."""
        return self.steps(values, state, replace(inputs, seed=seed), count)

    def lane_sums(
        self, params: Tree, inputs: Inputs, seed: Array, first: Array, count: Array
    ) -> dict[str, Array]:
        """`eval_batches` of one lane."""
        call = eval_batches(self.setup.training, self.setup.most)
        return call(params, replace(inputs, seed=seed), first, count)

    def jit(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        """Compiled, its results whole on every device."""
        placed = self.setup.training.replicated
        return jax.jit(function, out_shardings=placed, **options)

    @cached_property
    def _start(self) -> Callable[..., State]:
        return self.jit(self.start)

    @cached_property
    def _begin(self) -> Callable[..., State]:
        return self.jit(self.given)

    @cached_property
    def _train(self) -> Callable[..., Any]:
        return self.jit(self.steps, donate_argnums=1)

    @cached_property
    def train_lanes(self) -> Callable[..., Any]:
        """(values, states, inputs, seeds, count), axis 0 of all but two the lane."""
        lanes = jax.vmap(self.lane_steps, in_axes=(0, 0, None, 0, None))
        return self.jit(lanes, donate_argnums=1)

    @cached_property
    def eval_lanes(self) -> Callable[..., Any]:
        """(params, inputs, seeds, first, count) -> sums [lanes, most]."""
        return self.jit(jax.vmap(self.lane_sums, in_axes=(0, None, 0, None, None)))

    @cached_property
    def take(self) -> Callable[..., State]:
        """(states, lane) -> the state of one lane."""
        return self.jit(lambda states, i: jax.tree.map(lambda x: x[i], states))


def stack(trees: Sequence[Tree]) -> Tree:
    """Trees of one structure as one, with a first axis of lanes; on the host."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)
