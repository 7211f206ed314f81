"""One compiled program for several runs: one after the other, or as lanes of `vmap`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import jax
import numpy as np
from jax import Array

from experiments.config import Config, resolve
from experiments.setup import Setup, assemble, first_state, make_training
from experiments.step import Inputs, State, Tree, eval_batches, train_steps
from experiments.sweep.traced import Values, get, put, varying


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
    def of(cls, configs: Sequence[Config], task: Any) -> "Program":
        """The program of configs with one `program_hash`; compiles nothing.

        Raises:
          ConfigError: the model cannot be built.
        """
        return cls(assemble(configs[0], task), varying(configs))

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
        if not self.keys:
            train, start = setup.train_call, partial(self._start, {}, inputs.seed)
        else:
            train = partial(self._train, values)
            start = partial(self._start, values, inputs.seed)
        derived = resolve(config)
        shared = replace(setup, config=config, derived=derived, inputs=inputs)
        return replace(shared, start=start, train_call=train)

    def start(self, values: Values, seed: Array) -> State:
        """The state before the first step."""
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

    @cached_property
    def _start(self) -> Callable[..., State]:
        return jax.jit(self.start, out_shardings=self.setup.training.replicated)

    @cached_property
    def _train(self) -> Callable[..., Any]:
        placed = self.setup.training.replicated
        return jax.jit(self.steps, donate_argnums=1, out_shardings=placed)


@dataclass(frozen=True)
class Lanes:
    """The compiled functions of several runs side by side; axis 0 is the lane.

    Args:
      program: what the runs have in common.
      configs: one for each lane.
    """

    program: Program
    configs: tuple[Config, ...]

    @cached_property
    def values(self) -> Values:
        """The numbers of each lane, [lanes] each."""
        return stack([self.program.values(each) for each in self.configs])

    @cached_property
    def seeds(self) -> Array:
        """uint32 [lanes]."""
        seeds = np.array([each.seed for each in self.configs], np.uint32)
        return self.program.setup.place(seeds)

    def train(self, states: State, count: int) -> Any:
        """Takes steps in every lane: (states, metrics [lanes, most], done [lanes])."""
        inputs = self.program.setup.inputs
        return self._train(self.values, states, inputs, self.seeds, np.int32(count))

    def evaluate(self, params: Tree, first: Array, count: Array) -> dict[str, Array]:
        """Sums [lanes, most] of validation batches."""
        return self._eval(params, self.program.setup.inputs, self.seeds, first, count)

    def take(self, states: State, lane: int) -> State:
        """The state of one lane."""
        return self._take(states, np.int32(lane))

    @cached_property
    def _train(self) -> Callable[..., Any]:
        def one(values, state, inputs, seed, count):
            return self.program.steps(values, state, replace(inputs, seed=seed), count)

        return self._jit(one, (0, 0, None, 0, None), donate_argnums=1)

    @cached_property
    def _eval(self) -> Callable[..., Any]:
        setup = self.program.setup
        call = eval_batches(setup.training, setup.most)

        def one(params, inputs, seed, first, count):
            return call(params, replace(inputs, seed=seed), first, count)

        return self._jit(one, (0, None, 0, None, None))

    @cached_property
    def _take(self) -> Callable[..., State]:
        placed = self.program.setup.training.replicated
        return jax.jit(
            lambda states, lane: jax.tree.map(lambda x: x[lane], states),
            out_shardings=placed,
        )

    def _jit(self, one: Callable, axes: tuple, **options: Any) -> Callable[..., Any]:
        placed = self.program.setup.training.replicated
        return jax.jit(jax.vmap(one, in_axes=axes), out_shardings=placed, **options)


def stack(trees: Sequence[Tree]) -> Tree:
    """Trees of one structure as one, with a first axis of lanes."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)
