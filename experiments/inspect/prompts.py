"""A prompt as each kind of model reads it: to go on with, to translate, to classify."""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.answer import check_prompt, source_size
from experiments.generate import encode_prompt
from experiments.inspect.texts import continued
from experiments.look import Trained
from experiments.model import classes_of
from experiments.tasks.task import END, Batch, Labelled, Translation
from experiments.translate import fill, up_to_end

Read = tuple[Batch, str]


def prompted(trained: Trained, prompt: str) -> Read:
    """A prompt as a batch of one, and what it is, for the reader.

    Raises:
      UserError: it is empty or too long, or the vocabulary cannot write it.
    """
    return READERS[trained.setup.config.model.kind](trained, prompt)


def to_continue(trained: Trained, prompt: str) -> Read:
    """A text of which every token but the first is to be foretold."""
    setup = trained.setup
    tokens = encode_prompt(setup.config, setup.task.vocabulary, prompt)
    return continued(np.asarray(tokens, np.int32)), "prompt"


def to_translate(trained: Trained, prompt: str) -> Read:
    """A source, with the model's own answer, since nobody has said the right one."""
    setup, vocabulary = trained.setup, trained.setup.task.vocabulary
    source, present = _row(trained, prompt, source_size(setup.config))
    penalty = np.float32(setup.config.sample.length_penalty)
    answers, _ = setup.answer_call(
        trained.params, setup.inputs, source, present, penalty, beams=1
    )
    answer = up_to_end(np.asarray(answers)[0, 0])
    tokens = np.asarray([[END, *answer]], np.int32)[:, : setup.config.data.length]
    batch = Translation(
        jnp.asarray(tokens),
        jnp.zeros_like(tokens),
        jnp.zeros(tokens.shape, jnp.float32),
        source=jnp.asarray(source),
        source_present=jnp.asarray(present),
    )
    return batch, f"prompt; the model answers {vocabulary.decode(answer)}"


def to_classify(trained: Trained, prompt: str) -> Read:
    """A text, with the class that the model gives it."""
    setup = trained.setup
    tokens, present = _row(trained, prompt, setup.config.data.length)
    logits = setup.answer_call(trained.params, setup.inputs, tokens, present)[0]
    name = classes_of(setup.config)[int(logits.argmax())]
    zero = jnp.zeros(1, jnp.int32)
    weights = jnp.zeros(1, jnp.float32)
    shown = jnp.asarray(tokens)
    batch = Labelled(shown, zero, weights, present=jnp.asarray(present))
    return batch, f"prompt; the model says {name}"


READERS: Mapping[str, Callable[[Trained, str], Read]] = {
    "decoder": to_continue,
    "seq2seq": to_translate,
    "classifier": to_classify,
}


def _row(trained: Trained, prompt: str, size: Any) -> tuple[np.ndarray, np.ndarray]:
    """Tokens [1, size], padded, and which of them are there."""
    setup = trained.setup
    return fill(check_prompt(setup.config, setup.task.vocabulary, prompt), size)
