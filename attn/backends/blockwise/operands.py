"""What every tile reads: the arrays of a call, cut to a tile in one place only."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from attn import numerics
from attn.spec.attention import Attention
from attn.spec.dropout import Dropout
from attn.spec.logit import Logits
from attn.spec.mask import Everything, Mask
from attn.spec.piece import Piece
from attn.spec.site import At

Span = tuple[Any, int]  # (start, size) in storage order; the start may be traced


class Operands(NamedTuple):
    """The arrays, in the accumulation dtype where they are floating point.

    `floats` and `others` are the leaves of logits, mask and positions: those that get
    gradients, and the rest. `bad` flags keys with NaN or infinity; `rng` drops; `low`
    is minus infinity where XLA must not know it.
    """

    query: jax.Array  # [T, H]
    key: jax.Array  # [S, H]
    value: jax.Array  # [S, E]
    floats: tuple[jax.Array, ...]
    others: tuple[jax.Array, ...]
    bad: jax.Array | None  # [S]
    rng: jax.Array | None
    low: jax.Array | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """The static part: how leaves make pieces again, and which axes they are cut by.

    Attributes:
      structure: The tree of (logits, mask, positions).
      axes: For each leaf the axes it is indexed by, for example ("query", "key").
      learned: For each leaf whether it is in `floats`.
      dropout: The dropout piece.
      t: Number of queries.
      s: Number of keys, padding not counted.
    """

    structure: Any
    axes: tuple[tuple[str, ...], ...]
    learned: tuple[bool, ...]
    dropout: Dropout
    t: int
    s: int

    @property
    def float_axes(self) -> tuple[tuple[str, ...], ...]:
        """The axes of the leaves in `floats`."""
        both = zip(self.axes, self.learned, strict=True)
        return tuple(axes for axes, learned in both if learned)

    def unflatten(self, floats: Any, others: Any) -> tuple[Logits, Mask, At]:
        """Logits, mask and positions of their leaves."""
        floats, others = iter(floats), iter(others)
        leaves = [next(floats if learned else others) for learned in self.learned]
        return jax.tree.unflatten(self.structure, leaves)


def gather(spec: Attention, where: At, dtype: Any) -> tuple[Layout, tuple, tuple]:
    """The layout of a spec and its positions, and their leaves `floats` and `others`.

    Leaves of logits pieces and per-token data get gradients; a mask is boolean and
    gives none.
    """
    tree = (spec.logits, spec.mask, where)
    leaves, structure = jax.tree.flatten(tree)
    leaves = [jnp.asarray(leaf) for leaf in leaves]
    axes = _axes_of(structure, len(leaves))
    first = len(jax.tree.leaves(spec.logits))
    of_mask = range(first, first + len(jax.tree.leaves(spec.mask)))
    learned = tuple(
        bool(jnp.issubdtype(leaf.dtype, jnp.floating)) and index not in of_mask
        for index, leaf in enumerate(leaves)
    )
    # A sum of small steps in 16 bits loses them, so arrays are widened once, here.
    both = list(zip(leaves, learned, strict=True))
    floats = tuple(leaf.astype(dtype) for leaf, yes in both if yes)
    others = tuple(leaf for leaf, yes in both if not yes)
    t, s = len(where.query_pos), len(where.key_pos)
    return Layout(structure, axes, learned, spec.dropout, t, s), floats, others


def _axes_of(structure: Any, count: int) -> tuple[tuple[str, ...], ...]:
    """For each leaf the axes it is indexed by, found by leaves that are numbers."""
    axes: list[tuple[str, ...]] = [()] * count
    logits, mask, where = jax.tree.unflatten(structure, list(range(count)))
    for outer in (logits, mask):
        for inner in outer.walk():
            for name, indexed in inner.indexed.items():
                axes[getattr(inner, name)] = indexed
    for index in (where.query_pos, *where.query.values()):
        axes[index] = ("query",)
    for index in (where.key_pos, *where.key.values()):
        axes[index] = ("key",)
    return tuple(axes)


def take(array: jax.Array, axes: tuple[str, ...], rows: Span, cols: Span) -> jax.Array:
    """An array cut to a tile along the axes that it is indexed by."""
    for dim, axis in enumerate(axes):
        start, size = rows if axis == "query" else cols
        if array.shape[dim] == 1:
            continue
        if isinstance(start, int):
            array = jax.lax.slice_in_dim(array, start, start + size, axis=dim)
        else:
            array = jax.lax.dynamic_slice_in_dim(array, start, size, dim)
    return array


def starts(shape: tuple[int, ...], axes: tuple[str, ...], rows: Span, cols: Span):
    """Where a cut of an array begins, for adding to it in place."""
    begin = [0] * len(shape)
    for dim, axis in enumerate(axes):
        if shape[dim] != 1:
            begin[dim] = (rows if axis == "query" else cols)[0]
    return begin


def cut(layout: Layout, operands: Operands, rows: Span, cols: Span) -> Operands:
    """The operands of one tile."""
    floats, others, axes = iter(operands.floats), iter(operands.others), layout.axes
    leaves = [
        (learned, take(next(floats if learned else others), axis, rows, cols))
        for axis, learned in zip(axes, layout.learned, strict=True)
    ]
    return Operands(
        take(operands.query, ("query",), rows, cols),
        take(operands.key, ("key",), rows, cols),
        take(operands.value, ("key",), rows, cols),
        tuple(leaf for learned, leaf in leaves if learned),
        tuple(leaf for learned, leaf in leaves if not learned),
        None if operands.bad is None else take(operands.bad, ("key",), rows, cols),
        operands.rng,
        operands.low,
    )


def pad(layout: Layout, operands: Operands, rows: int, cols: int) -> Operands:
    """The last query and key again and again, up to whole tiles.

    What is made of the padding is dropped, but its derivative must exist: pieces may
    have none at zeros, log(position) for example.
    """
    extra = {"query": -layout.t % rows, "key": -layout.s % cols}
    if not any(extra.values()):
        return operands

    def widen(array, axes):
        if not axes:  # the same for every tile, a learned number for example
            return array
        edges = [
            (0, extra[a] if n > 1 else 0)
            for a, n in zip(axes, array.shape, strict=False)
        ]
        edges += [(0, 0)] * (array.ndim - len(edges))
        return jnp.pad(array, edges, mode="edge")

    floats, others = iter(operands.floats), iter(operands.others)
    both = zip(layout.axes, layout.learned, strict=True)
    leaves = [(y, widen(next(floats if y else others), axes)) for axes, y in both]
    return operands._replace(
        query=widen(operands.query, ("query",)),
        key=widen(operands.key, ("key",)),
        value=widen(operands.value, ("key",)),
        floats=tuple(leaf for learned, leaf in leaves if learned),
        others=tuple(leaf for learned, leaf in leaves if not learned),
        bad=None if operands.bad is None else widen(operands.bad, ("key",)),
    )


def is_masked(mask: Piece) -> bool:
    """Whether a mask can hide anything."""
    return not isinstance(mask, Everything)


def shield(array: jax.Array, dtype: Any) -> tuple[jax.Array, jax.Array]:
    """A finite array in the accumulation dtype, and NaN flags of its bad rows."""
    clean, flags = numerics.quarantine(array)
    return clean.astype(dtype), flags
