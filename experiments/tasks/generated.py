"""Tasks whose examples are drawn: one example, lifted to batches, and the split.

Training and validation share no example, by construction: a hash of what the model
reads says to which of the two an example belongs, and a batch is filled with those
that belong to its split, in the order in which they were drawn. Validation is one list
of examples, which the task's options alone decide: batches of any size are cut from it.
"""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from experiments.config.schema import Data
from experiments.tasks.declaration import VALIDATION_EXAMPLES, Declaration
from experiments.tasks.task import Batch, Split, Task, batch_key
from experiments.tasks.vocabularies.symbols import Symbols

VALIDATION_SHARE = 8  # one example of so many is kept for validation
CHUNK = 16  # of them are drawn together: a divisor of most batch sizes
# Odd numbers with well-mixed bits, from published hash functions (xxHash, lowbias32).
TOKEN, PLACE, MIX, FINISH = 0x9E3779B1, 0x85EBCA77, 0x7FEB352D, 0x846CA68B

Example = Callable[[Array], Batch]


def build(data: Data, declared: Declaration) -> Task:
    """The task of a declaration with an `example`."""
    knobs = declared.options(data)
    assert None not in (declared.example, declared.symbols, declared.facts)
    facts = declared.facts(knobs)
    vocabulary = Symbols(declared.symbols(knobs))
    example = partial(declared.example, knobs=knobs)
    return Task(
        vocabulary=vocabulary,
        arrays={},
        batch=partial(batch, example=example, count=data.batch),
        context=data.length,
        validation_steps=math.ceil(VALIDATION_EXAMPLES / data.batch),
        fingerprint=fingerprint(data),
        summary=summary(data, vocabulary.size),
        chance=facts.chance,
        chance_accuracy=facts.chance_accuracy,
        floor=facts.floor,
        best_accuracy=facts.best_accuracy,
        whole=declared.whole,
    )


def batch(
    arrays: Any,
    seed: Array | int,
    split: Split,
    step: Array | int,
    *,
    example: Example,
    count: int,
) -> Batch:
    """`count` examples of one split.

    Args:
      arrays: none are needed.
      seed: draws the training examples; validation does not depend on it.
      split: train or validation.
      step: which batch. Validation starts again after its last one.
      example: rng -> one example, without the batch axis.
      count: B.

    Returns:
      A batch; the rows that fill up the last one of validation have no weight.
    """
    del arrays
    if split == "train":
        return chosen(batch_key(seed, split, step), split, example=example, count=count)
    steps = math.ceil(VALIDATION_EXAMPLES / count)
    first = jnp.asarray(step, jnp.int32) % steps * count
    return validation(first, example=example, count=count)


def validation(first: Array, *, example: Example, count: int) -> Batch:
    """Examples `first` to `first + count - 1` of the list from which batches are cut.

    Args:
      first: a multiple of `count`.
      example: rng -> one example, without the batch axis.
      count: how many.
    """
    # A batch begins in its first chunk at a multiple of what divides both.
    most = CHUNK - math.gcd(CHUNK, count) + count
    chunks = first // CHUNK + jnp.arange(math.ceil(most / CHUNK))

    def chunk(number: Array) -> Batch:
        key = batch_key(0, "validation", number)
        return chosen(key, "validation", example=example, count=CHUNK)

    def cut(x: Array) -> Array:
        rows = x.reshape(-1, *x.shape[2:])
        return jax.lax.dynamic_slice_in_dim(rows, first % CHUNK, count)

    # In turn: side by side they are no faster, and take longer to compile.
    found = jax.tree.map(cut, jax.lax.map(chunk, chunks))
    counts = first + jnp.arange(count) < VALIDATION_EXAMPLES
    counts = counts.reshape(-1, *(1,) * (found.weights.ndim - 1))
    return replace(found, weights=jnp.where(counts, found.weights, 0.0))


def chosen(key: Array, split: Split, *, example: Example, count: int) -> Batch:
    """The first `count` examples of a split among those that a key draws."""

    def draw(turn: Array | int) -> Batch:
        keys = jax.random.split(jax.random.fold_in(key, turn), count)
        return jax.vmap(example)(keys)

    def fill(carry: tuple[Batch, Array, Array]):
        kept, filled, turn = carry
        drawn = draw(turn)
        fits = is_validation(drawn) == (split == "validation")
        places = jnp.where(fits, filled + jnp.cumsum(fits) - 1, count)
        put = lambda into, x: into.at[places].set(x, mode="drop")  # noqa: E731
        kept = jax.tree.map(put, kept, drawn)
        return kept, filled + fits.sum(dtype=jnp.int32), turn + 1

    shapes = jax.eval_shape(draw, 0)
    nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    start = (nothing, jnp.int32(0), jnp.int32(0))
    return jax.lax.while_loop(lambda carry: carry[1] < count, fill, start)[0]


def is_validation(batch: Batch) -> Array:
    """[B] bool: which examples are kept for validation, by what the model reads."""
    total = hashed(batch.tokens)
    if (source := getattr(batch, "source", None)) is not None:
        total = mixed(total + hashed(source) * jnp.uint32(TOKEN))
    return total % VALIDATION_SHARE == 0


def hashed(tokens: Array) -> Array:
    """A hash of each row: [B, T] int32 to [B] uint32."""
    places = jnp.arange(1, tokens.shape[-1] + 1, dtype=jnp.uint32) * jnp.uint32(PLACE)
    marked = (tokens.astype(jnp.uint32) + 1) * jnp.uint32(TOKEN)
    return mixed(mixed(marked ^ places[None]).sum(-1, dtype=jnp.uint32))


def mixed(x: Array) -> Array:
    """Every bit of a uint32 spread over all of them.

    Reference: Wellons 2018, "Prospecting for hash functions", lowbias32.
    """
    x = (x ^ (x >> 16)) * jnp.uint32(MIX)
    x = (x ^ (x >> 15)) * jnp.uint32(FINISH)
    return x ^ (x >> 16)


def fingerprint(data: Data) -> str:
    """SHA-256 of what a generated task is: its name and its options."""
    text = json.dumps([data.kind, data.options], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def summary(data: Data, size: int) -> str:
    """One line on a generated task: `mqar: length 64, pairs 4, ...; 32 symbols`."""
    said = [f"{key} {value}" for key, value in data.options.items()]
    return f"{data.kind}: {', '.join(said)}; {size} symbols"
