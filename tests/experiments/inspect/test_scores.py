"""Head scores against loops, and on heads made to do one thing."""

import numpy as np
import pytest

from experiments.inspect.scores import SCORES, head_scores, title_of

TOKENS = np.array([3, 1, 4, 1, 5, 3, 1, 4, 4])
T = len(TOKENS)


def looking_at(targets):
    """Weights [1, T, T] of a head that looks at one place, or at the first token."""
    weights = np.zeros((1, T, T))
    for t, s in enumerate(targets):
        weights[0, t, s] = 1
    return weights


def by_loops(weights):
    """Oracle: every definition in words, one pair at a time; one head [T, T]."""
    rows = [row / max(1.0, row.sum()) for row in weights]
    wanted = {
        "previous": lambda t, s: s == t - 1,
        "duplicate": lambda t, s: s < t and TOKENS[s] == TOKENS[t],
        "induction": lambda t, s: 0 < s < t and TOKENS[s - 1] == TOKENS[t],
        "first": lambda t, s: s == 0 and t > 0,
    }
    found = {}
    for name, is_wanted in wanted.items():
        sums = []
        for t in range(T):
            places = [s for s in range(T) if is_wanted(t, s)]
            if places:
                sums.append(sum(rows[t][s] for s in places))
        found[name] = np.mean(sums)
    nats = []
    for row in rows:
        if row.sum() > 0:
            shares = row / row.sum()
            nats.append(-sum(p * np.log(p) for p in shares if p > 0))
    return found | {"entropy": np.mean(nats)}


@pytest.mark.parametrize("size", [0.1, 1.0, 30.0], ids=["sink", "sums", "above one"])
def test_scores_are_what_they_say(size):
    weights = np.random.default_rng(0).random((2, T, T)) * np.tri(T) * size / T
    weights[:, 4] = 0  # a query that looks nowhere
    found = head_scores(weights, TOKENS, TOKENS, within=True)
    for head in range(2):
        for name, value in by_loops(weights[head]).items():
            assert found[name][head] == pytest.approx(value, rel=1e-9), name


def test_a_head_that_does_one_thing_scores_one_and_is_called_so():
    previous = looking_at([0, *range(T - 1)])
    # The last place where the same token was followed by something, and by what.
    after = [0, 0, 0, 2, 0, 1, 4, 3, 8]
    scores = head_scores(looking_at(after), TOKENS, TOKENS, within=True)
    assert scores["induction"] == pytest.approx([4 / 5])  # `4 4` follows itself
    assert title_of({k: v[0] for k, v in scores.items()}) == "induction head"
    scores = head_scores(previous, TOKENS, TOKENS, within=True)
    assert scores["previous"] == 1.0
    assert scores["entropy"] == 0.0
    assert title_of({k: v[0] for k, v in scores.items()}) == "previous-token head"


def test_what_compares_places_means_nothing_between_two_texts():
    weights = np.full((1, 3, 5), 0.2)
    found = head_scores(weights, np.arange(3), np.arange(5), within=False)
    assert {name for name, x in found.items() if np.isfinite(x).all()} == {
        name for name, score in SCORES.items() if not score.within
    }
    assert found["entropy"] == pytest.approx([np.log(5)])
    assert title_of({name: x[0] for name, x in found.items()}) == ""


def test_without_repeats_there_is_nothing_to_count():
    tokens = np.arange(4)
    found = head_scores(np.full((1, 4, 4), 0.25), tokens, tokens, within=True)
    assert np.isnan(found["induction"]).all()
    assert np.isnan(found["duplicate"]).all()
