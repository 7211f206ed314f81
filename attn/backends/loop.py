"""What `jax.vmap` computes, in a loop of written-out steps."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp

from attn.backends.blockwise.forward import blank
from attn.backends.dispatch import keep


def loop(one: Callable, in_axes: tuple, out_axes: tuple, chunk: int) -> Callable:
    """`jax.vmap(one, in_axes, out_axes)`, `chunk` calls in each step of a loop.

    A step is written out, not vmapped: products of two axes run in parallel and take
    their operands as they lie, where XLA:CPU transposes those of three.

    Args:
      one: The function; its output is a tuple as long as `out_axes`.
      in_axes: For each argument an axis, None, or a list with one for each leaf.
      out_axes: For each output an axis.
      chunk: Calls of a step, a divisor of the mapped size.
    """

    def run(*args):
        leaves, structure = jax.tree.flatten(args)
        axes = list(_axes(in_axes, args))
        pairs = zip(leaves, axes, strict=True)
        mapped = [(x, axis) for x, axis in pairs if axis is not None]

        def call(pieces):
            pieces = iter(pieces)
            pairs = zip(leaves, axes, strict=True)
            whole = [x if axis is None else next(pieces) for x, axis in pairs]
            return one(*jax.tree.unflatten(structure, whole))

        # Kept between the passes: what backends name, not the slices of a step.
        @functools.partial(jax.checkpoint, policy=keep, prevent_cse=False)
        def step(start):
            pieces = [_pieces(x, axis, start, chunk) for x, axis in mapped]
            outputs = map(call, zip(*pieces, strict=True))
            return _each(out_axes, jnp.stack, *outputs)

        count = mapped[0][0].shape[mapped[0][1]]
        if count == chunk:
            return step(0)
        return _walk(step, out_axes, range(0, count, chunk), leaves)

    return run


def _walk(step: Callable, axes: tuple, starts: range, inputs: Any) -> tuple:
    """The outputs of all steps, each written where it belongs.

    To stack them and then move the axis would be two copies of each output, and two
    of its cotangent.
    """

    def blanks(x, axis):
        shape = (*x[0].shape[:axis], starts.stop, *x[0].shape[axis + 1 :])
        return blank(inputs, jnp.zeros(shape, x[0].dtype))

    def put(x, axis, start):
        whole, part = x
        return jax.lax.dynamic_update_slice_in_dim(whole, part, start, axis)

    def body(held, start):
        at = functools.partial(put, start=start)
        return _each(axes, at, held, step(start)), None

    held = _each(axes, blanks, jax.eval_shape(step, 0))
    return jax.lax.scan(body, held, jnp.arange(*_bounds(starts), dtype=jnp.int32))[0]


def _bounds(span: range) -> tuple[int, int, int]:
    return span.start, span.stop, span.step


def _axes(in_axes: tuple, args: tuple) -> Iterator[int | None]:
    """The axis of each leaf."""
    for axis, arg in zip(in_axes, args, strict=True):
        if isinstance(axis, list):
            yield from axis
        else:
            yield from [axis] * len(jax.tree.leaves(arg))


def _each(axes: tuple, function: Callable, *outputs: tuple) -> tuple:
    """`function(arrays, axis)` of each leaf of the outputs."""
    together = zip(axes, *outputs, strict=True)
    return tuple(
        jax.tree.map(lambda *x, axis=axis: function(x, axis), *trees)
        for axis, *trees in together
    )


def _pieces(x: jax.Array, axis: int, start: Any, count: int) -> list[jax.Array]:
    """`count` slices along an axis, cut from where they lie.

    The derivative of a cut adds to its array in place, that of a split is one
    concatenation; arrays with the mapped axis in front would be copies of them all.
    """
    if x.shape[axis] != count:
        x = jax.lax.dynamic_slice_in_dim(x, start, count, axis)
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        return [jax.lax.index_in_dim(x, n, axis, keepdims=False) for n in range(count)]
    return [part.squeeze(axis) for part in jax.lax.split(x, [1] * count, axis)]
