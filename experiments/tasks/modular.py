"""Modular arithmetic on a table of which a fixed part is never shown: grokking."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from experiments.config.fields import Count, Fraction, Seed, choice
from experiments.config.knobs import Knobs
from experiments.config.section import says
from experiments.tasks.declaration import Declaration, Facts
from experiments.tasks.lazy import generated, jax, jnp, np, task

if TYPE_CHECKING:
    from jax import Array
    from numpy import ndarray

    from experiments.config.schema import Data
    from experiments.tasks.task import Batch, Split, Task

SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}
FEWEST = 7  # a smaller table leaves too few pairs to learn from


class Options(Knobs):
    """Which table, and how much of it is shown."""

    modulus: Count = says(23, "numbers are 0 ... modulus - 1")
    operation: choice(SIGNS) = says("add", "add, subtract, multiply or divide")
    shown: Fraction = says(0.7, "share of the table to train on")
    table: Seed = says(0, "draws which part of the table that is")

    @property
    def context(self) -> int:
        return 4

    def problems(self) -> Iterator[tuple[str, str]]:
        p = self.modulus
        if p < FEWEST:
            yield "modulus", f"at least {FEWEST}, got {p}."
        elif self.operation == "divide" and not is_prime(p):
            below = next(n for n in range(p, 1, -1) if is_prime(n))
            yield "modulus", f"must be prime to divide, got {p}; {below} is."
        elif round(p * p * (1 - self.shown)) < 1 or round(p * p * self.shown) < 1:
            yield "shown", f"leaves one of the parts empty, got {self.shown}."


def is_prime(number: int) -> bool:
    """Whether a number has no divisor but itself; for numbers of a few digits."""
    return number > 1 and all(number % n for n in range(2, math.isqrt(number) + 1))


def table(knobs: Options) -> ndarray:
    """Every [a, b, result], int32, in the order of a and b."""
    p = knobs.modulus
    a, b = np.divmod(np.arange(p * p), p)
    if knobs.operation == "divide":  # a / b is the number whose product with b is a
        a, b, result = a * b % p, b, a
        kept = b > 0
        return np.stack([a, b, result], 1)[kept].astype(np.int32)
    found = {"add": a + b, "subtract": a - b, "multiply": a * b}[knobs.operation]
    return np.stack([a, b, found % p], 1).astype(np.int32)


def build(data: Data, *, vocabulary: str | None = None) -> Task:
    """The table, permuted by its own seed and cut once: what is shown, and the rest."""
    del vocabulary  # it follows from the options
    knobs = TASK.options(data)
    rows = table(knobs)
    key = jax.random.key(knobs.table, impl="threefry2x32")
    order = np.asarray(jnp.argsort(jax.random.bits(key, (len(rows),))))
    cut = round(len(rows) * knobs.shown)
    parts = {"train": rows[order[:cut]], "validation": rows[order[cut:]]}
    words = (*map(str, range(knobs.modulus)), SIGNS[knobs.operation], "=")
    known = facts(knobs)
    return task.Task(
        vocabulary=generated.Symbols(words),
        arrays={name: jnp.asarray(part) for name, part in parts.items()},
        batch=partial(batch, count=data.batch, modulus=knobs.modulus),
        context=knobs.context,
        validation_steps=math.ceil(len(parts["validation"]) / data.batch),
        fingerprint=generated.fingerprint(data),
        summary=generated.summary(data, len(words)),
        chance=known.chance,
        chance_accuracy=known.chance_accuracy,
        floor=known.floor,
        best_accuracy=known.best_accuracy,
    )


def batch(
    arrays: dict[str, Array],
    seed: Array | int,
    split: Split,
    step: Array | int,
    *,
    count: int,
    modulus: int,
) -> Batch:
    """`a + b =`: at the `=` the result is wanted.

    Args:
      arrays: the two parts of the table, as `build` made them.
      seed: draws training rows; validation shows each of its rows once, in order.
      split: train or validation.
      step: which batch.
      count: B.
      modulus: the sign has this token, the `=` the next one.

    Returns:
      tokens, targets, weights [B, 4]; one target of a row counts, none of the rows
      that fill up the last batch of validation.
    """
    rows = arrays[split]
    if split == "train":
        key = task.batch_key(seed, split, step)
        places = jax.random.randint(key, (count,), 0, len(rows))
    else:
        steps = math.ceil(len(rows) / count)
        first = jnp.asarray(step, jnp.int32) % steps * count
        places = first + jnp.arange(count, dtype=jnp.int32)
    a, b, result = rows[places.clip(0, len(rows) - 1)].T
    sign, equals = jnp.full_like(a, modulus), jnp.full_like(a, modulus + 1)
    tokens = jnp.stack([a, sign, b, equals], 1)
    asked = (jnp.arange(4) == 3)[None] & (places < len(rows))[:, None]
    targets = jnp.where(asked, result[:, None], 0)
    return task.Batch(tokens, targets, asked.astype(jnp.float32))


def facts(knobs: Options) -> Facts:
    """Chance is one of the numbers; arithmetic says which."""
    return Facts(math.log(knobs.modulus), 1 / knobs.modulus)


TASK = Declaration(
    knobs=Options,
    presets={
        "tiny": {"modulus": 23, "shown": 0.7},
        "small": {"modulus": 59, "shown": 0.5},
        "paper": {"modulus": 97, "shown": 0.5},
    },
    build=build,
    facts=facts,
    prompt=lambda knobs: f"1 {SIGNS[knobs.operation]} 1 =",
    reference="Power et al. 2022 (grokking), arXiv 2201.02177",
)
