"""What nested `jax.vmap` computes, in one loop of written-out steps.

Left to JAX, the transpose of such a loop carries a cotangent of every array through
it, adds to all of them in every step, and copies some. But calls write to different
places, so the loop has a rule of its own: both directions are loops that only write.
"""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from attn.backends import cuts
from attn.backends.blockwise.forward import blank
from attn.backends.blockwise.rule import triangular
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
    their operands as they lie, where XLA:CPU transposes those of three.

    Args:
      one: The function; its output is a tuple as long as the `out_axes`.
      levels: What is mapped.
    """

    def run(*args):
        leaves, structure = jax.tree.flatten(args)
        keys = [cuts.implementation(x) for x in leaves]
        leaves = [
            jax.random.key_data(x) if key else jnp.asarray(x)
            for x, key in zip(leaves, keys, strict=True)
        ]
        axes = zip(
            *(list(cuts.axes_of(level.in_axes, args)) for level in levels), strict=True
        )
        places = [
            cuts.placed(x.ndim, each) for x, each in zip(leaves, axes, strict=True)
        ]
        # Jitted, so that it is traced once and not for each call of a step.
        walk = _Walk(jax.jit(one), tuple(levels), structure, keys, places)
        return _calls(walk, leaves)

    return run


def _calls(walk: "_Walk", leaves: list) -> tuple:
    """All calls, differentiable to any order."""

    @jax.custom_jvp
    def core(leaves):
        return walk.forward(leaves, lambda pieces: (walk.call(pieces), []))[0]

    def rule(primals, tangents):
        (leaves,), (moved,) = primals, tangents
        active = [not isinstance(x, SymbolicZero) for x in moved]
        if not any(active):
            primal = core(leaves)
            return primal, jax.tree.map(jnp.zeros_like, primal)
        pulls = _Pulls(walk, active)
        primal, saved = walk.forward(leaves, pulls.save)
        some = [x for x, yes in zip(moved, active, strict=True) if yes]
        tangent = triangular(
            lambda some: pulls.push(leaves, some),
            lambda cotangent: pulls.back(leaves, saved, cotangent),
            some,
            primal,
            leaves,
        )
        return primal, tangent

    core.defjvp(rule, symbolic_zeros=True)
    return core(leaves)


@dataclasses.dataclass(frozen=True, eq=False)
class _Place:
    dims: list


@dataclasses.dataclass(frozen=True, eq=False)
class _Walk:
    """The calls of a loop.

    Attributes:
      one: The function that is called.
      levels: What is mapped.
      structure: The tree of its arguments.
      keys: For each leaf the implementation of its random keys, or None.
      places: For each leaf where the axes of the levels lie in it.
    """

    one: Callable
    levels: tuple[Level, ...]
    structure: Any
    keys: list
    places: list

    def call(self, pieces: list) -> tuple:
        """One call, of arrays that are cut to it."""
        pieces = [
            jax.random.wrap_key_data(x, impl=key) if key else x
            for x, key in zip(pieces, self.keys, strict=True)
        ]
        return self.one(*jax.tree.unflatten(self.structure, pieces))

    def cut(self, leaves: list, calls: list) -> list:
        """The arrays of each call of a step: a block from where it lies, then parts."""
        chunks = [level.chunk for level in self.levels]
        both = list(zip(leaves, self.places, strict=True))
        blocks = [cuts.block(x, place, calls[0], chunks) for x, place in both]
        return [
            [
                cuts.part(x, place, offset)
                for x, place in zip(blocks, self.places, strict=True)
            ]
            for offset in self.offsets
        ]

    @property
    def offsets(self) -> list:
        """Where the calls of a step stand in it."""
        return list(itertools.product(*(range(x.chunk) for x in self.levels)))

    def over(self, step: Callable, held: Any, rows: Any = None) -> tuple:
        """`step(held, calls, rows) -> held, rows` with the calls of each step.

        Where there is but one step there is no loop.
        """
        spans = (range(0, x.size, x.chunk) for x in self.levels)
        starts = np.array(list(itertools.product(*spans)), np.int32).T

        def body(held, inputs):
            starts, rows = inputs
            calls = [
                [a + b for a, b in zip(starts, offset, strict=True)]
                for offset in self.offsets
            ]
            return step(held, calls, rows)

        if starts.shape[1] == 1:
            return body(held, ([0] * len(self.levels), rows))
        return jax.lax.scan(body, held, (list(jnp.asarray(starts)), rows))

    def forward(self, leaves: list, compute: Callable) -> tuple:
        """The outputs of `compute(pieces) -> outputs, row`, and the rows."""
        first = lambda x: compute(self.cut(x, [[0] * len(self.levels)])[0])[0]  # noqa: E731
        axes = tuple(zip(*(level.out_axes for level in self.levels), strict=True))
        shapes = jax.eval_shape(first, leaves)
        count = itertools.count(1)
        held = cuts.each(
            axes, lambda x, axes: self._blank(x[0], axes, next(count)), shapes
        )

        def step(held, calls, _):
            made = [compute(pieces) for pieces in self.cut(leaves, calls)]
            parts = cuts.each(axes, self._block, *(outputs for outputs, _ in made))
            put = lambda x, axes: cuts.put(x[0], x[1], axes, calls[0])  # noqa: E731
            return cuts.each(axes, put, held, parts), [row for _, row in made]

        return self.over(step, blank(leaves, held))

    def _block(self, outputs: tuple, axes: tuple) -> jax.Array:
        """The outputs of the calls of a step as one array."""
        parts = list(outputs)
        for level, axis in zip(reversed(self.levels), reversed(axes), strict=True):
            parts = [
                jnp.stack(parts[n : n + level.chunk], axis)
                for n in range(0, len(parts), level.chunk)
            ]
        return parts[0]

    def _blank(self, x: Any, axes: tuple, fill: int) -> jax.Array:
        """An array to be written to; of zeros, XLA would make one and copy it."""
        shape = list(x.shape)
        for level, axis in zip(reversed(self.levels), reversed(axes), strict=True):
            shape.insert(axis, level.size)
        return jnp.full(shape, fill).astype(x.dtype)

    def alone(self, place: list) -> bool:
        """Whether no two calls share a piece of the leaf with this place."""
        both = zip(place, self.levels, strict=True)
        return all(dim is not None or level.size == 1 for dim, level in both)


class _Pulls:
    """The derivative of the calls with respect to the active leaves."""

    def __init__(self, walk: _Walk, active: list[bool]):
        self.walk, self.active = walk, active
        self.structure: Any = None  # of what a call leaves for its derivative
        self.given: list = []  # which of that are pieces, and need not be kept

    def _only(self, leaves: list) -> list:
        return [x for x, yes in zip(leaves, self.active, strict=True) if yes]

    def _one(self, pieces: list) -> Callable:
        """The call as a function of its active pieces."""

        def call(some):
            some = iter(some)
            both = zip(pieces, self.active, strict=True)
            return self.walk.call([next(some) if yes else x for x, yes in both])

        return call

    def save(self, pieces: list) -> tuple:
        """One call, and what its derivative needs beside the pieces."""
        # Kept between the passes: only what backends name.
        call = jax.checkpoint(self._one(pieces), policy=keep, prevent_cse=False)
        outputs, pull = jax.vjp(call, self._only(pieces))
        kept, self.structure = jax.tree.flatten(pull)
        self.given = [
            next((n for n, y in enumerate(pieces) if y is x), None) for x in kept
        ]
        both = zip(kept, self.given, strict=True)
        return outputs, [x for x, piece in both if piece is None]

    def push(self, leaves: list, some: list) -> tuple:
        """The tangents of the outputs."""
        moved = iter(some)
        tangents = [
            next(moved) if yes else jnp.zeros((), bool)
            for x, yes in zip(leaves, self.active, strict=True)
        ]
        count = len(leaves)
        walk = dataclasses.replace(
            self.walk,
            places=[
                *self.walk.places,
                *(
                    place if yes else [None] * len(place)
                    for place, yes in zip(self.walk.places, self.active, strict=True)
                ),
            ],
        )

        def compute(pieces):
            pieces, change = pieces[:count], pieces[count:]
            inputs = self._only(pieces), self._only(change)
            return jax.jvp(self._one(pieces), (inputs[0],), (inputs[1],))[1], []

        return walk.forward([*leaves, *tangents], compute)[0]

    def back(self, leaves: list, saved: list, cotangent: tuple) -> list:
        """The cotangents of the active leaves."""
        walk, places = self.walk, self._only(self.walk.places)
        axes = tuple(zip(*(level.out_axes for level in walk.levels), strict=True))
        spots = cuts.each(
            axes, lambda x, axes: _Place(cuts.placed(x[0].ndim, axes)), cotangent
        )
        outer = dataclasses.replace(
            walk, places=[x.dims for x in jax.tree.leaves(spots)]
        )
        tree = jax.tree.structure(cotangent)

        def step(totals, calls, rows):
            both = walk.cut(leaves, calls), outer.cut(jax.tree.leaves(cotangent), calls)
            for at, row, pieces, mine in zip(calls, rows, *both, strict=True):
                row = iter(row)
                kept = [next(row) if n is None else pieces[n] for n in self.given]
                pull = jax.tree.unflatten(self.structure, kept)
                parts = pull(jax.tree.unflatten(tree, mine))[0]
                added = zip(totals, parts, places, strict=True)
                totals = [self._grown(*x, at) for x in added]
            return totals, []

        fills = [walk.alone(place) * n for n, place in enumerate(places)]
        both = zip(self._only(leaves), fills, strict=True)
        totals = [jnp.full(x.shape, fill, x.dtype) for x, fill in both]
        return walk.over(step, blank((leaves, cotangent), totals), saved)[0]

    def _grown(self, total, part, place, at):
        """A total with the part of a call, which is added where others add too."""
        if not self.walk.alone(place):
            part = part + cuts.part(
                cuts.block(total, place, at, [1] * len(at)), place, [0] * len(at)
            )
        return cuts.written(total, part, place, at)
