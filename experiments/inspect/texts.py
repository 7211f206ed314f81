"""The text that is looked at: a prompt, a validation example, or random repeats."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.errors import UserError
from experiments.tasks.task import Batch, unlabelled

# Weights that are kept, over all heads: what fits a page of 5 MB at a byte each.
MOST_WEIGHTS = 3_000_000


def validation_example(setup: Any, number: int) -> Batch:
    """One validation example, with a batch axis of 1.

    Raises:
      UserError: there are not so many.
    """
    size = setup.config.data.batch
    count = setup.task.validation_steps * size
    if number >= count:
        raise UserError(
            f"attn inspect: validation example {number} is not there; expected 0 to "
            f"{count - 1}."
        )
    draw = jax.jit(
        lambda data, seed, step: setup.task.batch(data, seed, "validation", step)
    )
    inputs = setup.inputs
    batch = draw(inputs.data, inputs.seed, np.int32(number // size))
    row = number % size
    return jax.tree.map(lambda x: np.asarray(x)[row : row + 1], batch)


def continued(tokens: np.ndarray) -> Batch:
    """A text [T] of which every token but the first is to be foretold."""
    batch = unlabelled(jnp.asarray(tokens)[None])
    targets = np.append(tokens[1:], 0)[None].astype(np.int32)
    weights = np.append(np.ones(len(tokens) - 1), 0)[None].astype(np.float32)
    return dataclasses.replace(batch, targets=targets, weights=weights)


def repeated(setup: Any) -> Batch:
    """Random tokens twice: what comes in the second half can only be looked up.

    The tokens are distinct and drawn from those of the first validation batch, so
    that the model knows them. Reference: Olsson et al. 2022, arXiv 2209.11895.
    """
    inputs = setup.inputs
    batch = setup.task.batch(inputs.data, inputs.seed, "validation", np.int32(0))
    known = np.unique(np.asarray(batch.tokens))
    half = min(len(known), setup.config.data.length // 2)
    if half < 2:
        raise UserError(
            "attn inspect: --repeat needs a context of at least 4 and two tokens."
        )
    drawn = np.random.default_rng(0).permutation(known)[:half].astype(np.int32)
    found = continued(np.tile(drawn, 2))
    weights = found.weights.copy()
    weights[:, : half - 1] = 0  # nobody can foretell the first half
    return dataclasses.replace(found, weights=weights)


def fitting(setup: Any, batch: Batch) -> tuple[Batch, tuple[str, ...]]:
    """The last tokens of a text that fit the context and a page.

    Raises:
      UserError: a model that reads two texts would need too large a page.
    """
    model, length = setup.config.model, batch.tokens.shape[1]
    heads = model.layers * model.heads
    most = min(setup.config.data.length, int((MOST_WEIGHTS / heads) ** 0.5))
    if length <= most:
        return batch, ()
    if model.kind != "decoder":
        raise UserError(
            f"attn inspect: {heads} heads on {length} tokens are too many to show; "
            f"at most {most} tokens."
        )
    cut = jax.tree.map(lambda x: x[:, -most:], batch)
    note = f"the last {most} of {length} tokens, which the model read alone"
    return cut, (note,)
