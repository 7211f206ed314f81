"""The fold for any mergeable normalizer, similarity and probe: a scan of checkpoints.

No derivative rule: JAX differentiates the scan itself, at every order, in O(T) memory,
for about a third more products than the rule of softmax needs.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from attn import numerics
from attn.backends.blockwise import plan as planning
from attn.backends.blockwise.operands import (
    Layout,
    Operands,
    cut,
    gather,
    is_masked,
    pad,
    shield,
)
from attn.backends.blockwise.tile import Tile, dropped, permitted
from attn.backends.dependence import blank
from attn.backends.probes import Folded, Sum, probe
from attn.spec.attention import Attention
from attn.spec.normalizers import Softmax
from attn.spec.site import whole


class State(NamedTuple):
    """A fold over the keys seen so far."""

    output: jax.Array  # [T, E], unfinished
    normalizer: Any  # the normalizer's own state
    sums: dict[str, jax.Array]  # what the probes need, each [T], unfinished
    shown: Any  # softmax state of the logits, for their log-sum-exp
    largest: jax.Array  # [T], logit, with its derivative


def attend(spec: Attention, query, key, value, *, where, given, rng, probes, tiling):
    """Output [T, E] in the accumulation dtype, and the probes by name."""
    dtype = numerics.accumulation_dtype(query.dtype)
    bad_query = jnp.zeros(query.shape[:1], dtype)
    bad_key = None
    if is_masked(spec.mask):
        (query, bad_query), (key, bad_key) = shield(query, dtype), shield(key, dtype)
        value, bad_value = shield(value, dtype)
        bad_key = bad_key + bad_value
    layout, floats, others = gather(spec, where, dtype)
    query, key, value = (x.astype(dtype) for x in (query, key, value))
    operands = Operands(query, key, value, floats, others, bad_key, raw_key(rng))
    rows, cols = min(tiling.rows, layout.t), min(tiling.cols, layout.s)
    fold = _Fold(spec, layout, rows, cols, tuple(probes))
    keep = planning.kept(spec.mask, where, given, rows, cols)
    bad_query = jnp.pad(bad_query, (0, -layout.t % rows))
    state = fold.run(pad(layout, operands, rows, cols), bad_query, keep)
    return fold.finish(jax.tree.map(lambda x: x[: layout.t], state))


class _Fold(NamedTuple):
    """The static part of a call."""

    spec: Attention
    layout: Layout
    rows: int
    cols: int
    probes: tuple[str, ...]

    def run(self, operands: Operands, bad_query, keep) -> State:
        """The state of every query, [T, ...] with its padding."""

        @jax.checkpoint
        def row(index, keep, operands, bad_query):
            def step(state, column):
                rows, cols = self.spans(index, column[0])
                tile = Tile(rows, cols, True)
                visit = lambda *x: self.merge(state, self.lift(x[0], x[1], tile))  # noqa: E731
                skip = lambda *x: state  # noqa: E731
                fold = jax.checkpoint(
                    lambda *x: jax.lax.cond(column[1], visit, skip, *x)
                )
                return fold(operands, bad_query), None

            columns = (jnp.arange(len(keep), dtype=jnp.int32), keep)
            return jax.lax.scan(step, blank(operands, self.zero(operands)), columns)[0]

        one = lambda x: row(*x, operands, bad_query)  # noqa: E731
        states = jax.lax.map(one, (jnp.arange(keep.shape[0], dtype=jnp.int32), keep))
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), states)

    def spans(self, row, column):
        """Rows and columns of a tile."""
        return (row * self.rows, self.rows), (column * self.cols, self.cols)

    def zero(self, operands: Operands) -> State:
        """The state of no keys."""
        rows, dtype = self.rows, operands.value.dtype
        output = jnp.zeros((rows, operands.value.shape[-1]), dtype)
        sums = {name: jnp.zeros((rows,), dtype) for name in self.sums()}
        state = self.spec.normalizer.zero(rows, dtype)
        shown = Softmax().zero(rows, dtype)
        return State(output, state, sums, shown, jnp.full((rows,), -jnp.inf, dtype))

    def sums(self) -> dict[str, Sum]:
        """The sums over keys that the probes need."""
        return {n: x for name in self.probes for n, x in probe(name).sums.items()}

    def scaled(self, sums: dict[str, jax.Array], factor: jax.Array):
        """The sums if each weight were multiplied by its row's factor."""
        return {
            name: one.scaled(sums, factor) if one.scaled else sums[name] * factor
            for name, one in self.sums().items()
        }

    def lift(self, operands: Operands, bad_query, tile: Tile) -> State:
        """The state of one tile."""
        part = cut(self.layout, operands, tile.rows, tile.cols)
        logits, allowed, site = self.logits(part, tile)
        logits = (
            logits + jax.lax.dynamic_slice_in_dim(bad_query, *tile.rows, 0)[:, None]
        )
        weights, state = self.spec.normalizer.lift(logits, allowed)
        output = dropped(self.layout, part, weights) @ part.value
        shown = numerics.hide(logits, allowed, -jnp.inf)
        sums = {name: one.of(weights, site) for name, one in self.sums().items()}
        largest = numerics.largest(shown)
        return State(output, state, sums, Softmax().lift(shown)[1], largest)

    def logits(self, part: Operands, tile: Tile):
        """Logits of a tile, what is permitted there, and its site."""
        pieces, mask, where = self.layout.unflatten(part.floats, part.others)
        site = whole(where)
        allowed = permitted(self.layout, mask, site, tile)
        logits = self.spec.similarity.compare(part.query, part.key)
        logits = pieces.apply_visible(logits, site, allowed)
        if part.bad is not None:
            logits = logits + part.bad[None]
        return logits, allowed, site

    def merge(self, left: State, right: State) -> State:
        """The state of two sets of keys, the earlier one on the left."""
        state, a, b = self.spec.normalizer.merge(left.normalizer, right.normalizer)
        output = left.output * a[:, None] + right.output * b[:, None]
        shown = Softmax().merge(left.shown, right.shown)[0]
        both = self.scaled(left.sums, a), self.scaled(right.sums, b)
        sums = jax.tree.map(jnp.add, *both)
        largest = jnp.maximum(left.largest, right.largest)
        return State(output, state, sums, shown, largest)

    def finish(self, state: State) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Output and probes of the whole fold."""
        gain = self.spec.normalizer.close(state.normalizer)
        reference, total = state.shown
        log_sum_exp = reference + numerics.safe_log(total)
        folded = Folded(state.sums, gain, state.largest, log_sum_exp)
        finishes = {name: probe(name).finish for name in self.probes}
        aux = {name: finish(folded) for name, finish in finishes.items() if finish}
        return state.output * gain[:, None], aux


def raw_key(rng):
    """The words of a random key; a typed key is no array to cut or to carry."""
    if rng is not None and jnp.issubdtype(rng.dtype, jax.dtypes.prng_key):
        return jax.random.key_data(rng)
    return rng
