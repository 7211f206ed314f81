"""Text from a model: one jitted function of fixed shapes, any length, any prompt."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from experiments.errors import UserError
from experiments.step import Apply, Inputs, Tree, stream
from experiments.tasks import documents
from experiments.tasks.task import unlabelled

SAMPLE_STREAM = 3  # beside those of step.py and of the tasks
Numbers = tuple[Any, Any, Any]  # temperature, top_k, top_p, as arrays
TOKENS_PER_CALL = 32  # so that a signal is heard within a fraction of a second


@dataclass(frozen=True)
class Drawing:
    """How tokens are drawn.

    Args:
      temperature: divides the logits; 0 takes the likeliest token.
      top_k: draw among the k likeliest; None for all.
      top_p: among the likeliest that together have this probability; None for all.

    Reference: Holtzman et al. 2020, section 3.1, arXiv 1904.09751 (top_p).
    """

    temperature: float = 0.8
    top_k: int | None = None
    top_p: float | None = None

    def numbers(self, vocabulary: int) -> Numbers:
        """What `draw` takes beside logits [V]."""
        kept = min(self.top_k or vocabulary, vocabulary)
        # Sums of shares may round to more than 1 before the last of them.
        share = np.inf if self.top_p is None else self.top_p
        return np.float32(self.temperature), np.int32(kept), np.float32(share)


def draw(
    logits: Array, rng: Array, temperature: Array, top_k: Array, top_p: Array
) -> Array:
    """One token from logits [V]: int32.

    The numbers are traced, so that one compilation serves all of them.
    """
    heat = jnp.maximum(temperature, 1e-6)
    falling = jnp.sort(logits)[::-1]
    is_kept = jnp.arange(logits.size) < top_k
    shares = jax.nn.softmax(jnp.where(is_kept, falling / heat, -jnp.inf))
    likelier = jnp.cumsum(shares) - shares  # the share of all before each
    count = jnp.maximum(jnp.sum(is_kept & (likelier < top_p)), 1)
    kept = jnp.where(logits >= falling[count - 1], logits, -jnp.inf)
    warm = jax.random.categorical(rng, kept / heat)
    return jnp.where(temperature == 0, logits.argmax(), warm).astype(jnp.int32)


def make_generate_call(apply: Apply) -> Callable[..., Any]:
    """Compiles once: (params, inputs, window, place, numbers) -> window, filled, new.

    `window` [C] holds the latest `filled` tokens from its start; when it is full it
    moves on by one token, and positions are counted from its start. `place` is
    (filled, how many were drawn before, how many to draw); `numbers` are those of a
    `Drawing`.
    """

    def call(
        params: Tree,
        inputs: Inputs,
        window: Array,
        place: Array,
        numbers: Numbers,
    ):
        filled, first, count = place
        rng = stream(inputs.seed, SAMPLE_STREAM)

        def body(i, carry):
            window, filled, new = carry
            seen = unlabelled(window[None])
            logits = apply(params, inputs.constants, seen, None)[0, filled - 1]
            logits = logits.astype(jnp.float32)
            token = draw(logits, jax.random.fold_in(rng, first + i), *numbers)
            is_full = filled == window.size
            window = jnp.where(is_full, jnp.roll(window, -1), window)
            filled = filled + 1 - is_full
            return window.at[filled - 1].set(token), filled, new.at[i].set(token)

        new = jnp.zeros(TOKENS_PER_CALL, jnp.int32)
        return jax.lax.fori_loop(0, count, body, (window, filled, new))

    return jax.jit(call)


def generate(
    call: Callable[..., Any],
    params: Tree,
    inputs: Inputs,
    prompt: list[int],
    *,
    length: int,
    context: int,
    vocabulary: int,
    drawing: Drawing,
) -> Iterator[list[int]]:
    """Continues a prompt.

    Args:
      call: from `make_generate_call`.
      params: of the model.
      inputs: the constants of the model and the seed.
      prompt: tokens; only the last `context` are read. At least one.
      length: tokens to draw.
      context: tokens that the model sees.
      vocabulary: number of tokens.
      drawing: how they are drawn.

    Yields:
      The new tokens, a few at a time.
    """
    window = np.zeros(context, np.int32)
    seen = prompt[-context:]
    window[: len(seen)] = seen
    filled = np.int32(len(seen))
    numbers = drawing.numbers(vocabulary)
    for first in range(0, length, TOKENS_PER_CALL):
        count = min(TOKENS_PER_CALL, length - first)
        place = (filled, np.int32(first), np.int32(count))
        found = call(params, inputs, window, place, numbers)
        # Back to the host: an array that stays on the mesh would compile anew.
        window, filled, new = map(np.asarray, found)
        yield new[:count].tolist()


def sample_text(
    setup: Any,
    params: Tree,
    *,
    prompt: str | None = None,
    length: int | None = None,
    drawing: Drawing | None = None,
    halted: Callable[[], bool] = lambda: False,
) -> str | None:
    """A text that begins with the prompt; by default as the config's `sample` says.

    Args:
      setup: the run's `Setup`.
      params: of the model.
      prompt: how the text begins.
      length: tokens to draw.
      drawing: how they are drawn.
      halted: asked between calls.

    Returns:
      The text, or None when halted. It ends where the first document in it does, of
      which what comes next is nothing that the model has learned.

    Raises:
      UserError: the vocabulary cannot write the prompt.
    """
    wanted, vocabulary = setup.config.sample, setup.task.vocabulary
    tokens = encode_prompt(setup.config, vocabulary, prompt)
    drawing = drawing or Drawing(wanted.temperature, wanted.top_k, wanted.top_p)
    new = generate(
        setup.answer_call,
        params,
        setup.inputs,
        tokens,
        length=length or wanted.length,
        context=setup.config.data.length,
        vocabulary=vocabulary.size,
        drawing=drawing,
    )
    # Among numbers the text of one may be a part of another.
    end = documents.end(setup.config.data) if vocabulary.is_text else None
    prompted = len(vocabulary.decode(tokens))
    for some in new:
        if halted():
            return None
        tokens += some
        text = vocabulary.decode(tokens)
        if end is not None and (at := documents.ended(text, end, prompted)):
            return text[:at]
    return vocabulary.decode(tokens)


def encode_prompt(config: Any, vocabulary: Any, prompt: str | None) -> list[int]:
    """The tokens of a prompt, by default the config's; at least one.

    Raises:
      UserError: it is empty, or the vocabulary cannot write it; a ConfigError if the
        config's prompt is at fault.
    """
    text = config.sample.prompt if prompt is None else prompt
    try:
        if tokens := list(vocabulary.encode(text)):
            return tokens
        message = "expected at least one token to start from, got an empty text."
    except ValueError as error:
        message = " ".join(str(error).split())
    if prompt is not None:
        raise UserError(f"prompt: {message}")
    raise config.sample.fault("prompt", message)
