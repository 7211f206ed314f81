"""Tasks whose examples are drawn: one example, lifted to batches, and the split.

Training and validation share no example, by construction: a hash of what the model
reads says to which of the two an example belongs, and a batch is filled with those
that belong to its split, in the order in which they were drawn.
"""

import hashlib
import json
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from experiments.config.schema import Data
from experiments.tasks.declaration import Declaration
from experiments.tasks.task import Batch, Split, Task, batch_key
from experiments.tasks.vocabularies.symbols import Symbols

VALIDATION_SHARE = 8  # one example of so many is kept for validation
VALIDATION_EXAMPLES = 2048  # what an evaluation of everything reads
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
      step: which batch.
      example: rng -> one example, without the batch axis.
      count: B.
    """
    del arrays
    key = batch_key(seed if split == "train" else 0, split, step)

    def draw(turn: Array | int) -> Batch:
        keys = jax.random.split(jax.random.fold_in(key, turn), count)
        return jax.vmap(example)(keys)

    def fill(carry: tuple[Batch, Array, Array]):
        chosen, filled, turn = carry
        drawn = draw(turn)
        fits = is_validation(drawn) == (split == "validation")
        places = jnp.where(fits, filled + jnp.cumsum(fits) - 1, count)
        put = lambda into, x: into.at[places].set(x, mode="drop")  # noqa: E731
        chosen = jax.tree.map(put, chosen, drawn)
        return chosen, filled + fits.sum(dtype=jnp.int32), turn + 1

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
