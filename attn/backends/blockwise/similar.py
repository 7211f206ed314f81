"""Similarities as dot products of prepared vectors: prepared once, not per tile."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from attn.spec.similarity import L2, Bilinear, Cosine, Dot, Similarity, unit


def as_dot(
    similarity: Similarity, query: jax.Array, key: jax.Array
) -> tuple[jax.Array, jax.Array] | None:
    """Query and key whose plain dot product is the similarity.

    Args:
      similarity: The piece.
      query: [T, H] in the accumulation dtype.
      key: [S, H].

    Returns:
      New query and key of one width, or None where no dot product will do.
    """
    prepare = PREPARE.get(type(similarity))
    return None if prepare is None else prepare(similarity, query, key)


def _scale(given: Any, query: jax.Array) -> jax.Array:
    scale = 1 / math.sqrt(query.shape[-1]) if given is None else given
    return jnp.asarray(scale, query.dtype)


def _dot(similarity, query, key):
    return query * _scale(similarity.scale, query), key


def _cosine(similarity, query, key):
    temperature = jnp.asarray(similarity.temperature, query.dtype)
    return unit(query) / temperature, unit(key)


def _bilinear(similarity, query, key):
    jax.eval_shape(similarity.compare, query, key)  # for its check of the widths
    return query @ jnp.asarray(similarity.matrix, query.dtype), key


def _l2(similarity, query, key):
    # -(q.q + k.k - 2 q.k) as one product: the lengths ride in two more columns.
    scale = _scale(similarity.scale, query)
    column = lambda x: jnp.sum(x**2, -1, keepdims=True)  # noqa: E731
    one = jnp.ones_like
    left = [2.0 * scale * query, -scale * column(query), -scale * one(query[:, :1])]
    right = [key, one(key[:, :1]), column(key)]
    return jnp.concatenate(left, -1), jnp.concatenate(right, -1)


PREPARE = {Dot: _dot, Cosine: _cosine, Bilinear: _bilinear, L2: _l2}
