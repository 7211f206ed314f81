"""A random regular language whose entropy is known: loss minus entropy means something.

A few states; in each some symbols may come, each with its probability, and each leads
to a state. So the state follows from the symbols so far, the entropy of the next symbol
is that of the state, and its mean over the places of a line is known exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from experiments.config.fields import Count, Positive, Seed
from experiments.config.knobs import Knobs
from experiments.config.section import says
from experiments.tasks.declaration import Declaration, Facts, letters
from experiments.tasks.lazy import jax, jnp, np, task
from experiments.tasks.slices import buckets

if TYPE_CHECKING:
    from jax import Array
    from numpy import ndarray

    from experiments.tasks.task import Batch


class Options(Knobs):
    """The size of the language, and which one of that size it is."""

    length: Count = says(32, "symbols of a line")
    states: Count = says(6, "states of the grammar")
    alphabet: Count = says(12, "symbols of the language")
    branches: Count = says(3, "symbols that may come in a state")
    evenness: Positive = says(1.0, "of the Dirichlet distribution of their shares")
    language: Seed = says(0, "draws the grammar")

    @property
    def context(self) -> int:
        return self.length

    @property
    def examples(self) -> float:
        return self.branches**self.length

    def problems(self) -> Iterator[tuple[str, str]]:
        if self.branches > self.alphabet:
            yield (
                "branches",
                f"at most alphabet={self.alphabet}, got {self.branches}.",
            )


class Rules(NamedTuple):
    """The grammar of S states with R rules each.

    Args:
      symbols: [S, R] the symbol that a rule writes, different within a state.
      chances: [S, R] float64, how likely it is.
      states: [S, R] the state it leads to.
    """

    symbols: ndarray
    chances: ndarray
    states: ndarray


@cache
def rules(knobs: Options) -> Rules:
    """The grammar of the options; a line starts in state 0."""
    draw = np.random.Generator(np.random.PCG64(knobs.language))
    shape = (knobs.states, knobs.branches)
    order = draw.random((knobs.states, knobs.alphabet)).argsort(1)
    shares = draw.gamma(knobs.evenness, size=shape) + 1e-9  # none is exactly zero
    return Rules(
        symbols=order[:, : knobs.branches].astype(np.int32),
        chances=shares / shares.sum(1, keepdims=True),
        states=draw.integers(0, knobs.states, shape).astype(np.int32),
    )


def visits(knobs: Options) -> ndarray:
    """[length, S] float64: how likely each state is at each place."""
    made = rules(knobs)
    moves = np.zeros((knobs.states, knobs.states))
    np.add.at(moves, (np.arange(knobs.states)[:, None], made.states), made.chances)
    places = [np.eye(knobs.states)[0]]
    for _ in range(knobs.length - 1):
        places.append(places[-1] @ moves)
    return np.stack(places)


def facts(knobs: Options) -> Facts:
    """The floor is the mean entropy of the next symbol, in nats."""
    chances, share = rules(knobs).chances, visits(knobs).mean(0)
    entropy = -(chances * np.log(chances)).sum(1)
    best = float(share @ chances.max(1))
    chance = math.log(knobs.alphabet)
    return Facts(chance, 1 / knobs.alphabet, float(share @ entropy), best)


def example(rng: Array, knobs: Options) -> Batch:
    """A start mark and a line of the language; every symbol counts.

    Returns:
      tokens, targets, weights [length]; the tokens are the targets one place later.
    """
    made = rules(knobs)
    symbols, states = jnp.asarray(made.symbols), jnp.asarray(made.states)
    ends = jnp.asarray(made.chances.cumsum(1)[:, :-1].astype(np.float32))

    def step(state: Array, draw: Array):
        rule = (draw >= ends[state]).sum(dtype=jnp.int32)
        return states[state, rule], symbols[state, rule]

    draws = jax.random.uniform(rng, (knobs.length,))
    line = jax.lax.scan(step, jnp.int32(0), draws)[1]
    start = jnp.full(1, knobs.alphabet, jnp.int32)
    place = jnp.arange(1, knobs.length + 1, dtype=jnp.int32)
    weights = jnp.ones(knobs.length, jnp.float32)
    slices = buckets("place", place, knobs.length)
    return task.Batch(jnp.concatenate([start, line[:-1]]), line, weights, slices)


TASK = Declaration(
    knobs=Options,
    presets={
        "tiny": {"length": 32, "states": 6, "alphabet": 12, "branches": 3},
        "small": {"length": 128, "states": 40, "alphabet": 40, "branches": 4},
        "paper": {"length": 512, "states": 1000, "alphabet": 200, "branches": 8},
    },
    example=example,
    symbols=lambda knobs: (*letters(knobs.alphabet), "|"),
    facts=facts,
    prompt="|",
    slices="place: symbols of the line so far",
    reference="Vidal et al. 2005 (probabilistic finite automata), PAMI 27(7)",
)
