"""Keywords: from a report to what happened to what and where, a summary."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from experiments.config.fields import Count
from experiments.config.knobs import Knobs
from experiments.config.section import says
from experiments.tasks.declaration import Declaration, Facts
from experiments.tasks.lazy import jax, jnp
from experiments.tasks.phrases import Phrases, translation
from experiments.tasks.slices import buckets

if TYPE_CHECKING:
    from jax import Array

    from experiments.tasks.task import Batch

# Sentences that say what happened, and those that say nothing of the kind.
EVENTS = (
    "on {day} the {thing} in {place} {event} .",
    "in {place} the {thing} {event} , says {person} .",
    "{person} reports that the {thing} of {place} {event} on {day} .",
    "the {thing} that {person} keeps in {place} {event} .",
)
REST = (
    "nothing else happened on {day} .",
    "{person} was in {place} on {day} .",
    "the {thing} in {place} works well , says {person} .",
    "{person} asked for a new {thing} .",
)
WORDS = {
    "thing": (
        *("pump", "bridge", "engine", "tower", "crane", "boiler", "ferry", "mill"),
        *("tram", "fountain", "lamp", "lift", "oven", "gate", "printer", "radio"),
        *("valve", "wagon", "antenna", "battery", "clock", "turbine", "fan", "pipe"),
    ),
    "event": (
        *("stopped", "burned", "leaked", "broke", "failed", "fell", "froze"),
        *("flooded", "cracked", "vanished", "melted", "exploded"),
    ),
    "place": (
        *("Arlen", "Brome", "Culver", "Dorma", "Esk", "Farholm", "Gant", "Hale"),
        *("Iver", "Jorby", "Kelm", "Lund", "Morrow", "Neath", "Orth", "Pell"),
    ),
    "person": ("Ada", "Bo", "Cem", "Dina", "Eli", "Fay", "Gus", "Hana", "Ike", "Jo"),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"),
}
KEYS = ("thing", "event", "place")  # what is asked for, in this order


class Options(Knobs):
    """How long a report is."""

    sentences: Count = says(4, "sentences of the longest report")
    shortest: Count = says(2, "sentences of the shortest report")

    @property
    def context(self) -> int:
        return len(KEYS) * self.sentences + 1

    @property
    def source(self) -> int:
        return self.sentences * phrases().most

    def problems(self) -> Iterator[tuple[str, str]]:
        if self.shortest > self.sentences:
            yield (
                "shortest",
                f"at most sentences={self.sentences}, got {self.shortest}.",
            )


@cache
def phrases() -> Phrases:
    """Sentences whose symbols are words."""
    cut = [" " + form for form in (*EVENTS, *REST)]
    return Phrases(cut, WORDS, str.split)


def example(rng: Array, knobs: Options) -> Batch:
    """A report, of which at least one sentence and about half say what happened.

    Returns:
      source [S] the words of the report, tokens and targets [T] its keywords.
    """
    keys = jax.random.split(rng, 4 + len(WORDS))
    size = jax.random.randint(keys[0], (), knobs.shortest, knobs.sentences + 1)
    place = jnp.arange(knobs.sentences, dtype=jnp.int32)
    there = place < size
    happens = jax.random.bernoulli(keys[1], shape=there.shape)
    happens |= place == jax.random.randint(keys[2], (), 0, size)
    happens &= there
    form = jax.random.randint(keys[3], there.shape, 0, len(EVENTS))
    form = jnp.where(happens, form, len(EVENTS) + form % len(REST))
    values = {
        name: jax.random.randint(key, there.shape, 0, len(listed))
        for key, (name, listed) in zip(keys[4:], WORDS.items(), strict=True)
    }
    words = phrases()
    rows = jax.vmap(words.picks)(form, values)
    said = jnp.stack([words.row(name, values[name]) for name in KEYS], axis=1)
    write = lambda rows, real, size: words.write(  # noqa: E731
        jnp.where(real[:, None], rows, words.row("")).reshape(-1), size
    )
    source = write(rows, there, knobs.source)
    answer = write(said, happens, len(KEYS) * knobs.sentences)
    return translation(source, answer, buckets("sentences", size, knobs.sentences))


def facts(knobs: Options) -> Facts:
    """Chance knows how many things happen in a report, and the words there are."""
    counts = dict.fromkeys(range(1, knobs.sentences + 1), 0.0)
    sizes = range(knobs.shortest, knobs.sentences + 1)
    for size in sizes:
        for others in range(size):  # beside the one that always happens
            ways = math.comb(size - 1, others) / 2 ** (size - 1)
            counts[1 + others] += ways / len(sizes)
    kinds = [len(WORDS[name]) for name in KEYS]
    mean = sum(count * p for count, p in counts.items())
    nats = sum(-p * math.log(p) for p in counts.values() if p)
    nats += mean * sum(map(math.log, kinds))
    targets = len(KEYS) * mean + 1
    right = mean * sum(1 / kind for kind in kinds[1:]) + 1 / kinds[0]
    for done in range(1, knobs.sentences + 1):  # goes on, or ends?
        goes_on = sum(p for count, p in counts.items() if count > done)
        right += max(counts[done], goes_on / kinds[0])
    return Facts(nats / targets, right / targets)


TASK = Declaration(
    knobs=Options,
    presets={
        "tiny": {"sentences": 4, "shortest": 2},
        "small": {"sentences": 12, "shortest": 4},
        "paper": {"sentences": 32, "shortest": 8},
    },
    example=example,
    symbols=lambda knobs: phrases().symbols,
    facts=facts,
    model="seq2seq",
    prompt="Ada was in Lund on Monday . on Friday the pump in Esk leaked .",
    whole=True,
    slices="sentences: of the report",
    reference="See et al. 2017, arXiv 1704.04368 (summaries that point at the source)",
)
