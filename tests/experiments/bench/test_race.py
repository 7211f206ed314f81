"""Contenders in processes of their own; who cannot run is a row with the reason."""

import dataclasses

import numpy as np
import pytest

from experiments.bench import ceilings, table
from experiments.bench.cases import Case
from experiments.bench.contender import Refused
from experiments.bench.race import CONTROL, OURS, Rules, distance, race
from experiments.bench.statistics import is_level, ratio
from experiments.bench.suite import measure, new, row
from experiments.bench.work import CeilingWork

NAMES = ("same", "slower", "wrong", "unable", "missing", "dying", "failing_later")
TARGETS = {OURS: "sleepers:ours", **{name: f"sleepers:{name}" for name in NAMES}}
QUICK = Rules(rounds=2, burst=0.01, control=False)


def test_turns_alternate_and_who_cannot_run_says_why(importable):
    heard = []
    found = race(CeilingWork(), NAMES, QUICK, targets=TARGETS, tell=heard.append)
    turns = [line.split(", ")[-1] for line in heard if "round" in line]
    first, second = turns[: len(turns) // 2 + 1], turns[len(turns) // 2 + 1 :]
    assert first[0] == second[-1] == OURS
    assert [name for name in first if name in second] == second[::-1]

    assert len(found["same"].rounds) == len(found[OURS].rounds) == 2
    assert found["same"].error == 0
    assert found["same"].facts["kernel"] == "sleep"
    reasons = {name: found[name].refused for name in NAMES[2:]}
    assert reasons["wrong"].startswith("its result differs from ours by 1.0e-03")
    assert reasons["unable"] == "it has no such kernel"
    assert reasons["missing"] == (
        "no_such_library is not installed; pip install 'attn[rivals]'"
    )
    assert reasons["dying"].startswith("the process ended with code 3")
    assert reasons["failing_later"] == "MemoryError: all gone"
    rows = [row(found[name], found, []) for name in found]
    assert [each.name for each in rows if each.time] == [OURS, "same", "slower"]
    assert all(each.refused for each in rows[3:])


def test_without_ours_there_is_no_race(importable):
    with pytest.raises(Refused, match="it has no such kernel"):
        race(CeilingWork(), [], QUICK, targets={OURS: "sleepers:unable"})


def test_ours_that_dies_in_a_turn_is_no_race(importable):
    targets = TARGETS | {OURS: "sleepers:dying_in_a_turn"}
    with pytest.raises(Refused, match="the process ended with code 3"):
        race(CeilingWork(), ["same"], QUICK, targets=targets)


def test_a_profile_that_fails_leaves_the_timings(importable, tmp_path):
    targets = TARGETS | {"same": "sleepers:no_profile"}
    rules = dataclasses.replace(QUICK, profile=str(tmp_path))
    found = race(CeilingWork(), ["same"], rules, targets=targets)["same"]
    assert found.facts["profile"] == "no profile: OSError: no room for a trace"
    assert len(found.rounds) == 2


def test_a_profile_that_nobody_can_write_is_told(importable, tmp_path):
    rules = dataclasses.replace(QUICK, profile=str(tmp_path))
    found = race(CeilingWork(), [], rules, targets=TARGETS)[OURS]
    assert found.facts["profile"] == "no profile: its process writes no trace"


def measured(monkeypatch, target):
    """A case of ours alone, as it stands in a record."""
    contenders = {CeilingWork.suite: {OURS: target}}
    monkeypatch.setattr("experiments.bench.race.CONTENDERS", contenders)
    monkeypatch.setitem(ceilings.NEEDED, CeilingWork.suite, ())
    made = new(CeilingWork.suite, QUICK)
    rules = dataclasses.replace(QUICK, control=True)
    made.cases = [measure(Case(CeilingWork(), ()), rules, made, lambda _: None)]
    made.planned = 1
    return made


def test_a_control_that_cannot_run_is_not_level(importable, monkeypatch):
    made = measured(monkeypatch, "sleepers:dying_as_control")
    assert made.cases[0].rows[0].time is not None
    assert made.cases[0].level is False
    assert made.invalid == ["matmul: ours against itself was not measured"]
    said = "\n".join(table.lines(made))
    assert "  INVALID: ours against itself was not measured." in said


def test_ours_that_refuses_makes_a_run_invalid(importable, monkeypatch):
    made = measured(monkeypatch, "sleepers:unable")
    assert made.invalid == ["matmul: ours was not measured"]


def test_outputs_of_another_shape_never_agree():
    assert distance([np.ones(3)], [np.ones(5)]) == float("inf")
    assert distance([np.ones(3)], [np.full(3, 1.5)]) == pytest.approx(0.5)
    assert distance([], []) == 0  # compiling has none


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_output_that_is_not_finite_never_agrees_wherever_it_stands(bad):
    fine, wrong = np.ones(3), np.array([1.0, bad, 1.0])
    with np.errstate(invalid="ignore"):
        for theirs in ([fine, wrong], [wrong, fine]):
            assert not distance([fine, fine], theirs) <= 1


def test_gradients_that_are_nan_are_refused_and_ours_ends_the_race(importable):
    found = race(
        CeilingWork(), ["bad"], QUICK, targets=TARGETS | {"bad": "sleepers:nan_second"}
    )
    assert found["bad"].refused == "its result is not finite"
    with pytest.raises(Refused, match="its result is not finite"):
        race(CeilingWork(), [], QUICK, targets={OURS: "sleepers:nan_second"})


@pytest.mark.slow
def test_a_planted_slowdown_of_five_percent_is_found_and_the_control_is_level(
    importable,
):
    rules = Rules(rounds=7, burst=0.2)
    found = race(CeilingWork(), ["slower", "same"], rules, targets=TARGETS)
    ours = found[OURS].rounds
    assert is_level(ratio(ours, found[CONTROL].rounds))
    assert ratio(ours, found["same"].rounds).verdict == "level"
    planted = ratio(ours, found["slower"].rounds)
    assert planted.verdict == "faster"
    assert planted.value == pytest.approx(1.05, abs=0.02)
