"""A case whose times mean nothing says why, and has no verdicts."""

import dataclasses

import pytest

from experiments.bench import record, table
from experiments.bench.cases import Goal
from experiments.bench.race import CONTROL, OURS, Result, Rules
from experiments.bench.statistics import Summary, ratio
from experiments.bench.suite import control_level, new, row
from experiments.bench.validity import busy, few, spread

QUIET = [1.0, 1.01, 0.99, 1.0, 1.02]
WILD = [0.98, 1.7, 0.97, 1.6, 1.02]
GOALS = (Goal("torch", 0.85, 1.5), Goal("flex"))


def case(ours=QUIET, again=QUIET, torch=QUIET, load=0.1):
    """A case of milliseconds, round by round."""
    times = {OURS: ours, CONTROL: again, "torch": torch, "flex": torch}
    found = {
        name: Result(name, rounds=[[1e-3 * each] * 3 for each in rounds])
        for name, rounds in times.items()
    }
    rows = [row(each, found, GOALS) for each in found.values()]
    level = control_level(rows)
    return record.judged(
        record.Measured("a case", {}, rows, (load, load), level, 3.0, 2)
    )


def told(*cases):
    """The table of a run."""
    made = new("attention", Rules())
    made.cases, made.planned = list(cases), len(cases)
    return "\n".join(table.lines(made))


def slow(times, by):
    return [by * each for each in times]


def test_a_quiet_case_is_judged():
    assert case().fault == ""
    assert "level, met" in told(case())
    assert "1 of 1 goals met, 0 of them at their stretch." in told(case())


@pytest.mark.parametrize(
    ("disturbed", "why"),
    [
        (
            {"load": 8.5},
            "the load before it was 8.5 on 2 cores; run again on a quiet machine",
        ),
        (
            {"torch": [1, 1.6, 0.5, 2, 1.1]},
            "torch deviates by 45% of its median, flex deviates by 45% of its median;"
            " run again on a quiet machine",
        ),
        (
            {"again": WILD},
            "ours against itself is too wide to tell; run again on a quiet machine",
        ),
        (
            {"again": slow(QUIET, 1.2)},
            "ours against itself is not level: the second is slower; run again on a"
            " quiet machine",
        ),
        ({"ours": [1, 1], "again": [1, 1], "torch": [1, 1]}, few(2)),
    ],
)
def test_a_disturbed_case_says_why_and_is_not_judged(disturbed, why):
    made = case(**disturbed)
    assert made.fault == why
    said = told(made)
    assert f"  INVALID: {why}." in said
    assert "1 of 1 goals not judged: their cases are invalid." in said
    assert "we are" not in said
    assert "met" not in said
    for name in ("torch", "flex"):
        assert next(x for x in said.split("\n") if name in x).endswith("not judged")


def test_load_up_to_that_of_our_own_case_before_is_none():
    assert busy(3.0, 2) == ""
    assert busy(3.1, 2) == "the load before it was 3.1 on 2 cores"
    assert busy(99.0, 0) == ""


def test_a_quarter_of_the_median_may_deviate():
    quiet, wild = Summary(1.0, 0.25, 0.5, 9), Summary(1.0, 0.26, 0.5, 9)
    assert spread({"a": quiet, "b": wild}) == "b deviates by 26% of its median"


def test_few_rounds_show_numbers_without_an_interval():
    two = [1, 1]
    said = told(case(ours=two, again=two, torch=[1.04, 1.04]))
    assert "1.04 x" in said
    assert "1.04 to" not in said
    assert "0.0 us" not in said
    assert "INVALID: too few rounds: 2 of at least 5; give --rounds 5." in said


@pytest.mark.parametrize(
    ("again", "word"),
    [
        (slow(QUIET, 1.2), "slower"),
        (slow(QUIET, 0.8), "faster"),
        (WILD, "too wide to tell"),
        (QUIET, "level"),
    ],
)
def test_the_control_is_said_beside_the_first(again, word):
    made = case(again=again)
    assert table.said(made.row(CONTROL)) == word


def test_a_goal_inside_the_interval_is_met_or_missed_but_not_surely():
    made = case(torch=[0.8, 0.9, 0.9, 0.83, 0.86])
    assert made.row("torch").ratio == ratio(
        made.rows[0].rounds, made.row("torch").rounds
    )
    assert table.said(made.row("torch")) == "we are slower, met, not surely"
    assert "1 of 1 goals met, 0 of them at their stretch, 1 not surely." in told(made)
    missed = case(torch=[0.8, 0.9, 0.84, 0.83, 0.86])
    assert table.said(missed.row("torch")) == "we are slower, missed, not surely"
    best = case(torch=[1.4, 1.6, 1.6, 1.52, 1.45])
    assert table.said(best.row("torch")) == "we are faster, stretch, not surely"
    assert "1 of them at their stretch." in told(best)


def test_what_was_judged_comes_back_from_its_file(tmp_path):
    made = new("attention", Rules())
    made.cases, made.planned = [case(load=9.0), case()], 2
    made.write(tmp_path / "x.json")
    assert record.load(tmp_path / "x.json") == made
    loud = dataclasses.replace(case(), load=(9.0, 9.0))
    assert record.judged(loud).row("torch").reached == "not judged"
