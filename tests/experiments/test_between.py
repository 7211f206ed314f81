"""The host's part: what lies between calls, and nothing that something else took."""

import pytest

from experiments import between
from experiments.between import Between


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(between.time, "monotonic", lambda: now[0])
    return now


def test_what_passes_between_two_calls_is_shared_by_the_steps(clock):
    seen = Between()
    assert seen.per_step() is None
    seen.enter()  # the first call follows none
    seen.leave(100.0, 10, is_plain=True)
    clock[0] = 100.5
    seen.enter()
    seen.leave(103.0, 5, is_plain=True)
    clock[0] = 103.1
    seen.enter()
    assert seen.per_step() == pytest.approx(0.6 / 15)


def test_evaluations_and_saves_are_left_out(clock):
    seen = Between()
    seen.leave(100.0, 10, is_plain=False)
    clock[0] = 900.0
    seen.enter()
    assert seen.per_step() is None
