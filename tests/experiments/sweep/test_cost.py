"""What a run costs is counted with all the batches that it will be judged by."""

import pytest

from experiments.config import load
from experiments.sweep.cost import batches, cost_of

WHOLE = "eval.batches=null"


def test_a_generated_task_is_judged_by_all_its_examples():
    config = load(None, ["data.kind=mqar", "data.batch=64", WHOLE])
    assert batches(config) == 32
    assert batches(load(None, ["data.kind=mqar", "data.batch=64"])) == 20
    few = load(None, ["data.kind=mqar", "data.batch=1024"])
    assert batches(few) == 2


def test_a_text_is_judged_by_its_share(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("x" * 100_000)
    options = [f"data.path={path}", "data.context=100", "data.batch=10", WHOLE]
    assert batches(load(None, options)) == 10
    assert batches(load(None, [*options, "data.validation=0.5"])) == 50
    gone = load(None, [*options[1:], f"data.path={tmp_path}/gone.txt"])
    assert batches(gone) == 1


def test_evaluations_cost_a_third_of_a_step_a_batch():
    changes = ["data.kind=mqar", "train.duration=100steps", "eval.every=50steps"]
    config = load(None, [*changes, "eval.batches=3"])
    assert cost_of(config) == pytest.approx(100 + 2 * 3 / 3)
