"""From one head to many: three maps, by `jax.vmap` or in the backend's own loop.

Nothing that computes attention knows of heads and batch; only plans and counts do.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from attn.backends import dispatch
from attn.backends.dispatch import Output
from attn.backends.loop import loop
from attn.backends.planner import Steps
from attn.backends.probes import probe_names
from attn.backends.walk import Level
from attn.batches import check_varying, mark_batch
from attn.shapes import Shapes, check_array, check_heads
from attn.spec.attention import as_attention
from attn.spec.dropout import check_rng
from attn.spec.field import is_varying, per_batch, per_head
from attn.spec.notation import parse
from attn.spec.positions import Position
from attn.spec.site import At, as_data


def attend_heads(
    spec: Any,
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    *,
    at: At | None = None,
    rng: jax.Array | None = None,
    probes: tuple[str, ...] = (),
    backend: str = "auto",
) -> Output:
    """Attention of a batch of heads: `attend`, lifted by vmap and jitted.

    Multi-head (K = N), grouped-query and multi-query (K = 1), self- and
    cross-attention are this one function with other shapes; query head n reads key
    head n // (N // K).

    Args:
      spec: What to compute: an `Attention`, any piece such as `attn.causal`, or
        notation. Arrays in it are shared, or `per_head` [N, ...], `per_batch`
        [B, ...], `per_batch(per_head(x))` [B, N, ...].
      query: [B, T, N, H].
      key: [B, S, K, H].
      value: [B, S, K, E].
      at: Positions, segments and other per-token data from `attn.at`, each array
        [T, ...] or [1, T, ...] that the batch shares, or [B, T, ...]. Other data
        [T, T, ...] with B == T say which by `per_batch` or the axis of length 1,
        which in front is always that of the batch.
      rng: For dropout; None drops nothing. Heads and batch draw independently.
      probes: Names of what else to return in `aux`, each [B, T, N]; `weights` and
        `logits` are [B, N, T, S].
      backend: A name, or "auto" for the fastest that does not refuse.

    Returns:
      `Output` with value [B, T, N, E] in the dtype of `value`; a query without a
      permitted key gets exactly 0.

    Raises:
      ValueError: Shapes that do not fit, a spec that makes no sense, or a named
        backend that refuses; one line with the remedy.

    Reference:
      Vaswani et al. 2017, section 3.2.2, arXiv 1706.03762; Ainslie et al. 2023,
      section 2, arXiv 2305.13245 (grouped queries).
    """
    spec = as_attention(spec)
    shapes = check_heads(query, key, value)
    at = mark_batch("attend_heads", at, shapes)
    check_varying("attend_heads", (spec, at), shapes.batch, shapes.heads)
    check_rng("attend_heads", rng)
    dispatch.check_backend(backend)
    probes = probe_names("attend_heads", probes)
    return _attend_heads(
        spec, query, key, value, at, rng, probes=probes, backend=backend
    )


@functools.partial(jax.jit, static_argnames=("probes", "backend"))
def _attend_heads(spec, query, key, value, at, rng, *, probes, backend):
    shapes = dispatch.placed(check_heads(query, key, value), at)
    heads, key_heads = shapes.heads, shapes.key_heads
    groups = (shapes.batch, key_heads, heads // key_heads)
    if heads == key_heads:
        groups = (shapes.batch, heads)
    rngs = None if rng is None else jax.random.split(rng, groups)
    name = dispatch.choose(spec, shapes, probes=probes, backend=backend)
    steps = dispatch.steps(name, shapes)
    tiling = dispatch.tiling(name, spec, shapes)
    one = functools.partial(_one_head, probes=probes, backend=name, tiling=tiling)
    lifted = _lift(one, (spec.for_heads(heads), at), shapes, steps)
    output, aux = lifted(rngs, query, key, value)
    aux = {n: x if x.ndim > 3 else jnp.moveaxis(x, 1, 2) for n, x in aux.items()}
    return Output(output, aux)


def _one_head(shared, rng, query, key, value, **options):
    spec, at = shared
    output = dispatch.attend(spec, query, key, value, at=at, rng=rng, **options)
    return output.value, output.aux


def _lift(one: Callable, shared: Any, shapes: Shapes, steps: Steps | None) -> Callable:
    """One head lifted three times: group innermost, then key head, then batch.

    A `per_batch` or `per_head` array of `shared` loses its axis in the map of that
    name; everything else in it is the same for all. `steps` says how many of each run
    at once, and the rest wait in a loop, since the tiles of all would not fit the
    cache; None is a plain vmap.
    """
    leaves, structure = jax.tree.flatten(shared, is_leaf=is_varying)
    # No group axis of size 1, for which XLA:CPU copies whole arrays.
    many = shapes.heads > shapes.key_heads and shapes.heads // shapes.key_heads
    if many:
        leaves = [_group(leaf, shapes.key_heads) for leaf in leaves]
    levels = _levels(leaves, shapes, many, steps)

    def head(leaves, *arrays):
        return one(jax.tree.unflatten(structure, leaves), *arrays)

    def lifted(rngs, query, key, value):
        if many:
            batch, t, _, h = query.shape
            query = query.reshape(batch, t, shapes.key_heads, many, h)
        if steps is None:
            # Products of heads that lie one after the other are the fast ones, and
            # the pass that makes safe operands of these arrays moves them for nothing.
            query, key, value = (jnp.moveaxis(x, 1, -2) for x in (query, key, value))
        arrays = [_inner(leaf) for leaf in leaves], rngs, query, key, value
        output, aux = _over(levels, head, steps)(*arrays)
        if steps is None:
            output = jnp.moveaxis(output, -2, 1)
        if not many:
            return output, aux
        aux = jax.tree.map(lambda x: x.reshape(len(x), -1, *x.shape[3:]), aux)
        return output.reshape(*output.shape[:2], -1, output.shape[-1]), aux

    return lifted


def _levels(leaves: list, shapes: Shapes, many: int, steps: Steps | None) -> list:
    """What is mapped, the outermost first: batch, key head, group if there are many."""
    of_batch, of_head = _axes(leaves)
    group, key_heads, batch = steps or Steps(0, 0, 0)
    axis = 0 if steps is None else 1  # of the heads; a loop takes them where they lie
    levels = [
        Level((of_batch, 0, 0, 0, 0), (0, 0), shapes.batch, batch),
        Level((of_head, 0, axis, axis, axis), (axis, 0), shapes.key_heads, key_heads),
    ]
    if many:
        levels.append(Level((of_head, 0, axis, None, None), (axis, 0), many, group))
    return levels


def _axes(leaves: list) -> tuple[list, list]:
    """For each leaf the axis that the map over the batch removes, and that of heads."""
    inner = [leaf.value if isinstance(leaf, per_batch) else leaf for leaf in leaves]
    of_batch = [0 if isinstance(leaf, per_batch) else None for leaf in leaves]
    return of_batch, [0 if isinstance(leaf, per_head) else None for leaf in inner]


def _over(levels: list, head: Callable, steps: Steps | None) -> Callable:
    if steps is not None:
        return loop(head, levels)
    for level in reversed(levels):
        head = jax.vmap(head, level.in_axes, level.out_axes)
    return head


def of_head(tree: Any, head: int) -> Any:
    """A spec or position as one head sees it: `per_head` arrays [N, ...] cut to [...].

    Args:
      tree: A piece, or any pytree of pieces.
      head: Which of the N heads.
    """
    take = lambda x: x.value[head] if isinstance(x, per_head) else x  # noqa: E731
    return jax.tree.map(take, tree, is_leaf=is_varying)


def _inner(leaf: Any) -> Any:
    """The array of a leaf, with all the axes that maps remove."""
    while is_varying(leaf):
        leaf = leaf.value
    return jnp.asarray(leaf)  # JAX maps no array of NumPy over a rule, under jit


def _group(leaf: Any, key_heads: int) -> Any:
    """Splits the head axis of a leaf: [N, ...] to [K, N // K, ...]."""
    if isinstance(leaf, per_batch) and is_varying(leaf.value):
        x = leaf.value.value
        shape = (x.shape[0], key_heads, -1, *x.shape[2:])
        return per_batch(per_head(jnp.asarray(x).reshape(shape)))
    if isinstance(leaf, per_head):
        x = jnp.asarray(leaf.value)
        return per_head(x.reshape(key_heads, -1, *x.shape[1:]))
    return leaf


def rotate_heads(
    position: Position | str, x: jax.Array, positions: Any = None
) -> jax.Array:
    """Turns queries or keys by their positions.

    Args:
      position: A position piece or its notation; its arrays may be `per_head` and
        `per_batch`.
      x: [B, T, N, H].
      positions: [T], [1, T] or [B, T]; None means 0..T-1.

    Returns:
      [B, T, N, H], dtype of x.

    Raises:
      ValueError: No position piece, or shapes that do not fit.
    """
    position = _position("rotate_heads", position, x, "BTNH")
    if not position.rotates:
        return x
    check_varying("rotate_heads", position, x.shape[0], x.shape[2])
    leaves, structure = jax.tree.flatten(position, is_leaf=is_varying)
    of_batch, of_head = _axes(leaves)

    def head(leaves, x, positions):
        return jax.tree.unflatten(structure, leaves).rotate(x, positions)

    element = jax.vmap(head, in_axes=(of_head, 1, None), out_axes=1)
    positions, axis = _positions("rotate_heads", x, positions)
    arrays = [_inner(leaf) for leaf in leaves]
    return jax.vmap(element, in_axes=(of_batch, 0, axis))(arrays, x, positions)


def embed_positions(
    position: Position | str, x: jax.Array, positions: Any = None
) -> jax.Array:
    """Adds positions to embeddings.

    Args:
      position: A position piece or its notation.
      x: [B, T, D].
      positions: [T], [1, T] or [B, T]; None means 0..T-1.

    Returns:
      [B, T, D], dtype of x.

    Raises:
      ValueError: An array of the position varies by head or batch, no position piece,
        or shapes that do not fit.
    """
    position = _position("embed_positions", position, x, "BTD")
    if not position.embeds:
        return x
    if any(map(is_varying, jax.tree.leaves(position, is_leaf=is_varying))):
        raise ValueError(
            f"embed_positions: `{position.name}` is added to embeddings, which know of "
            "no heads; give it an array that all share."
        )
    positions, axis = _positions("embed_positions", x, positions)
    return jax.vmap(position.embed, in_axes=(0, axis))(x, positions)


def _position(who: str, position: Any, x: Any, axes: str) -> Position:
    """The piece, once it is one and `x` has these axes."""
    position = parse(position) if isinstance(position, str) else position
    if not isinstance(position, Position):
        raise ValueError(
            f"{who}: expected a position piece such as attn.rotary, got {position!r}."
        )
    check_array(who, "x", x, axes)
    return position


def _positions(who: str, x: jax.Array, positions: Any) -> tuple[jax.Array, int | None]:
    """Positions [T] or [B, T], and their batch axis."""
    if positions is None:
        return jnp.arange(x.shape[1], dtype=jnp.int32), None
    if isinstance(positions, per_batch):
        positions = positions.value
    if is_varying(positions):
        raise ValueError(
            f"{who}: `positions` of tokens are the same for all heads, got "
            f"{positions.word}; give [T] or [B, T]."
        )
    positions = as_data(f"{who}: `positions`", positions)
    if positions.shape == (1, x.shape[1]):
        positions = positions[0]
    if positions.shape not in (x.shape[1:2], x.shape[:2]):
        raise ValueError(
            f"{who}: `positions` must be [T] or [B, T] = {list(x.shape[:2])}, "
            f"got {positions.shape}."
        )
    return positions, 0 if positions.ndim == 2 else None
