"""Needle in a haystack: one of a few notes in a long text is asked for at the end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from experiments.config.fields import Count
from experiments.config.knobs import Knobs
from experiments.config.section import says
from experiments.tasks.declaration import Declaration, Facts
from experiments.tasks.lazy import jax, jnp, task

if TYPE_CHECKING:
    from jax import Array

    from experiments.tasks.task import Batch

DEPTHS = 4  # slices of the haystack


class Options(Knobs):
    """The size of the haystack, and what lies in it."""

    length: Count = says(64, "tokens of an example, the question included")
    needles: Count = says(4, "notes, each a key and its value; one is asked for")
    keys: Count = says(8, "keys to draw from, each at most once in an example")
    values: Count = says(8, "values to draw from")
    straws: Count = says(8, "symbols of the haystack")

    @property
    def context(self) -> int:
        return self.length

    @property
    def slots(self) -> int:
        """Places in the haystack that a note can have."""
        return (self.length - 1) // 2

    @property
    def examples(self) -> float:
        return self.straws ** max(0, self.length - 1 - 2 * self.needles)

    def problems(self) -> Iterator[tuple[str, str]]:
        most = min(self.keys, self.slots)
        if self.needles > most:
            yield (
                "needles",
                f"at most {most} fit {self.keys} keys and length {self.length}, got"
                f" {self.needles}.",
            )


def example(rng: Array, knobs: Options) -> Batch:
    """Straws, notes `k3 v1` among them, and at the end a key; its value is wanted.

    Returns:
      tokens, targets, weights [length]; only the last target counts.
    """
    draw = jax.random.split(rng, 4)
    first_key, first_value = knobs.straws, knobs.straws + knobs.keys
    keys = jnp.argsort(jax.random.bits(draw[0], (knobs.keys,)))[: knobs.needles]
    values = jax.random.randint(draw[1], (knobs.needles,), 0, knobs.values)
    slots = jnp.argsort(jax.random.bits(draw[2], (knobs.slots,)))[: knobs.needles]
    line = jax.random.randint(draw[3], (knobs.length,), 0, knobs.straws)
    line = line.at[2 * slots].set(first_key + keys.astype(jnp.int32))
    line = line.at[2 * slots + 1].set(first_value + values)
    line = line.at[-1].set(first_key + keys[0].astype(jnp.int32))
    last = jnp.arange(knobs.length) == knobs.length - 1
    depth = slots[0] * DEPTHS // knobs.slots + 1
    slices = {f"depth_{i}": last & (depth == i) for i in range(1, DEPTHS + 1)}
    targets = jnp.where(last, first_value + values[0], 0)
    return task.Batch(line, targets, last.astype(jnp.float32), slices)


def symbols(knobs: Options) -> tuple[str, ...]:
    """Straws, keys, values."""
    kinds = (("s", knobs.straws), ("k", knobs.keys), ("v", knobs.values))
    return tuple(f"{name}{i}" for name, count in kinds for i in range(count))


TASK = Declaration(
    knobs=Options,
    presets={
        "tiny": {"length": 64, "needles": 4, "keys": 8, "values": 8, "straws": 8},
        "small": {"length": 512, "needles": 8, "keys": 32, "values": 32, "straws": 64},
        "paper": {
            "length": 4096,
            "needles": 16,
            "keys": 256,
            "values": 256,
            "straws": 1024,
        },
    },
    example=example,
    symbols=symbols,
    facts=lambda knobs: Facts(math.log(knobs.values), 1 / knobs.values),
    prompt="s0 k0 v0 s0 k0",
    slices="depth: the quarter of the haystack in which the note lies",
    reference="Kamradt 2023; Hsieh et al. 2024 (RULER), arXiv 2404.06654",
)
