"""Which tiles are computed: planned outside of any transformation where possible."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from attn.backends.blockwise import live
from attn.backends.planner import Tiling
from attn.spec.mask import Cover, Mask, Span
from attn.spec.site import At

Run = tuple[int, int, bool]  # start, stop, and whether the mask matters


@dataclasses.dataclass(frozen=True, eq=False)
class Strips:
    """A plan whose strips of queries are separate code: fast, for moderate sizes.

    Attributes:
      rows: Queries of a strip; the last one may be shorter.
      runs: For each strip the runs of keys that it sees, each a tile.
      abreast: How many tiles are in flight.
    """

    rows: int
    runs: tuple[tuple[Run, ...], ...]
    abreast: int


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """A plan in loops of one tile: code and memory do not grow with the length.

    Attributes:
      rows: Queries of a tile.
      cols: Keys of a tile.
      order: [rows, columns of tiles] ints: key tiles in the order of a row's visit,
        tiles without a mask first.
      full: [rows of tiles]: how many tiles of the row need no mask.
      kept: [rows of tiles]: how many tiles of the row are visited.
    """

    rows: int
    cols: int
    order: Any
    full: Any
    kept: Any


def make(mask: Mask, where: At, given: At | None, tiling: Tiling) -> Strips | Table:
    """The plan of a mask.

    Args:
      mask: The mask; its static part decides what is skipped.
      where: Resolved positions.
      given: What the caller said of positions: default ones are known while planning.
      tiling: Sizes.

    Returns:
      Strips where the sizes ask for it and the tiles are known, else a table.
    """
    t, s = len(where.query_pos), len(where.key_pos)
    known = given is None or (given.query_pos is None and given.key_pos is None)
    traced = live.decides(mask, known)
    if tiling.strip and -(-t // tiling.strip) <= tiling.strips:
        cover = covers(mask, t, s, tiling.strip, tiling.step, known)
        runs = tuple(_runs(row, s, tiling.step, tiling.reach) for row in cover)
        visited = sum(stop - start for row in runs for start, stop, _ in row)
        # Where data may rule tiles out, computing them all is right only if few.
        most = tiling.area // (16 if traced else 1)
        if visited * tiling.strip <= most:
            return Strips(tiling.strip, runs, tiling.abreast)
    rows, cols = min(tiling.rows, t), min(tiling.cols, s)
    cover = covers(mask, t, s, rows, cols, known)
    return table(cover, mask, where if traced else None, cols=cols, rows=rows, s=s)


def kept(mask: Mask, where: At, given: At | None, rows: int, cols: int) -> Any:
    """Booleans [T / rows, S / cols]: which tiles may hold a permitted pair."""
    known = given is None or (given.query_pos is None and given.key_pos is None)
    sizes = len(where.query_pos), len(where.key_pos)
    keep = jnp.asarray(covers(mask, *sizes, rows, cols, known) != Cover.EMPTY)
    if live.decides(mask, known):
        keep = keep & live.tiles(mask, where, rows, cols)
    return keep


def covers(mask: Mask, t: int, s: int, rows: int, cols: int, known: bool) -> np.ndarray:
    """The cover of each tile, [T / rows, S / cols]."""
    queries, keys = _spans(t, rows, known), _spans(s, cols, known)
    return np.array([[mask.cover(q, k) for k in keys] for q in queries])


def _spans(size: int, step: int, known: bool) -> list[Span]:
    """The lowest and highest position of each tile, None where they are data."""
    starts = range(0, size, step)
    return [(i, min(i + step, size) - 1) if known else None for i in starts]


def _runs(row: np.ndarray, s: int, cols: int, reach: int) -> tuple[Run, ...]:
    """Neighbouring tiles joined: one wide product is faster than many narrow ones.

    But what is in flight should stay in the cache, and grow with the length alone, so
    no run is longer than `reach`, except where a tile is.
    """
    runs: list[Run] = []
    for index, cover in enumerate(row):
        start, stop = index * cols, min((index + 1) * cols, s)
        if cover == Cover.EMPTY:
            continue
        if runs and runs[-1][1] == start and stop - runs[-1][0] <= reach:
            runs[-1] = (runs[-1][0], stop, runs[-1][2] or cover == Cover.SOME)
        else:
            runs.append((start, stop, cover == Cover.SOME))
    return tuple(runs)


def table(
    cover: np.ndarray, mask: Mask, where: At | None, *, rows: int, cols: int, s: int
) -> Table:
    """The table of a cover; `where` skips more, by positions and segments as data."""
    if s % cols:
        last = cover[:, -1]
        cover[:, -1] = np.where(last == Cover.FULL, Cover.SOME, last)
    if where is None:
        order = np.argsort(-cover, axis=1, kind="stable")
        full, kept = (cover == Cover.FULL).sum(1), (cover != Cover.EMPTY).sum(1)
        return Table(rows, cols, *(x.astype(np.int32) for x in (order, full, kept)))
    alive = live.tiles(mask, where, rows, cols) & (cover != Cover.EMPTY)
    rank = jnp.where(alive, jnp.asarray(cover), -1)
    order = jnp.argsort(-rank, axis=1, stable=True).astype(jnp.int32)
    full = jnp.sum(alive & (cover == Cover.FULL), axis=1, dtype=jnp.int32)
    return Table(rows, cols, order, full, jnp.sum(alive, axis=1, dtype=jnp.int32))


def listed(plan: Table, row: Any) -> tuple[Any, Any, Any]:
    """Order, full and kept of one row of tiles."""
    pick = lambda x: jax.lax.dynamic_index_in_dim(  # noqa: E731
        jnp.asarray(x), row, 0, keepdims=False
    )
    return pick(plan.order), pick(plan.full), pick(plan.kept)
