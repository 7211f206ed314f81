"""What a task says of itself before JAX is there.

The file of a task holds one `TASK = Declaration(...)`. A config is checked against it,
`attn list tasks` shows it, and `experiments.tasks.build` makes the task out of it.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from experiments.config.knobs import Knobs

if TYPE_CHECKING:
    import jax

    from experiments.config.schema import Data
    from experiments.tasks.task import Batch, Task

VALIDATION_EXAMPLES = 2048  # of a task that draws them: an evaluation of everything
SINGLE = string.ascii_lowercase + string.ascii_uppercase + string.digits


@dataclass(frozen=True)
class Facts:
    """What the best and the simplest predictor reach on the counted targets.

    Args:
      chance: nats of a guess that knows no more than which answers there are.
      chance_accuracy: share that such a guess has right.
      floor: nats of a perfect predictor.
      best_accuracy: share that a perfect predictor has right; None where nobody knows.
    """

    chance: float
    chance_accuracy: float
    floor: float = 0.0
    best_accuracy: float | None = 1.0


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """A task: what can be set, what is known, and the function that makes it.

    Either `example` and `symbols` are given, for a task whose examples are drawn, or
    `build`, for one that makes its batches in its own way.

    Args:
      knobs: the class of its options.
      presets: tiny, small and paper, each as option to value.
      example: (rng, knobs) -> the Batch of ONE example, without the batch axis. It is
        lifted by `vmap`, and examples are kept for validation by their content.
      symbols: knobs -> every symbol of the vocabulary, in the order of tokens.
      build: (data, vocabulary=JSON or None) -> Task.
      classes: knobs -> the names of the classes, for a classifier.
      facts: knobs -> Facts; None where nobody knows.
      model: the kind of model that learns it, a name of MODELS.
      context: tokens of an example if a config may choose them; None where they
        follow from the options.
      prompt: how a sample begins, a text or knobs -> text.
      whole: whether an answer counts as a whole, which adds `val/exact_match`.
      slices: what it is reported by, for the reader.
      reads: further keys of the section `data` that mean something for it.
      reference: author, year, arXiv id.
    """

    knobs: type[Knobs] = Knobs
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    example: Callable[[jax.Array, Any], Batch] | None = None
    symbols: Callable[[Any], tuple[str, ...]] | None = None
    build: Callable[..., Task] | None = None
    classes: Callable[[Any], tuple[str, ...]] | None = None
    facts: Callable[[Any], Facts] | None = None
    model: str = "decoder"
    context: int | None = None
    prompt: str | Callable[[Any], str] = ""
    whole: bool = False
    slices: str = ""
    reads: tuple[str, ...] = ()
    reference: str = ""

    def options(self, data: Data) -> Any:
        """The options of a config that was loaded, as this task's knobs."""
        return self.knobs.model_validate(data.options)

    def first_words(self, knobs: Knobs) -> str:
        """How a sample begins unless a config says otherwise."""
        return self.prompt if isinstance(self.prompt, str) else self.prompt(knobs)


def letters(count: int) -> tuple[str, ...]:
    """So many symbols: letters and digits while they last, else s0, s1, ..."""
    if count <= len(SINGLE):
        return tuple(SINGLE[:count])
    return tuple(f"s{i}" for i in range(count))
