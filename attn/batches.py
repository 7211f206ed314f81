"""Which arrays have an axis of batch or heads in front, and which all share."""

import functools
from typing import Any

import jax
import numpy as np

from attn.shapes import Shapes
from attn.spec.field import is_varying, per_batch, per_head
from attn.spec.site import ONE_NUMBER, At, check_at


def mark_batch(who: str, at: At | None, shapes: Shapes) -> At | None:
    """Wraps the arrays of `at` that have a batch axis in front as `per_batch`.

    Args:
      who: The function that a message names.
      at: What the caller gave.
      shapes: Of the call.

    Returns:
      The same data, each array `per_batch`, or [T, ...] where the batch shares it.

    Raises:
      ValueError: `at` is not of `attn.at`; an array fits no batch and no tokens; or it
        fits both, where B == T and nothing says which axis comes first.
    """
    if at is None:
        return None
    check_at(who, at)
    marked = []
    for length, letter, side in ((shapes.t, "T", "query"), (shapes.s, "S", "key")):
        data = {f"{side}_pos": getattr(at, f"{side}_pos"), **getattr(at, side)}
        for name, given in data.items():
            mark = functools.partial(
                _mark, f"{who}: {side} data `{name}`", name in ONE_NUMBER
            )
            mark = functools.partial(mark, batch=shapes.batch, axis=(letter, length))
            data[name] = jax.tree.map(mark, given, is_leaf=is_varying)
        marked.append(data)
    query, key = marked
    return At(query.pop("query_pos"), key.pop("key_pos"), query, key)


def _mark(
    what: str, one_number: bool, x: Any, *, batch: int, axis: tuple[str, int]
) -> Any:
    """One array as `per_batch`, or without a batch axis."""
    if is_varying(x):
        return x
    (letter, length), shape = axis, tuple(np.shape(x))
    shared = shape[:1] == (length,)
    batched = shape[1:2] == (length,) and shape[0] in (1, batch)
    if one_number:
        shared, batched = shared and len(shape) == 1, batched and len(shape) == 2
    if shared and batched and length > 1:
        raise ValueError(
            f"{what} of shape {shape} may be [B, {letter}, ...] or [{letter}, ...] "
            f"with B={batch}, {letter}={length}: wrap it in attn.per_batch(...) for "
            f"the first, or give array[None], [1, {letter}, ...], that the batch "
            "shares."
        )
    if batched:  # at T = 1 an axis of length 1 in front is that of the batch
        return per_batch(x) if shape[0] == batch else x[0]
    if shared:
        return x
    raise ValueError(
        f"{what} must be [{letter}, ...] or [B, {letter}, ...] with B={batch} and "
        f"{letter}={length}, got {shape}."
    )


def of_all_heads(who: str, name: str, given: Any) -> Any:
    """An array of tokens, [T, ...] or [B, T, ...], which need no `per_batch` to say so.

    Raises:
      ValueError: It differs from head to head.
    """
    array = given.value if isinstance(given, per_batch) else given
    if is_varying(array):
        raise ValueError(
            f"{who}: `{name}` is of tokens, which all heads share; got {array.word}, "
            "give [T] or [B, T]."
        )
    return array


def check_varying(who: str, tree: Any, batch: int, heads: int) -> None:
    """Checks the axes that `per_batch` and `per_head` arrays put in front.

    Raises:
      ValueError: One is not as long as there are elements or heads; the message names
        `who`.
    """
    sizes = {per_batch: ("B", batch), per_head: ("N", heads)}
    for leaf in jax.tree.leaves(tree, is_leaf=is_varying):
        expected, inner = [], leaf
        while is_varying(inner):
            expected.append(sizes[type(inner)])
            inner = inner.value
        shape = tuple(getattr(inner, "shape", ()))[: len(expected)]
        if expected and shape != tuple(size for _, size in expected):
            letters = ", ".join(letter for letter, _ in expected)
            where = ", ".join(f"{letter}={size}" for letter, size in expected)
            raise ValueError(
                f"{who}: a {leaf.word} array must be [{letters}, ...] with {where}, "
                f"got {tuple(inner.shape)}."
            )


def of_one_head(tree: Any) -> Any:
    """A spec or an `at` as one head meets it, its varying arrays as shapes only."""

    def shape(leaf: Any) -> Any:
        axes = 0
        while is_varying(leaf):
            leaf, axes = leaf.value, axes + 1
        return jax.ShapeDtypeStruct(leaf.shape[axes:], leaf.dtype) if axes else leaf

    return jax.tree.map(shape, tree, is_leaf=is_varying)
