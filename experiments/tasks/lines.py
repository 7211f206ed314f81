"""Lines: in which language is a line of source text written?

The lines are made up here, since a text that comes with nobody's system cannot be
shipped: each language has forms of its own, filled with the same names and numbers.
An easy task: single signs give most languages away, so that it shows whether a
classifier works, and tells no two mechanisms apart.
"""

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
from experiments.tasks.phrases import Phrases, labelled

if TYPE_CHECKING:
    from jax import Array

    from experiments.tasks.task import Batch

LANGUAGES = {
    "python": (
        "def {name}({other}, {third}):",
        "for {name} in {other}[{number}:]:",
        "{name} = {other}({third})[{number}]",
        "if {name} is not None and {other}:",
        "return {name} + {number}",
        "import {name} as {other}",
    ),
    "c": (
        "int {name}(int {other}, int {third}) {",
        "for (int {name} = 0; {name} < {number}; {name}++) {",
        "{name} = {other}({third})[{number}];",
        "if ({name} != NULL && {other}) {",
        "return {name} + {number};",
        "#include <{name}.h>",
    ),
    "lisp": (
        "(define ({name} {other} {third})",
        "(let (({name} {number}) ({other} {third}))",
        "({name} ({other} {third}) {number})",
        "(if (and (not (null {name})) {other})",
        "(+ {name} {number})",
        "(require '{name})",
    ),
    "sql": (
        "SELECT {name}, {other} FROM {third};",
        "SELECT COUNT({name}) FROM {other} WHERE {third} > {number};",
        "UPDATE {name} SET {other} = {number};",
        "WHERE {name} IS NOT NULL AND {other}",
        "ORDER BY {name} DESC LIMIT {number};",
        "DROP TABLE {name};",
    ),
    "shell": (
        "{name}() { {other} $1 $2",
        "for {name} in ${other}; do {third}; done",
        "{name}=$({other} {third} | head -{number})",
        "if [ -n ${name} ] && {other}; then",
        "echo ${name} >> {number}.log",
        "source ./{name}.sh",
    ),
    "html": (
        "<div class={name}><p>{other} {third}</p>",
        "<li>{name} {number}</li>",
        "<a href={name}/{number}>{other}</a>",
        "<img src={name}.png alt={other}>",
        "<td>{name}</td><td>{number}</td>",
        "<script src={name}.js></script>",
    ),
}
NAMES = (
    *("alpha", "beta", "buffer", "cache", "count", "data", "edge", "file", "graph"),
    *("head", "index", "item", "key", "limit", "list", "map", "name", "node", "offset"),
    *("page", "path", "queue", "rate", "row", "size", "stack", "state", "table"),
    *("total", "tree", "user", "value"),
)
NUMBERS = 100


class Options(Knobs):
    """How many languages."""

    languages: Count = says(6, f"of {', '.join(LANGUAGES)}: so many from the left")
    names: Count = says(16, "names that lines are filled with")

    @property
    def context(self) -> int:
        return phrases(self).most

    @property
    def examples(self) -> float:
        return self.languages * float(self.names) ** 2

    def problems(self) -> Iterator[tuple[str, str]]:
        for key, most in (("languages", len(LANGUAGES)), ("names", len(NAMES))):
            if not 2 <= getattr(self, key) <= most:
                yield key, f"expected 2 to {most}, got {getattr(self, key)}."


@cache
def phrases(knobs: Options) -> Phrases:
    """The forms of all languages, one after the other."""
    listed = list(LANGUAGES.values())[: knobs.languages]
    names = NAMES[: knobs.names]
    fields = dict.fromkeys(("name", "other", "third"), names)
    numbers = [str(number) for number in range(NUMBERS)]
    return Phrases([f for forms in listed for f in forms], fields | {"number": numbers})


def example(rng: Array, knobs: Options) -> Batch:
    """A line of one of the languages.

    Returns:
      tokens [T], characters, and the language, a class.
    """
    keys = jax.random.split(rng, 6)
    sizes = [len(forms) for forms in LANGUAGES.values()][: knobs.languages]
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    language = jax.random.randint(keys[0], (), 0, knobs.languages)
    start, size = (jnp.asarray(x, jnp.int32)[language] for x in (starts, sizes))
    form = start + jax.random.randint(keys[1], (), 0, size)
    values = {
        field: jax.random.randint(key, (), 0, knobs.names)
        for field, key in zip(("name", "other", "third"), keys[2:5], strict=True)
    }
    values["number"] = jax.random.randint(keys[5], (), 0, NUMBERS)
    words = phrases(knobs)
    text = words.write(words.picks(form, values), knobs.context)
    is_it = {name: language == i for i, name in enumerate(classes(knobs))}
    return labelled(text, language, is_it)


def classes(knobs: Options) -> tuple[str, ...]:
    """The languages that are told apart."""
    return tuple(LANGUAGES)[: knobs.languages]


TASK = Declaration(
    knobs=Options,
    presets={
        "tiny": {"languages": 6, "names": 16},
        "small": {"languages": 6, "names": 24},
        "paper": {"languages": 6, "names": 32},
    },
    example=example,
    symbols=lambda knobs: phrases(knobs).symbols,
    classes=classes,
    facts=lambda knobs: Facts(math.log(knobs.languages), 1 / knobs.languages),
    model="classifier",
    prompt="for key in table[3:]:",
    slices="python, c, lisp, sql, shell, html: the language",
    reference="Joulin et al. 2016, arXiv 1607.01759 (text classification)",
)
