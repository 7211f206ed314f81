"""ListOps: the value of a nested expression of MAX, MIN, MED and SM."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, NamedTuple

from pydantic import Field

from experiments.config.fields import Count, Fraction, Says
from experiments.config.knobs import Knobs
from experiments.config.section import says
from experiments.tasks.declaration import Declaration, Facts
from experiments.tasks.lazy import jax, jnp, task
from experiments.tasks.slices import buckets, spread

if TYPE_CHECKING:
    from jax import Array

    from experiments.tasks.task import Batch

DIGITS = 10
OPERATORS = ("[MAX", "[MIN", "[MED", "[SM")
CLOSE, EQUALS, BLANK = (DIGITS + len(OPERATORS) + i for i in range(3))
UpToTen = Annotated[
    int, Field(strict=True, ge=2, le=10), Says("a whole number from 2 to 10")
]
Depth = Annotated[
    int, Field(strict=True, ge=1, le=10), Says("a whole number from 1 to 10")
]


class Options(Knobs):
    """How long, how deep and how wide an expression may be."""

    length: Count = says(32, "tokens of an example, the `=` included")
    depth: Depth = says(3, "operators that may be open at once")
    arguments: UpToTen = says(4, "arguments of an operator, 2 at least")
    nesting: Fraction = says(0.25, "share of arguments that are operators, if they fit")

    @property
    def context(self) -> int:
        return self.length

    @property
    def examples(self) -> float:
        return len(OPERATORS) * DIGITS**self.arguments

    def problems(self) -> Iterator[tuple[str, str]]:
        # The outermost operator, its arguments, its bracket, and the `=`.
        most = self.length - 3
        if self.arguments > most:
            yield (
                "arguments",
                f"at most {most} fit length {self.length}, got {self.arguments}.",
            )


class Frames(NamedTuple):
    """An expression that is being written; D frames, of which `level` are open.

    Args:
      kind: [D] operator of each frame.
      counts: [D, 10] how often each digit is among its arguments so far.
      left: [D] arguments still to come.
      level: open frames; 0 once the value is known.
      needed: tokens still to come until everything is closed.
      value: of what was closed last.
      deepest: the most frames that were open at once.
      ended: whether the `=` has been written.
    """

    kind: Array
    counts: Array
    left: Array
    level: Array
    needed: Array
    value: Array
    deepest: Array
    ended: Array


class Draws(NamedTuple):
    """What chance says at one place: nest?, operator, number of arguments, digit."""

    nests: Array
    kind: Array
    size: Array
    digit: Array


def example(rng: Array, knobs: Options) -> Batch:
    """`[MAX 2 9 [MIN 4 7 ] 0 ] = . .`: at the `=` the value is wanted.

    The expression is written from left to right, with the frames it is in; an operator
    is opened only if all that is open can still be closed within the length.

    Returns:
      tokens, targets, weights [length]; one target counts.

    Reference: Nangia and Bowman 2018, arXiv 1804.06028; Tay et al. 2020, section 2.2.1,
      arXiv 2011.04006.
    """
    keys, shape = jax.random.split(rng, 4), (knobs.length,)
    draws = Draws(
        jax.random.bernoulli(keys[0], knobs.nesting, shape),
        jax.random.randint(keys[1], shape, 0, len(OPERATORS)),
        jax.random.randint(keys[2], shape, 2, knobs.arguments + 1),
        jax.random.randint(keys[3], shape, 0, DIGITS),
    )
    first = jax.tree.map(lambda x: x[0], draws)
    # Tokens that can still come, this one included, before the `=`.
    room = knobs.length - 1 - jnp.arange(1, knobs.length, dtype=jnp.int32)

    def step(frames: Frames, x: tuple[Draws, Array]):
        return _write(frames, *x, knobs)

    rest = (jax.tree.map(lambda x: x[1:], draws), room)
    last, written = jax.lax.scan(step, _opened(_nothing(knobs), first), rest)
    line = jnp.concatenate([DIGITS + first.kind[None], written])
    asked = line == EQUALS
    slices = buckets("depth", last.deepest, knobs.depth, first=1)
    targets = jnp.where(asked, last.value, 0)
    weights = asked.astype(jnp.float32)
    return task.Batch(line, targets, weights, spread(slices, targets))


def _nothing(knobs: Options) -> Frames:
    zero, none = jnp.int32(0), jnp.zeros(knobs.depth, jnp.int32)
    counts = jnp.zeros((knobs.depth, DIGITS), jnp.int32)
    return Frames(none, counts, none, zero, jnp.int32(1), zero, zero, jnp.bool(False))


def _opened(frames: Frames, draws: Draws) -> Frames:
    """One frame more."""
    at, level = frames.level, frames.level + 1
    return frames._replace(
        kind=frames.kind.at[at].set(draws.kind),
        counts=frames.counts.at[at].set(0),
        left=frames.left.at[at].set(draws.size),
        level=level,
        # Its arguments and its bracket, in place of one argument.
        needed=frames.needed + draws.size,
        deepest=jnp.maximum(frames.deepest, level),
    )


def _given(frames: Frames, at: Array, digit: Array) -> Frames:
    """One argument more in frame `at`; with -1 nowhere."""
    where = jnp.where(at < 0, frames.left.size, at)
    return frames._replace(
        counts=frames.counts.at[where, digit].add(1, mode="drop"),
        left=frames.left.at[where].add(-1, mode="drop"),
    )


def _write(frames: Frames, draws: Draws, room: Array, knobs: Options):
    """One token more: a bracket, a digit, an operator, `=` or a blank."""
    top = (frames.level - 1).clip(0)
    value = evaluate(frames.kind[top], frames.counts[top])
    is_open = frames.level > 0
    closes = is_open & (frames.left[top] == 0)
    fits = (frames.level < knobs.depth) & (frames.needed + draws.size < room)
    opens = is_open & ~closes & draws.nests & fits
    digit = jnp.where(closes, value, draws.digit)
    # A value goes to the frame around the one that closes, a digit to the open one.
    to = jnp.where(closes, frames.level - 2, frames.level - 1)
    given = _given(frames, to, digit)._replace(
        level=jnp.where(closes, frames.level - 1, frames.level),
        needed=frames.needed - 1,
        value=jnp.where(closes, value, frames.value),
    )
    after = _chosen(opens, _opened(frames, draws), _chosen(is_open, given, frames))
    word = jnp.where(opens, DIGITS + draws.kind, draws.digit)
    word = jnp.where(closes, CLOSE, word)
    end = jnp.where(frames.ended, BLANK, EQUALS)
    return after._replace(ended=~is_open), jnp.where(is_open, word, end)


def _chosen(which: Array, one: Frames, other: Frames) -> Frames:
    return jax.tree.map(lambda x, y: jnp.where(which, x, y), one, other)


def evaluate(kind: Array, counts: Array) -> Array:
    """The value of an operator, given how often each digit is an argument."""
    digits = jnp.arange(DIGITS, dtype=jnp.int32)
    present, total = counts > 0, counts.sum()
    below = jnp.cumsum(counts)
    rank = lambda place: (below <= place).sum(dtype=jnp.int32)  # noqa: E731
    values = jnp.stack(
        [
            jnp.where(present, digits, 0).max(),
            jnp.where(present, digits, DIGITS - 1).min(),
            (rank((total - 1) // 2) + rank(total // 2))
            // 2,  # the median, rounded down
            (counts * digits).sum() % DIGITS,
        ]
    )
    return values[kind]


TASK = Declaration(
    knobs=Options,
    presets={
        "tiny": {"length": 32, "depth": 2, "arguments": 4},
        "small": {"length": 128, "depth": 5, "arguments": 5},
        "paper": {"length": 2000, "depth": 10, "arguments": 10},
    },
    example=example,
    symbols=lambda knobs: (*map(str, range(DIGITS)), *OPERATORS, "]", "=", "."),
    facts=lambda knobs: Facts(math.log(DIGITS), 1 / DIGITS),
    prompt="[MAX 2 9 [MIN 4 7 ] 0 ] =",
    slices="depth: operators open at once, at most",
    reference="Nangia and Bowman 2018, arXiv 1804.06028",
)
