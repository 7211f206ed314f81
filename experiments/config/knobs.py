"""The options of a task, `data.options`: what every task's own extend."""

import math
from collections.abc import Iterator

from experiments.config.section import Section

FEWEST = 1000  # examples; an eighth of fewer would be no validation set


class Knobs(Section):
    """The options of a task that has none; a task extends this by fields.

    A field is written as in the schema, with the kinds of value of `config.fields`.
    """

    @property
    def context(self) -> int:
        """T, the tokens of an example, where it follows from the options."""
        raise NotImplementedError

    @property
    def source(self) -> int:
        """S, the tokens of a source, for a task that has one."""
        raise NotImplementedError

    @property
    def examples(self) -> float:
        """How many different examples there are, at least."""
        return math.inf

    def problems(self) -> Iterator[tuple[str, str]]:
        """(option, message) of what cannot hold together, with what would."""
        yield from ()


def too_few(knobs: Knobs) -> str:
    """A message if there are too few examples to keep some from training, or none."""
    if knobs.examples >= FEWEST:
        return ""
    return (
        f"makes only {int(knobs.examples):,} different examples; expected at least"
        f" {FEWEST:,}, so that some can be kept from training. Make it larger."
    )
