"""Differences that are there are found, and noise is called level."""

import numpy as np
import pytest

from experiments.bench.statistics import interval, is_level, ratio, summary


def rounds(seconds, *, seed, noise=0.02, drift=None):
    """Seven rounds of 20 calls; the machine drifts from round to round."""
    random = np.random.default_rng(seed)
    drift = np.ones(7) if drift is None else drift
    return [
        list(seconds * slow * (1 + noise * np.abs(random.standard_normal(20))))
        for slow in drift
    ]


DRIFT = 1 + 0.15 * np.random.default_rng(9).random(7)  # as a shared machine has


@pytest.mark.parametrize("seed", range(8))
def test_five_percent_are_found_through_a_drift_of_fifteen(seed):
    ours = rounds(1e-3, seed=seed, drift=DRIFT)
    assert ratio(ours, rounds(1.05e-3, seed=99 + seed, drift=DRIFT)).verdict == "faster"
    assert ratio(ours, rounds(0.95e-3, seed=99 + seed, drift=DRIFT)).verdict == "slower"


@pytest.mark.parametrize("seed", range(8))
def test_the_same_against_itself_is_level(seed):
    control = ratio(
        rounds(1e-3, seed=seed, drift=DRIFT), rounds(1e-3, seed=50 + seed, drift=DRIFT)
    )
    assert control.verdict == "level"
    assert is_level(control)


def test_a_control_that_is_wide_or_off_is_not_level():
    ours = rounds(1e-3, seed=0)
    wild = rounds(1e-3, seed=1, drift=np.array([1, 1.6, 0.7, 1.5, 0.8, 1.4, 1]))
    assert not is_level(ratio(ours, wild))
    assert not is_level(ratio(ours, rounds(1.1e-3, seed=2)))


def test_medians_of_rounds_and_their_spread():
    found = summary([[1.0, 9.0, 2.0], [4.0], [3.0, 3.0]])
    assert (found.median, found.mad, found.least, found.calls) == (3.0, 1.0, 1.0, 6)
    assert interval([[2.0], [2.0], [2.0]]) == (2.0, 2.0)


def test_a_ratio_is_the_rivals_time_over_ours():
    found = ratio([[2.0]] * 5, [[3.0]] * 5)
    assert (found.value, found.low, found.high) == (1.5, 1.5, 1.5)


@pytest.mark.parametrize(("ours", "theirs"), [(0, 0), (2, 1), (3, 0)])
def test_a_ratio_needs_the_same_rounds_of_both(ours, theirs):
    said = f"got {ours} of ours and {theirs} of theirs; compare those that ran"
    with pytest.raises(ValueError, match=said):
        ratio([[2.0]] * ours, [[3.0]] * theirs)
