"""Answers of an encoder and a decoder: what greedy decoding and a beam give."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from attn.modules import DecoderConfig, EncoderConfig, Seq2Seq
from experiments.model import read_source
from experiments.step import cross_entropy
from experiments.tally import tally
from experiments.tasks.task import END, Translation
from experiments.translate import fill, sourced, translate, up_to_end

B, S, T, V = 6, 7, 5, 11


@pytest.fixture(scope="module")
def model():
    """Drawn at random, with weights so large that its answers differ."""
    sizes = {"vocabulary": V, "layers": 1, "heads": 2, "width": 16, "init_std": 0.9}
    return Seq2Seq(
        encoder=EncoderConfig(**sizes, context=S),
        decoder=DecoderConfig(**sizes, context=T, tie=False),
        rngs=nnx.Rngs(3),
    )


@pytest.fixture(scope="module")
def batch():
    source = jax.random.randint(jax.random.key(1), (B, S), 1, V)
    return sourced(source, jnp.arange(S)[None] < jnp.array([[2, 7, 4, 6, 3, 5]]).T)


@pytest.fixture(scope="module")
def greedy(model, batch):
    run = partial(translate, model, length=T, beams=1, penalty=0.6)
    answers, totals = jax.jit(lambda: run(batch, None))()
    return np.asarray(answers)[:, 0], np.asarray(totals)[:, 0]


def taught(batch, answers):
    """The batch whose targets are these answers [B, T]."""
    answers = jnp.asarray(answers)
    over = (answers == END).astype(jnp.int32)
    before = jnp.cumsum(over, axis=1) - over
    return Translation(
        jnp.pad(answers, ((0, 0), (1, 0)), constant_values=END)[:, :-1],
        answers,
        (before == 0).astype(jnp.float32),
        source=batch.source,
        source_present=batch.source_present,
    )


def test_exact_match_is_what_greedy_decoding_gets_right(model, batch, greedy):
    """Without decoding: all is right under teacher forcing where it is right alone."""
    answers, _ = greedy
    assert len({row.tobytes() for row in answers}) > 3
    wrong = answers.copy()
    for row in range(1, B, 2):  # every other answer is spoilt, early or late
        place = row % min(T, 1 + len(up_to_end(wrong[row])))
        wrong[row, place] = 1 + wrong[row, place] % (V - 1)
    for targets, right in ((answers, B), (wrong, B - B // 2)):
        lesson = taught(batch, targets)
        logits = read_source(model, lesson, None)
        nats = cross_entropy(logits, lesson.targets)
        sums = tally(lesson, logits, nats, whole=True)
        assert sums["exact_match/weight"] == B
        assert sums["exact_match/correct"] == right


def test_the_worth_of_an_answer_is_its_log_probability(model, batch, greedy):
    answers, totals = greedy
    lesson = taught(batch, answers)
    nats = cross_entropy(read_source(model, lesson, None), lesson.targets)
    found = -(nats * lesson.weights).sum(1)
    np.testing.assert_allclose(totals, found, rtol=1e-4, atol=1e-4)


def test_a_beam_finds_nothing_worse_and_reads_each_source_alone(model, batch, greedy):
    run = partial(translate, model, length=T, beams=8, penalty=0.0)
    answers, worths = jax.jit(lambda: run(batch, None))()
    assert (np.diff(worths, axis=1) <= 0).all()
    assert (worths[:, 0] >= greedy[1] - 1e-4).all()
    assert (worths[:, 0] > greedy[1] + 1e-3).any()
    short = sourced(batch.source[:1, :2], batch.source_present[:1, :2])
    alone, worth = run(short, None)
    np.testing.assert_array_equal(alone[0, 0], answers[0, 0])
    np.testing.assert_allclose(worth[0], worths[0], rtol=1e-4, atol=1e-4)


def test_a_row_of_a_batch_and_the_end_of_an_answer():
    row, present = fill([3, 4], 5)
    assert row.tolist() == [[3, 4, END, END, END]]
    assert present.tolist() == [[True, True, False, False, False]]
    assert up_to_end(np.array([5, 6, END, END])) == [5, 6]
    assert up_to_end(np.array([5, 6])) == [5, 6]
    assert dataclasses.is_dataclass(sourced(jnp.asarray(row), jnp.asarray(present)))
