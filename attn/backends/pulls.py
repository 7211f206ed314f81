"""The derivative of a loop's calls, forward and back."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from attn.backends import cuts
from attn.backends.walk import Walk
from attn.numerics import accumulation_dtype

# What a checkpoint around a call keeps: enough to need no product twice.
KEPT = jax.checkpoint_policies.save_only_these_names("attention.fold")


@dataclasses.dataclass(frozen=True, eq=False)
class Place:
    """Where the levels' axes lie in an output: a leaf, which a list is not."""

    dims: list


class Pulls:
    """The derivative of the calls with respect to the active leaves."""

    def __init__(self, walk: Walk, active: list[bool]):
        self.walk, self.active = walk, active
        self.structure: Any = None  # of what a call leaves for its derivative
        self.given: list = []  # which of that are pieces or outputs, and not kept

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
        call = jax.checkpoint(self._one(pieces), policy=KEPT, prevent_cse=False)
        outputs, pull = jax.vjp(call, self._only(pieces))
        kept, self.structure = jax.tree.flatten(pull)
        known = [*pieces, *jax.tree.leaves(outputs)]
        self.given = [
            next((n for n, y in enumerate(known) if y is x), None) for x in kept
        ]
        both = zip(kept, self.given, strict=True)
        return outputs, [x for x, where in both if where is None]

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

    def back(self, leaves: list, outputs: tuple, saved: list, cotangent: tuple):
        """The cotangents of the active leaves."""
        walk, places = self.walk, self._only(self.walk.places)
        axes = tuple(zip(*(level.out_axes for level in walk.levels), strict=True))
        spots = cuts.each(
            axes, lambda x, axes: Place(cuts.placed(x[0].ndim, axes)), cotangent
        )
        outer = dataclasses.replace(
            walk, places=[x.dims for x in jax.tree.leaves(spots)]
        )
        tree = jax.tree.structure(cotangent)

        def step(totals, calls, rows):
            read = (
                walk.cut(leaves, calls),
                outer.cut(jax.tree.leaves(outputs), calls),
                outer.cut(jax.tree.leaves(cotangent), calls),
            )
            for n, (pieces, made, mine) in enumerate(zip(*read, strict=True)):
                row, known = iter([x[n] for x in rows]), [*pieces, *made]
                kept = [next(row) if m is None else known[m] for m in self.given]
                pull = jax.tree.unflatten(self.structure, kept)
                parts = pull(jax.tree.unflatten(tree, mine))[0]
                added = zip(totals, parts, places, strict=True)
                totals = [self._grown(*x, calls[n]) for x in added]
            return totals, []

        fills = [walk.alone(place) * n for n, place in enumerate(places)]
        some = self._only(leaves)
        both = zip(some, fills, places, strict=True)
        totals = [jnp.full(x.shape, n, self._wide(x, place)) for x, n, place in both]
        inputs = [*leaves, *jax.tree.leaves(cotangent)]
        totals = walk.over(step, inputs, totals, saved)[0]
        return [x.astype(y.dtype) for x, y in zip(totals, some, strict=True)]

    def _wide(self, leaf: jax.Array, place: list) -> Any:
        """The dtype of a total: 16 bits would round it at every call that adds."""
        return leaf.dtype if self.walk.alone(place) else accumulation_dtype(leaf.dtype)

    def _grown(self, total, part, place, at):
        """A total with the part of a call, which is added where others add too."""
        part = part.astype(total.dtype)
        if not self.walk.alone(place):
            part = part + cuts.read(total, place, at)
        return cuts.written(total, part, place, at)
