"""Random mechanisms, each with its oracle: what the rows of the table compose to.

A `Mix` is one entry of the parity matrix: pieces, arrays and the NumPy oracle, made of
the same numbers. Its seed says everything, so a name is enough to see it again.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import attn
from tests import oracles
from tests.cases import (
    CASES,
    DEFAULTS,
    LOGITS,
    MASKS,
    NORMALIZERS,
    SIMILARITIES,
    Draw,
    where,
)

COUNT = 300
RATE = 0.3
WORDS = (0x9E3779B9, 0x01234567)  # the random key of every call that drops
CASE_OF = {case.name: case for case in CASES}


@dataclasses.dataclass(frozen=True)
class Size:
    """The lengths of a call; T != S says where queries stand, `empty` hides rows."""

    t: int
    s: int
    e: int = 3
    empty: bool = False


SIZES = {
    "square": Size(11, 11),
    "decoding": Size(5, 13),
    "more-queries": Size(13, 5),
    "one-key": Size(3, 1),
    "empty-rows": Size(11, 11, empty=True),
    "one-width": Size(11, 11, e=5),
}


@dataclasses.dataclass(frozen=True)
class Mix:
    """An attention and everything that it is compared with."""

    spec: Any
    arrays: tuple[np.ndarray, ...]
    at: Any
    rng: Any
    oracle: Callable[..., np.ndarray]


def single(draw: Draw, name: str) -> dict[str, tuple[Any, Callable]]:
    """The parts of a row of the table, or of `a + b`: rows joined, masks by `&`."""
    made = {}
    for case in (CASE_OF[part] for part in name.split(" + ")):
        piece, oracle = case.build(draw)
        if case.kind in made:
            before = made[case.kind]
            piece, oracle = before[0] & piece, oracles.both(before[1], oracle)
        made[case.kind] = piece, oracle
    return made


def random_parts(draw: Draw, number: int) -> dict[str, tuple[Any, Callable]]:
    """The parts of the composition of that number: (piece, oracle) by kind."""
    chance = np.random.default_rng([7, number])

    def pick(rows):
        return rows[chance.integers(len(rows))].build(draw)

    parts = {
        "similarity": pick(SIMILARITIES) if chance.random() < 0.6 else pick([DOT]),
        "logits": _chain([pick(LOGITS) for _ in range(chance.integers(1, 4))]),
        "mask": _tree(functools.partial(pick, MASKS), chance, 1 + number % 3),
        "normalizer": pick(NORMALIZERS) if chance.random() < 0.7 else pick([SOFTMAX]),
    }
    if chance.random() < 0.3:
        parts["dropout"] = (attn.dropout(RATE), RATE)
    return parts


DOT, SOFTMAX = CASE_OF["dot"], CASE_OF["softmax"]


def _chain(links):
    pieces, steps = zip(*links, strict=True)
    return functools.reduce(lambda a, b: a >> b, pieces), oracles.then(*steps)


def _tree(leaf, chance, depth):
    """Masks joined at random by & | ^ ~."""
    if depth == 0:
        return leaf()
    left, right = (_tree(leaf, chance, depth - 1) for _ in range(2))
    join, oracle = JOINS[chance.integers(len(JOINS))]
    piece, allows = join(left[0], right[0]), oracle(left[1], right[1])
    if chance.random() < 0.25:
        return ~piece, oracles.negate(allows)
    return piece, allows


JOINS = [
    (lambda a, b: a & b, oracles.both),
    (lambda a, b: a | b, oracles.either),
    (lambda a, b: a ^ b, oracles.one_of),
]


def build(name: str, size: Size, seed: int = 0) -> Mix:
    """The entry of a name: a row, rows joined by `+`, or `random-017`."""
    draw = Draw(size.t, size.s, seed=seed)
    if name.startswith("random-"):
        made = random_parts(draw, int(name.removeprefix("random-")))
    else:
        made = single(draw, name)
    if size.empty:
        made["mask"] = _hide_rows(made.get("mask"), size.t)
    spec = attn.Attention(**{kind: piece for kind, (piece, _) in made.items()})
    shapes = (size.t, draw.h), (size.s, draw.h), (size.s, size.e)
    # Exact in bfloat16, so that one oracle serves every precision.
    arrays = tuple(rounded(draw.normal(*shape)) for shape in shapes)
    at, data = where(draw)
    if size.t == size.s:  # positions that nobody gave are known while planning
        at = attn.at(query=at.query, key=at.key)
    rate = made.pop("dropout", (None, 0.0))[1]
    parts = {**DEFAULTS, **{kind: oracle for kind, (_, oracle) in made.items()}}
    rng = jnp.array(WORDS, jnp.uint32) if rate else None
    return Mix(spec, arrays, at, rng, functools.partial(_oracle, parts, data, rate))


def _hide_rows(mask, t):
    """The first, a middle and the last query see nothing."""
    shown = np.ones((t, 1), bool)
    shown[[0, t // 2, -1]] = False
    hidden = attn.dense(shown), oracles.dense(shown)
    if mask is None:
        return hidden
    return mask[0] & hidden[0], oracles.both(mask[1], hidden[1])


def rounded(array: np.ndarray) -> np.ndarray:
    """The nearest numbers that bfloat16 holds, in float32."""
    return np.asarray(jnp.asarray(array).astype(jnp.bfloat16).astype(jnp.float32))


def _oracle(parts, data, rate, *arrays) -> np.ndarray:
    """The output [T, E] in float64, pair by pair."""
    result = oracles.attend(*arrays, **parts, where=data)
    if not rate:
        return result.output
    weights = np.zeros_like(result.weights)
    for row, col in np.ndindex(*weights.shape):
        if _kept(rate, int(data["query_pos"][row]), int(data["key_pos"][col])):
            weights[row, col] = result.weights[row, col] / (1 - rate)
    return weights @ np.asarray(arrays[2], np.float64)


def _kept(rate: float, i: int, j: int) -> bool:
    """The draw of dropout for a pair, in Python's integers."""
    low = 0xFFFFFFFF
    row = i & low
    for word in WORDS:
        row = _mixed((row + word) & low)
    bits = _mixed(_mixed((row + ((j & low) * 0x9E3779B1 & low)) & low))
    return (bits >> 8) >= round(rate * 2**24)


def _mixed(bits: int) -> int:
    bits = ((bits ^ (bits >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    bits = ((bits ^ (bits >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    return bits ^ (bits >> 16)


def floats(tree: Any) -> list[jax.Array]:
    """The floating-point arrays of a spec: what gets gradients."""
    return [x for x in jax.tree.leaves(tree) if is_float(x)]


def is_float(leaf: Any) -> bool:
    return bool(jnp.issubdtype(jnp.asarray(leaf).dtype, jnp.floating))


def refill(tree: Any, values: Any) -> Any:
    """The spec with other floating-point arrays, in the order of `floats`."""
    leaves, structure = jax.tree.flatten(tree)
    values = iter(values)
    return jax.tree.unflatten(
        structure, [next(values) if is_float(x) else x for x in leaves]
    )
