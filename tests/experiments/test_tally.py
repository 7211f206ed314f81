"""Sums over a batch against loops."""

import jax.numpy as jnp
import numpy as np
import pytest

from experiments.tally import tally
from experiments.tasks.task import Batch

DRAW = np.random.default_rng(11)
B, T, V = 5, 7, 3
LOGITS = DRAW.normal(size=(B, T, V)).astype(np.float32)
TARGETS = DRAW.integers(0, V, (B, T)).astype(np.int32)
TARGETS[0] = LOGITS[0].argmax(-1)  # one example that is right throughout
WEIGHTS = DRAW.choice([0.0, 1.0, 2.0], (B, T)).astype(np.float32)
WEIGHTS[3] = 0  # and one that nobody asked about
NATS = DRAW.uniform(1, 2, (B, T)).astype(np.float32)
INSIDE = DRAW.random((B, T)) < 0.5


def found(whole):
    batch = Batch(*map(jnp.asarray, (TARGETS, TARGETS, WEIGHTS)), {"half": INSIDE})
    sums = tally(batch, jnp.asarray(LOGITS), jnp.asarray(NATS), whole=whole)
    assert all(x.shape == () and x.dtype == jnp.float32 for x in sums.values())
    return {name: float(x) for name, x in sums.items()}


def looped(inside):
    sums = np.zeros(3)
    for b, t in np.argwhere(inside):
        right = LOGITS[b, t].argmax() == TARGETS[b, t]
        sums += WEIGHTS[b, t] * np.array([NATS[b, t], 1, right])
    return sums


@pytest.mark.parametrize(("prefix", "inside"), [("", WEIGHTS >= 0), ("half/", INSIDE)])
def test_targets_and_slices(prefix, inside):
    got = [found(False)[prefix + name] for name in ("loss", "weight", "correct")]
    np.testing.assert_allclose(got, looped(inside), rtol=1e-6)


def test_examples_count_as_a_whole_only_where_something_counts():
    right = (LOGITS.argmax(-1) == TARGETS) | (WEIGHTS == 0)
    asked = (WEIGHTS > 0).any(1)
    sums = found(True)
    assert sums["exact_match/weight"] == asked.sum() == B - 1
    assert sums["exact_match/correct"] == (right.all(1) & asked).sum() >= 1
    assert "exact_match/weight" not in found(False)
