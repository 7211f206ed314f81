"""Which way a metric is better is said once, by its name."""

import math

import pytest

from experiments.compare.comparison import Asked
from experiments.config.many import load_many
from experiments.goals import best_first, goal_of
from experiments.sweep.index import index_of

WAYS = {
    "val/loss": "min",
    "val/bpb": "min",
    "val/perplexity": "min",
    "optim/grad_norm": "min",
    "val/gap_1-8/loss": "min",
    "perf/step_ms": "min",
    "val/accuracy": "max",
    "val/exact_match": "max",
    "grid/length=32/accuracy": "max",
}
SECTIONS = {
    "sweep": "sweep: {axes: {optim.lr: [0.1]}, metric: METRIC}",
    "study": "study: {variants: {a: {}, b: {optim.lr: 0.1}}, metric: METRIC}",
}


@pytest.mark.parametrize(("metric", "goal"), WAYS.items())
def test_its_name_says_which_way_a_metric_is_better(metric, goal):
    assert goal_of(metric) == Asked(metric=metric).direction == goal
    assert goal_of(metric, "max") == "max"


@pytest.mark.parametrize("kind", SECTIONS)
@pytest.mark.parametrize("metric", ["val/accuracy", "val/loss"])
def test_a_sweep_and_a_study_go_where_their_metric_is_better(tmp_path, kind, metric):
    file = tmp_path / "s.yaml"
    file.write_text(SECTIONS[kind].replace("METRIC", metric))
    many = load_many(str(file), (), kind)
    assert index_of(many, many.points, tmp_path).goal == WAYS[metric]
    many = load_many(str(file), (f"{kind}.goal=min",), kind)
    assert index_of(many, many.points, tmp_path).goal == "min"


def test_what_is_not_finite_comes_last_whatever_is_better():
    values = [1.0, math.nan, 2.0, math.inf, -math.inf]
    assert sorted(values, key=lambda x: best_first(x, "min"))[:2] == [1, 2]
    assert sorted(values, key=lambda x: best_first(x, "max"))[:2] == [2, 1]
