"""Statistics against numbers that are known from elsewhere, and against simulation."""

import math

import numpy as np
import pytest

from experiments.compare.statistics import (
    adjusted,
    estimate,
    paired,
    power,
    seeds_needed,
    spread_interval,
)


def test_a_mean_has_a_t_interval():
    """Five values: t = 2.776 with 4 degrees of freedom, from any table."""
    values = [4.0, 5.0, 6.0, 7.0, 8.0]
    found = estimate(values)
    half = 2.7764451 * math.sqrt(2.5 / 5)
    assert (found.n, found.mean) == (5, 6.0)
    assert found.sd == pytest.approx(math.sqrt(2.5))
    assert (found.low, found.high) == (pytest.approx(6 - half), pytest.approx(6 + half))


def test_the_interval_covers_the_mean_nineteen_times_in_twenty():
    rng = np.random.default_rng(0)
    draws = rng.normal(3.0, 2.0, (2000, 4))
    inside = [e.low < 3.0 < e.high for e in map(estimate, draws)]
    assert 0.93 < np.mean(inside) < 0.97


def test_one_value_has_no_interval_and_none_is_refused():
    assert estimate([2.0]).low is None
    assert estimate([2.0]).sd is None
    with pytest.raises(ValueError, match="at least one value"):
        estimate([])


def test_pairs_are_tested_over_the_seeds_that_both_have():
    """Student's sleep data (1908): t = -4.0621, p = 0.00283, d of the differences."""
    one = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    two = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    this = dict(enumerate(one)) | {99: 5.0}
    other = dict(enumerate(two)) | {77: 9.0}
    found = paired(this, other)
    assert found.n == 10
    assert found.difference == pytest.approx(-1.58)
    assert found.p == pytest.approx(0.00283289, rel=1e-5)
    assert found.effect == pytest.approx(-4.0621277 / math.sqrt(10), rel=1e-6)
    assert found.low < -1.58 < found.high < 0
    assert 0.001 < found.p_ranks < 0.02


def test_too_few_pairs_give_no_p():
    assert paired({0: 1.0}, {1: 2.0}) is None
    one = paired({0: 1.0}, {0: 2.0})
    assert (one.n, one.p, one.low) == (1, None, None)
    assert "no test" in one.note
    same = paired({0: 1.0, 1: 2.0}, {0: 2.0, 1: 3.0})
    assert same.p is None
    assert "same on every seed" in same.note
    few = paired(dict(enumerate([1.0, 2.0, 4.0])), dict(enumerate([0.0, 0.0, 0.0])))
    assert few.p is not None
    assert few.p_ranks is None


def test_many_tests_are_adjusted():
    """Benjamini and Hochberg's step-up: p times m over rank, from the largest down."""
    assert adjusted([0.01, None, 0.04, 0.03]) == [
        pytest.approx(0.03),
        None,
        pytest.approx(0.04),
        pytest.approx(0.04),
    ]
    assert adjusted([None]) == [None]


def test_power_is_what_simulation_finds():
    from scipy import stats

    rng = np.random.default_rng(1)
    one, two = rng.normal(0.0, 1.0, (2, 4000, 6))
    seen = np.mean(stats.ttest_ind(one, two + 1.5, axis=1).pvalue < 0.05)
    assert power(1.5, 1.0, 6) == pytest.approx(seen, abs=0.02)


def test_seeds_needed_are_those_of_the_tables():
    """Cohen 1988, table 2.4.1: d = 0.5, 0.8 and 1.0 need 64, 26 and 17 of each."""
    assert [seeds_needed(d, 1.0) for d in (0.5, 0.8, 1.0)] == [64, 26, 17]
    assert seeds_needed(50.0, 1.0) == 2
    assert seeds_needed(1e-4, 1.0) is None


def test_a_standard_deviation_has_an_interval():
    """Eight values: chi-squared quantiles 16.0128 and 1.68987 with 7 degrees."""
    values = np.arange(8.0)
    sd = values.std(ddof=1)
    low, high = spread_interval(values)
    assert low == pytest.approx(sd * math.sqrt(7 / 16.01276), rel=1e-5)
    assert high == pytest.approx(sd * math.sqrt(7 / 1.689869), rel=1e-5)
