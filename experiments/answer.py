"""What a trained model says to a prompt: a text, a translation, or classes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import jax
import numpy as np
from flax import nnx

from experiments import tasks
from experiments.asked import Asked
from experiments.config import Config
from experiments.errors import UserError
from experiments.generate import Drawing, encode_prompt, make_generate_call, sample_text
from experiments.model import classes_of
from experiments.step import Apply, Inputs, Tree
from experiments.tasks.task import Labelled
from experiments.translate import fill, make_translate_call, up_to_end


@dataclass(frozen=True)
class Answer:
    """What a model said.

    Args:
      text: for people.
      record: the same and more for programs, beside the text.
    """

    text: str
    record: dict[str, Any] = field(default_factory=dict)


def write(
    setup: Any, params: Tree, asked: Asked, halted: Callable[[], bool]
) -> Answer | None:
    """A language model goes on with the prompt."""
    if asked.seed is not None:
        seed = setup.place(np.uint32(asked.seed))
        setup = replace(setup, inputs=replace(setup.inputs, seed=seed))
    wanted = setup.config.sample
    drawing = Drawing(
        _either(asked.temperature, wanted.temperature),
        _either(asked.top_k, wanted.top_k),
        _either(asked.top_p, wanted.top_p),
    )
    text = sample_text(
        setup,
        params,
        prompt=asked.prompt,
        length=asked.length,
        drawing=drawing,
        halted=halted,
    )
    return None if text is None else Answer(text)


def translate(
    setup: Any, params: Tree, asked: Asked, halted: Callable[[], bool]
) -> Answer:
    """An encoder reads the prompt, a decoder answers."""
    del halted  # it takes one call
    wanted, vocabulary = setup.config.sample, setup.task.vocabulary
    beams = _either(asked.beam, wanted.beam)
    penalty = np.float32(_either(asked.length_penalty, wanted.length_penalty))
    prompt, source, present = _row(setup, asked.prompt, source_size(setup.config))
    answers, worths = setup.answer_call(
        params, setup.inputs, source, present, penalty, beams=beams
    )
    texts = [vocabulary.decode(up_to_end(each)) for each in np.asarray(answers)[0]]
    said = zip(texts, np.asarray(worths)[0].tolist(), strict=True)
    found = [{"text": text, "score": worth} for text, worth in said]
    return Answer(texts[0], {"source": prompt, "answers": found})


def classify(
    setup: Any, params: Tree, asked: Asked, halted: Callable[[], bool]
) -> Answer:
    """A classifier says how likely each class is, the likeliest first."""
    del halted
    prompt, tokens, present = _row(setup, asked.prompt, setup.config.data.length)
    logits = setup.answer_call(params, setup.inputs, tokens, present)[0]
    shares = np.asarray(jax.nn.softmax(logits.astype(np.float32))).tolist()
    found = zip(classes_of(setup.config), shares, strict=True)
    ranked = dict(sorted(found, key=lambda item: -item[1]))
    width = max(map(len, ranked))
    lines = [f"{name:<{width}}  {share:7.2%}" for name, share in ranked.items()]
    return Answer("\n".join(lines), {"source": prompt, "classes": ranked})


# How a kind of model answers.
ANSWERS: Mapping[str, Callable[..., Answer | None]] = {
    "decoder": write,
    "seq2seq": translate,
    "classifier": classify,
}


def answer(
    setup: Any,
    params: Tree,
    asked: Asked | None = None,
    halted: Callable[[], bool] = lambda: False,
) -> Answer | None:
    """What a model says; by default as the config's `sample` says.

    Args:
      setup: the run's `Setup`.
      params: of the model.
      asked: what to answer.
      halted: asked between calls.

    Returns:
      The answer, or None when halted.

    Raises:
      UserError: the vocabulary cannot write the prompt, or it is too long.
    """
    kind = setup.config.model.kind
    return ANSWERS[kind](setup, params, asked or Asked(), halted)


def make_answer_call(
    config: Config, model: nnx.Module, apply: Apply
) -> Callable[..., Any]:
    """The jitted function behind the answers of a kind of model."""
    if config.model.kind == "classifier":
        return jax.jit(partial(_classes, apply))
    if config.model.kind == "seq2seq":
        return make_translate_call(model, config.data.length)
    return make_generate_call(apply)


def _classes(apply: Apply, params: Tree, inputs: Inputs, tokens: Any, present: Any):
    counts = np.zeros(tokens.shape[0], np.float32)
    batch = Labelled(tokens, counts.astype(np.int32), counts, present=present)
    return apply(params, inputs.constants, batch, None)


def check_prompt(config: Config, vocabulary: Any, prompt: str | None) -> list[int]:
    """The tokens of a prompt, by default the config's.

    Raises:
      UserError: it is empty, too long, or the vocabulary cannot write it; a
        ConfigError if the config's prompt is at fault.
    """
    tokens = encode_prompt(config, vocabulary, prompt)
    most = source_size(config)
    if most is None or len(tokens) <= most:
        return tokens
    message = f"expected at most {most} tokens, got {len(tokens)}."
    if prompt is not None:
        raise UserError(f"prompt: {message}")
    raise config.sample.fault("prompt", message)


def source_size(config: Config) -> int | None:
    """The longest prompt in tokens; None where any length will do."""
    if config.model.kind == "decoder":
        return None
    if config.model.kind == "classifier":
        return config.data.length
    return tasks.declared(config.data.kind).options(config.data).source


def _row(setup: Any, prompt: str | None, size: int) -> tuple[str, Any, Any]:
    """The prompt, and as one row of a batch."""
    tokens = check_prompt(setup.config, setup.task.vocabulary, prompt)
    text = setup.config.sample.prompt if prompt is None else prompt
    return text, *fill(tokens, size)


def _either(asked: Any, configured: Any) -> Any:
    return configured if asked is None else asked
