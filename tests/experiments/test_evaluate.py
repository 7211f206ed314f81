"""Scores against sums by hand, whatever a call reads at once."""

import math

import numpy as np
import pytest

from experiments.evaluate import Score, evaluate

NATS = np.array([3.0, 1.0, 4.0, 1.5, 9.0], np.float32)
WEIGHTS = np.array([2.0, 1.0, 3.0, 0.0, 4.0], np.float32)
RIGHT = np.array([1.0, 0.0, 2.0, 0.0, 3.0], np.float32)


def call(most):
    """An eval call that reads from lists, and leaves rubbish behind its count."""

    def read(params, inputs, first, count):
        buffers = {}
        for name, row in (("loss", NATS), ("weight", WEIGHTS), ("correct", RIGHT)):
            buffers[name] = np.full(most, np.nan, np.float32)
            buffers[name][:count] = row[first : first + count]
        return buffers

    return read


@pytest.mark.parametrize("most", [1, 2, 3, 5, 7])
def test_the_mean_is_weighted_and_does_not_depend_on_the_calls(most):
    score = evaluate(call(most), None, None, batches=5, most=most)
    assert score.loss == pytest.approx(18.5 / 10)
    assert score.accuracy == pytest.approx(0.6)
    assert score.tokens == 10
    assert score.batches == 5


def test_it_halts_between_calls():
    answers = iter([False, True])
    halted = lambda: next(answers)  # noqa: E731
    assert evaluate(call(2), None, None, batches=5, most=2, halted=halted) is None


def test_the_row_of_a_score():
    row = Score(loss=math.log(8), accuracy=0.5, tokens=10, batches=2).row(1.5)
    assert row["val/perplexity"] == pytest.approx(8)
    assert row["val/bpb"] == pytest.approx(2)
    assert "val/bpb" not in Score(1.0, 0.5, 10, 2).row(None)
    assert Score(1e4, 0.0, 1, 1).perplexity == math.inf


def test_parts_and_whole_answers_have_their_means_and_empty_parts_none():
    sums = {"loss": [4.0, 2.0], "weight": [2.0, 1.0], "correct": [1.0, 1.0]}
    for part, count in (("near", 1.0), ("far", 0.0), ("exact_match", 2.0)):
        sums |= {f"{part}/loss": [3.0 * count, 1.0 * count]}
        sums |= {f"{part}/weight": [count, count], f"{part}/correct": [0.0, count]}
    read = lambda *_: {name: np.float32(row) for name, row in sums.items()}  # noqa: E731
    row = evaluate(read, None, None, batches=2, most=2).row(None)
    assert row["val/loss"] == 2.0
    assert (row["val/near/loss"], row["val/near/accuracy"]) == (2.0, 0.5)
    assert row["val/exact_match"] == 0.5
    assert not [name for name in row if "far" in name]
    assert "val/exact_match/loss" not in row
