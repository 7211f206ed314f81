"""Sampling: fixed shapes, a window that slides, temperature and top-k."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.config import ConfigError, load
from experiments.errors import UserError
from experiments.generate import (
    TOKENS_PER_CALL,
    Drawing,
    draw,
    encode_prompt,
    generate,
    make_generate_call,
    sample_text,
)
from experiments.setup import assemble
from experiments.step import Inputs
from tests.experiments.relaxed import relaxed  # noqa: F401
from tests.experiments.stub import Task
from tests.experiments.worker import SMALL

LOGITS = jnp.array([0.5, 3.0, -1.0, 2.5, 0.0])
CONTEXT = 5


def drawn(temperature, top_k, count=300, top_p=np.inf):
    rngs = jax.random.split(jax.random.key(0), count)
    numbers = temperature, top_k, jnp.float32(top_p)
    each = jax.vmap(lambda rng: draw(LOGITS, rng, *numbers))
    return np.asarray(each(rngs))


def test_temperature_zero_takes_the_likeliest():
    assert set(drawn(jnp.float32(0), jnp.int32(5))) == {1}


def test_top_k_draws_among_the_k_likeliest():
    assert set(drawn(jnp.float32(2), jnp.int32(1))) == {1}
    assert set(drawn(jnp.float32(2), jnp.int32(2))) == {1, 3}
    assert set(drawn(jnp.float32(9), jnp.int32(5))) == {0, 1, 2, 3, 4}


def test_top_p_draws_among_the_likeliest_of_that_share():
    """At temperature 2 the shares are 0.41, 0.32, 0.12, 0.09 and 0.06."""
    hot = jnp.float32(2)
    shares = np.sort(np.asarray(jax.nn.softmax(LOGITS / 2)))[::-1]
    two = shares[:2].sum()
    assert set(drawn(hot, jnp.int32(5), top_p=0.0)) == {1}
    assert set(drawn(hot, jnp.int32(5), top_p=shares[0] - 0.01)) == {1}
    assert set(drawn(hot, jnp.int32(5), top_p=two - 0.01)) == {1, 3}
    assert set(drawn(hot, jnp.int32(5), top_p=two + 0.01)) == {1, 3, 0}
    # Of the two likeliest, the first alone has more than half.
    assert set(drawn(hot, jnp.int32(2), top_p=0.5)) == {1}
    same = drawn(hot, jnp.int32(5), top_p=1.0)
    np.testing.assert_array_equal(same, drawn(hot, jnp.int32(5)))


def test_frequencies_follow_the_softmax():
    found = np.bincount(drawn(jnp.float32(1.5), jnp.int32(5), 4000), minlength=5) / 4000
    expected = np.asarray(jax.nn.softmax(LOGITS / 1.5))
    np.testing.assert_allclose(found, expected, atol=4 * np.sqrt(0.25 / 4000))


def counting(params, constants, batch, rng):
    """A model whose next token is 10 x (tokens it sees) + the last one's last digit.

    It sees what a causal model at each position sees: that position and those before.
    """
    tokens = batch.tokens
    seen = jnp.arange(1, tokens.shape[1] + 1)[None]
    return jax.nn.one_hot((10 * seen + tokens % 10 + 1) % 97, 97) * 100


def continued(prompt, length):
    call = make_generate_call(counting)
    inputs = Inputs(data={}, constants={}, seed=np.uint32(0))
    options = {"length": length, "context": CONTEXT, "vocabulary": 97}
    parts = generate(call, {}, inputs, prompt, drawing=Drawing(0.0), **options)
    return [token for part in parts for token in part], call


def by_hand(prompt, length):
    tokens = list(prompt)
    for _ in range(length):
        seen = tokens[-CONTEXT:]
        tokens.append((10 * len(seen) + seen[-1] % 10 + 1) % 97)
    return tokens[len(prompt) :]


@pytest.mark.parametrize("prompt", [[3], [1, 2, 3, 4, 5], list(range(9))])
def test_the_window_fills_and_then_slides(prompt):
    length = TOKENS_PER_CALL + 7  # over more than one call
    found, call = continued(prompt, length)
    assert found == by_hand(prompt, length)
    assert call._cache_size() == 1


@pytest.fixture(scope="module")
def setup(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text(SMALL)
    config = load(path, [])
    return assemble(config, Task(config.data.batch, config.data.context))


def test_a_text_begins_with_its_prompt_and_repeats(setup):
    params = setup.start().params
    texts = [sample_text(setup, params, prompt="the cat", length=50) for _ in range(2)]
    assert texts[0] == texts[1]
    assert texts[0].startswith("the cat")
    hot = sample_text(setup, params, prompt="a", length=9, drawing=Drawing(0.0, 3))
    assert hot.startswith("a")
    assert setup.answer_call._cache_size() == 1


def test_it_halts_between_calls(setup):
    assert sample_text(setup, setup.start().params, halted=lambda: True) is None


@pytest.mark.parametrize(
    ("documents", "prompt", "said"),
    [
        ("--", "o", "one--"),
        ("--", "-", "-ne--"),
        ("ne--two", "o", "one--two"),
        ("##", "o", "one--two--" * 6 + "one"),
        ("files", "o", "one--two--" * 6 + "one"),
        (None, "o", "one--two--" * 6 + "one"),
    ],
)
def test_a_sample_ends_with_its_document(setup, documents, prompt, said):
    """Nothing that was learned says how the next one begins."""
    text = iter(b"ne--two--o" * 7)

    def call(params, inputs, window, place, numbers):
        return window, place[0], np.array([next(text) for _ in range(TOKENS_PER_CALL)])

    data = setup.config.data.model_copy(update={"documents": documents})
    config = setup.config.model_copy(update={"data": data})
    made = dataclasses.replace(setup, config=config, answer_call=call)
    assert sample_text(made, {}, prompt=prompt, length=62) == said


def test_an_empty_prompt_is_refused_where_it_was_written(setup):
    vocabulary = setup.task.vocabulary
    with pytest.raises(UserError, match=r"^prompt: expected at least one token"):
        encode_prompt(setup.config, vocabulary, "")
    config = load(None, ["sample.prompt=''"])
    with pytest.raises(ConfigError, match=r"sample\.prompt.*at least one token"):
        encode_prompt(config, vocabulary, None)
