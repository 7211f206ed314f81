"""What nested `jax.vmap` computes, in one loop of written-out steps."""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attn.backends.blockwise.forward import blank
from attn.backends.dispatch import keep


class Level(NamedTuple):
    """One mapped axis.

    Attributes:
      in_axes: For each argument an axis, None, or a list with one for each leaf, as
        `jax.vmap` takes them: of what the levels before leave.
      out_axes: For each output an axis.
      size: How many calls.
      chunk: How many of them a step computes side by side, a divisor of the size.
    """

    in_axes: tuple
    out_axes: tuple
    size: int
    chunk: int


def loop(one: Callable, levels: Sequence[Level]) -> Callable:
    """`jax.vmap` over each level, the outermost first, some calls in each step.

    A step is written out, not vmapped: products of two axes run in parallel and take
    their operands as they lie, where XLA:CPU transposes those of three. There is one
    loop for all levels: inside another one, a loop would copy its part of every array
    and of every cotangent.

    Args:
      one: The function; its output is a tuple as long as the `out_axes`.
      levels: What is mapped.
    """

    def run(*args):
        leaves, structure = jax.tree.flatten(args)
        axes = [list(_axes(level.in_axes, args)) for level in levels]
        dims = [_placed(x.ndim, each) for x, *each in zip(leaves, *axes, strict=True)]
        chunks = [level.chunk for level in levels]

        def calls(depth, pieces):
            if depth == len(levels):
                return one(*jax.tree.unflatten(structure, pieces))
            chunk = levels[depth].chunk
            split = [
                [x] * chunk if axis is None else _split(x, axis)
                for x, axis in zip(pieces, axes[depth], strict=True)
            ]
            outputs = [calls(depth + 1, list(x)) for x in zip(*split, strict=True)]
            return _each(levels[depth].out_axes, jnp.stack, *outputs)

        # Kept between the passes: what backends name, not the slices of a step.
        @functools.partial(jax.checkpoint, policy=keep, prevent_cse=False)
        def step(starts):
            return calls(
                0,
                [
                    _cut(x, at, starts, chunks)
                    for x, at in zip(leaves, dims, strict=True)
                ],
            )

        if all(level.size == level.chunk for level in levels):
            return step([0] * len(levels))
        return _walk(step, levels, leaves)

    return run


def _walk(step: Callable, levels: Sequence[Level], inputs: Any) -> tuple:
    """The outputs of all steps, each written where it belongs.

    To stack them and then move the axes would be two copies of each output, and two
    of its cotangent.
    """
    out_axes = tuple(zip(*(level.out_axes for level in levels), strict=True))

    def blanks(x, axes):
        shape = list(x[0].shape)
        for dim, level in zip(_placed(len(shape), axes), levels, strict=True):
            shape[dim] = level.size
        return blank(inputs, jnp.zeros(shape, x[0].dtype))

    def put(x, axes, starts):
        whole, part = x
        begin = [0] * part.ndim
        for dim, start in zip(_placed(part.ndim, axes), starts, strict=True):
            begin[dim] = start
        return jax.lax.dynamic_update_slice(whole, part, begin)

    def body(held, starts):
        at = functools.partial(put, starts=starts)
        return _each(out_axes, at, held, step(starts)), None

    held = _each(out_axes, blanks, jax.eval_shape(step, [0] * len(levels)))
    spans = (np.arange(0, level.size, level.chunk, np.int32) for level in levels)
    starts = np.array(list(itertools.product(*spans)), np.int32).T
    return jax.lax.scan(body, held, list(jnp.asarray(starts)))[0]


def _axes(in_axes: tuple, args: tuple) -> Iterator[int | None]:
    """The axis of each leaf."""
    for axis, arg in zip(in_axes, args, strict=True):
        if isinstance(axis, list):
            yield from axis
        else:
            yield from [axis] * len(jax.tree.leaves(arg))


def _placed(ndim: int, axes: Sequence[int | None]) -> list[int | None]:
    """Where axes lie in the whole array, each counted without those of outer levels."""
    left = list(range(ndim))
    return [None if axis is None else left.pop(axis) for axis in axes]


def _each(axes: tuple, function: Callable, *outputs: tuple) -> tuple:
    """`function(arrays, axis)` of each leaf of the outputs."""
    together = zip(axes, *outputs, strict=True)
    return tuple(
        jax.tree.map(lambda *x, axis=axis: function(x, axis), *trees)
        for axis, *trees in together
    )


def _cut(x: jax.Array, dims: list, starts: list, chunks: list) -> jax.Array:
    """The part of an array that a step reads, cut once from where it lies.

    The derivative of a cut adds to its array in place; arrays with the mapped axes in
    front would be copies of them all.
    """
    begin, sizes = [0] * x.ndim, list(x.shape)
    for dim, start, chunk in zip(dims, starts, chunks, strict=True):
        if dim is not None and sizes[dim] != chunk:
            begin[dim], sizes[dim] = start, chunk
    if sizes == list(x.shape):
        return x
    return jax.lax.dynamic_slice(x, begin, sizes)


def _split(x: jax.Array, axis: int) -> list[jax.Array]:
    """The slices along an axis; their derivative is one concatenation."""
    count = x.shape[axis]
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        return [jax.lax.index_in_dim(x, n, axis, keepdims=False) for n in range(count)]
    return [part.squeeze(axis) for part in jax.lax.split(x, [1] * count, axis)]
