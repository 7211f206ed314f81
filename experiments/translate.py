"""Answers of an encoder and a decoder: greedy, or along several beams."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from attn.decoding import beam_search, greedy
from attn.modules import Encoded, Seq2Seq
from attn.spec.site import at
from experiments.model import padded
from experiments.step import Inputs, Tree, split
from experiments.tasks.task import END, Translation


def translate(
    model: Seq2Seq,
    batch: Translation,
    rng: Array | None,
    *,
    length: int,
    beams: int,
    penalty: float,
) -> tuple[Array, Array]:
    """The answers to a batch of sources, each read once.

    Args:
      model: what was trained.
      batch: its source counts.
      rng: nothing is drawn.
      length: most tokens of an answer, its end among them.
      beams: 1 takes the likeliest token each time.
      penalty: favours longer answers; see `beam_search`.

    Returns:
      The answers [B, beams, length] int32, best first, END from their end on, and
      their worth [B, beams] float32: log probabilities, with a beam set against length.
    """
    del rng
    source = model.encode(batch.source, at=padded(batch.source_present))

    def one(value: Array, present: Array) -> tuple[Array, Array]:
        rows = lambda x: jnp.broadcast_to(x[None], (beams, *x.shape))  # noqa: E731
        where = at(segment=rows(present.astype(jnp.int32)))
        encoded = Encoded(rows(value), where)

        def score(tokens: Array, count: Array) -> Array:
            return model.decode(tokens, encoded)[:, count - 1]

        if beams == 1:
            found = greedy(score, start=END, end=END, length=length)
            return jax.tree.map(lambda x: x[None], found)
        return beam_search(
            score, start=END, end=END, length=length, beams=beams, penalty=penalty
        )

    return jax.vmap(one)(source.value, batch.source_present)


def make_translate_call(model: Seq2Seq, length: int) -> Callable[..., Any]:
    """Compiles once for each number of beams.

    Args:
      model: its structure; the numbers come with each call.
      length: most tokens of an answer.

    Returns:
      (params, inputs, source [B, S], present [B, S], penalty, beams=) -> what
      `translate` returns.
    """

    @partial(jax.jit, static_argnames="beams")
    def call(
        params: Tree,
        inputs: Inputs,
        source: Array,
        present: Array,
        penalty: Array,
        *,
        beams: int,
    ):
        how = partial(translate, length=length, beams=beams, penalty=penalty)
        apply, _, _ = split(model, how)
        return apply(params, inputs.constants, sourced(source, present), None)

    return call


def sourced(source: Array, present: Array) -> Translation:
    """A batch of which only the sources [B, S] mean anything."""
    empty = jnp.zeros((source.shape[0], 1), jnp.int32)
    weights = jnp.zeros(empty.shape, jnp.float32)
    return Translation(empty, empty, weights, source=source, source_present=present)


def up_to_end(answer: np.ndarray) -> list[int]:
    """The tokens of an answer before its end."""
    ends = np.flatnonzero(answer == END)
    return answer[: ends[0] if ends.size else None].tolist()


def fill(tokens: list[int], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Tokens as one row of a batch: [1, size], and which of it is there."""
    row, present = np.full((1, size), END, np.int32), np.zeros((1, size), bool)
    row[0, : len(tokens)], present[0, : len(tokens)] = tokens, True
    return row, present
