"""Similarities as dot products of prepared vectors: prepared once, not per tile.

`PREPARE[type](similarity, query [T, H], key [S, H])` gives a new query and key whose
plain dot product is the similarity; what is not in the table needs the scan.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from attn.spec.similarity import L2, Bilinear, Cosine, Dot, unit


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


PREPARE: dict[type, Callable] = {
    Dot: _dot,
    Cosine: _cosine,
    Bilinear: _bilinear,
    L2: _l2,
}
