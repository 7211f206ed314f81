"""Next-token prediction on text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from experiments.tasks import documents, token_files
from experiments.tasks.declaration import Declaration
from experiments.tasks.lazy import corpora, jax, jnp, np, task, vocabularies
from experiments.tasks.parts import Parts

if TYPE_CHECKING:
    from jax import Array

    from experiments.config.schema import Data
    from experiments.tasks.task import Batch, Split, Task
    from experiments.tasks.vocabularies import Vocabulary

TRIED = 1 << 16  # characters that are encoded and decoded again
GOLDEN = (math.sqrt(5) - 1) / 2


def build(config: Data, *, vocabulary: str | None = None) -> Task:
    """The text task of a config.

    The text is cut once: its head is for training, its tail for validation, and no
    window reaches over the cut. Where it has documents, none is cut in two.

    Args:
      config: the section `data`.
      vocabulary: JSON of a vocabulary to use; None makes one.

    Raises:
      ConfigError: no such text, or it is shorter than the context.
    """
    reader = token_files.read if token_files.is_one(config.path) else read
    found = reader(config, vocabulary)
    _check_length(config, found.train.count, found.validation.count)
    arrays = _arrays(config, found)
    size = found.vocabulary.size
    return task.Task(
        vocabulary=found.vocabulary,
        arrays=arrays,
        batch=partial(batch, shape=(config.batch, config.length)),
        context=config.length,
        validation_steps=len(arrays["starts"]),
        fingerprint=found.fingerprint,
        summary=_summary(found),
        chance=math.log(size),
        bytes_per_token=found.bytes_per_token,
    )


def read(config: Data, saved: str | None) -> Parts:
    """The text that a config names, as tokens.

    Args:
      config: the section `data`.
      saved: JSON of a vocabulary to use; None makes one.

    Raises:
      ConfigError: there is no such text, or no vocabulary for it.
      VocabularyError: a saved one is damaged, or not for this text.
    """
    corpus = corpora.read(config)
    ends = documents.ends(config, corpus)
    train, validation = split_text(corpus.text, config.validation, ends)
    inner = documents.split(ends, len(train))
    try:
        used = _vocabulary(config, train, validation, saved)
        head = documents.tokens(used, train, inner[0])
        tail = documents.tokens(used, validation, inner[1])
    except vocabularies.VocabularyError as error:
        if saved is not None:
            raise
        raise config.fault("vocabulary", str(error)) from None
    fingerprint = documents.fingerprint(corpus, ends)
    size = bytes_per_token(used, validation, tail.count)
    return Parts(used, head, tail, fingerprint, corpus.title, size)


def split_text(text: str, fraction: float, ends: Sequence[int] = ()) -> tuple[str, str]:
    """The head for training and the tail for validation; see `documents.cut`."""
    cut = documents.cut(len(text), fraction, ends)
    return text[:cut], text[cut:]


def smallest_dtype(size: int) -> type[np.unsignedinteger] | type[np.int32]:
    """The smallest integers that can name `size` tokens: 1 byte a token up to 256."""
    if size <= 1 << 8:
        return np.uint8
    return np.uint16 if size <= 1 << 16 else np.int32


def bytes_per_token(vocabulary: Vocabulary, text: str, count: int) -> float | None:
    """UTF-8 bytes of a token; None where tokens do not give their text back.

    Args:
      vocabulary: one from a file may fold case, or drop what it has no token for.
      text: its beginning is tried.
      count: of its tokens.
    """
    if not (vocabulary.is_text and count):
        return None
    some = text[:TRIED]
    back = vocabulary.decode(vocabulary.tokens(some))
    # A blank that some vocabularies put in front of a text is none of it.
    return len(text.encode()) / count if back.strip() == some.strip() else None


def batch(
    arrays: dict[str, Array],
    seed: Array | int,
    split: Split,
    step: Array | int,
    *,
    shape: tuple[int, int],
) -> Batch:
    """Windows of text: random ones to train on, evenly spaced ones to validate.

    Args:
      arrays: as `build` made them.
      seed: draws the training windows; validation does not depend on it.
      split: train or validation.
      step: which batch. Validation starts again after its last one.
      shape: (B, T).

    Returns:
      tokens, and as targets the same windows one token later. A weight is 0 only for
      a validation target that another window counts already, and for the first token
      of a document, which nothing before it tells. With documents it is `Packed`.
    """
    count, context = shape
    if split == "train":
        possible = arrays["train"].size - context
        key = task.batch_key(seed, split, step)
        starts = jax.random.randint(key, (count,), 0, possible)
        skips = jnp.zeros(count, jnp.int32)
    else:
        row = jnp.asarray(step, jnp.int32) % arrays["starts"].shape[0]
        starts, skips = arrays["starts"][row], arrays["skips"][row]
    places = starts[:, None] + jnp.arange(context + 1, dtype=jnp.int32)[None, :]
    # In bounds by construction; saying so spares a comparison and a select.
    window = arrays[split].at[places].get(mode="promise_in_bounds").astype(jnp.int32)
    counts = jnp.arange(context, dtype=jnp.int32)[None, :] >= skips[:, None]
    if "ends" not in arrays:
        return task.Batch(window[:, :-1], window[:, 1:], counts.astype(jnp.float32))
    segment = documents.numbered(arrays["ends"][split], places)
    counts &= segment[:, 1:] == segment[:, :-1]
    return task.Packed(
        window[:, :-1],
        window[:, 1:],
        counts.astype(jnp.float32),
        segment=segment[:, :-1],
    )


def validation_plan(
    length: int, context: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Windows that show every target of a text once, in an order that spreads.

    Each window lies a golden section of the text after the one before, so the first
    few batches are as evenly spaced over the text as all of them.

    Args:
      length: tokens of the text, more than `context`.
      context: T.
      count: B.

    Returns:
      starts [steps, B] int32, and skips [steps, B] int32: how many targets at the start
      of a window do not count. The last window is moved back to end with the text
      and skips what its neighbour has; rows that fill up the last batch skip all.
    """
    windows = math.ceil((length - 1) / context)
    wanted = _spread(windows) * context
    starts = np.minimum(wanted, length - 1 - context)
    skips = wanted - starts
    steps = math.ceil(windows / count)
    padding = (0, steps * count - windows)
    starts, skips = np.pad(starts, padding), np.pad(skips, padding)
    skips[windows:] = context
    return (
        starts.reshape(steps, count).astype(np.int32),
        skips.reshape(steps, count).astype(np.int32),
    )


def _spread(count: int) -> np.ndarray:
    """0 ... count - 1 as an int64 array, each prefix of it evenly spread."""
    places = np.arange(count) * GOLDEN % 1
    order = np.empty(count, np.int64)
    order[np.argsort(places)] = np.arange(count)
    return order


def _vocabulary(
    config: Data, train: str, validation: str, saved: str | None
) -> Vocabulary:
    if saved is not None:
        return vocabularies.from_json(saved)
    size = config.vocabulary_size
    return vocabularies.fit(config.vocabulary, train, validation, size)


def _arrays(config: Data, found: Parts) -> dict[str, Any]:
    """What batches are cut from, on the device."""
    plan = validation_plan(found.validation.count, config.length, config.batch)
    parts = {"train": found.train, "validation": found.validation}
    dtype = smallest_dtype(found.vocabulary.size)
    arrays: dict[str, Any] = {
        **{
            name: jnp.asarray(part.ids.astype(dtype, copy=False))
            for name, part in parts.items()
        },
        "starts": jnp.asarray(plan[0]),
        "skips": jnp.asarray(plan[1]),
    }
    if found.train.ends.size:
        arrays["ends"] = {name: jnp.asarray(x.ends) for name, x in parts.items()}
    return arrays


def _check_length(config: Data, train: int, validation: int) -> None:
    """Refuses a text of which a part is shorter than one example.

    Raises:
      ConfigError: with the largest context that fits.
    """
    lengths = {"training": train, "validation": validation}
    part, length = min(lengths.items(), key=lambda item: item[1])
    if length > config.length:
        return
    shorter = f"set it to {length - 1} or less, or " if length > 1 else ""
    raise config.fault(
        "context",
        f"longer than the text: {config.length} needs {config.length + 1} tokens, but"
        f" the {part} part has {length}; {shorter}give a longer text.",
    )


def _summary(found: Parts) -> str:
    train, validation, used = found.train, found.validation, found.vocabulary
    count = train.ends.size + validation.ends.size
    is_lost = used.is_text and found.bytes_per_token is None
    return (
        f"text of {found.title}: {train.count:,} training and {validation.count:,}"
        f" validation tokens,{f' {count:,} documents,' if count else ''}"
        f" {used.kind} vocabulary of {used.size}"
        f"{', which does not give all of it back' if is_lost else ''}"
    )


TASK = Declaration(
    build=build,
    context=128,
    prompt="\n",
    reads=(
        *("source", "path", "url", "documents"),
        *("vocabulary", "vocabulary_size", "validation"),
    ),
)
