"""What every task is: values and one pure function."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array

from experiments.tasks.vocabularies import Vocabulary

Split = Literal["train", "validation"]

# The third use of a run's seed beside drawing parameters (0) and dropout (1).
BATCH_STREAM = 2
END = 0  # the token before and after an answer, and the padding of a source
SPLITS = {"train": 0, "validation": 1}


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Batch:
    """Examples to learn from; every array has the batch as its first axis.

    A task whose model is given more (the source of a translation, the segments of
    packed documents) extends this class by a field.

    Args:
      tokens: [B, T] int32, what the model reads.
      targets: [B, T] int32, the token wanted at each position, or [B], the class.
      weights: float32 like the targets, how much each counts; 0 leaves it out.
      slices: name to bool like the targets, subsets to report apart.
    """

    tokens: Array
    targets: Array
    weights: Array
    slices: dict[str, Array] = field(default_factory=dict)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Packed(Batch):
    """Windows over a text of several documents, for a model that can keep them apart.

    Args:
      segment: [B, T] int32, the document of each token, counted from the window's
        first.
    """

    segment: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Translation(Batch):
    """Sources and their answers, for a model with an encoder and a decoder.

    Tokens are the answer moved on by one: they begin with END, and where the answer
    has ended the targets are END, of which the first counts.

    Args:
      source: [B, S] int32.
      source_present: [B, S] bool, False where there is padding.
    """

    source: Array
    source_present: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Labelled(Batch):
    """Texts and their classes: targets and weights are [B].

    Args:
      present: [B, T] bool, False where there is padding.
    """

    present: Array


def unlabelled(tokens: Array) -> Batch:
    """A batch of which only the tokens mean anything, for a model that writes."""
    return Batch(tokens, tokens, jnp.zeros(tokens.shape, jnp.float32))


BatchFunction = Callable[[Any, Array | int, Split, Array | int], Batch]


@dataclass(frozen=True)
class Task:
    """Something to learn.

    Args:
      vocabulary: between text and tokens.
      arrays: pytree on the device; pass it to jit as an argument, since an array
        that is closed over becomes a constant of the program.
      batch: (arrays, seed, split, step) -> Batch. Pure; seed and step may be traced,
        the split is static. Does not depend on devices or on how steps are grouped.
      context: T, tokens of an example.
      validation_steps: validation batches that show every target once.
      fingerprint: SHA-256 of what was read or, where nothing is, of the definition.
      summary: one line for people.
      chance: nats per target of a guess that knows the vocabulary only.
      bytes_per_token: UTF-8 bytes of a validation token, for losses in bits per byte;
        None where tokens stand for no text.
      floor: nats per target of a perfect predictor; None where nobody knows.
      chance_accuracy: share of targets that the guess behind `chance` has right.
      best_accuracy: share that a perfect predictor has right.
      whole: whether an answer counts as a whole, which adds `val/exact_match`.
    """

    vocabulary: Vocabulary
    arrays: Any
    batch: BatchFunction
    context: int
    validation_steps: int
    fingerprint: str
    summary: str
    chance: float
    bytes_per_token: float | None = None
    floor: float | None = None
    chance_accuracy: float | None = None
    best_accuracy: float | None = None
    whole: bool = False

    def describe(self) -> str:
        """One line: what is learned, from what."""
        return f"{self.summary}, sha256 {self.fingerprint[:8]}"


def batch_key(seed: Array | int, split: Split, step: Array | int) -> Array:
    """The random key of one batch.

    The generator is named, so that the environment's default cannot change a run.
    """
    key = jax.random.key(seed, impl="threefry2x32")
    key = jax.random.fold_in(jax.random.fold_in(key, BATCH_STREAM), SPLITS[split])
    return jax.random.fold_in(key, step)
