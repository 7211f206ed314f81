"""Runs read from disk: whole, without JAX, damaged ones named."""

import re
import subprocess
import sys

import numpy as np
import pytest

from experiments import storage
from experiments.records import Damaged, read_run, read_runs
from tests.experiments.made import STEPS, make_run


@pytest.fixture
def path(tmp_path):
    return make_run(tmp_path, "seed=3", "tags=[a, b]")


def test_a_run_is_read_whole(path):
    run = read_run(path)
    assert run.name == path.name
    assert run.status == "done"
    assert (run.step, run.derived.steps) == (STEPS, STEPS)
    assert run.tags == ("a", "b")
    assert run.flat["seed"] == run.config.seed == 3
    assert run.flat["optim.schedule.kind"] == "cosine"
    steps, losses = run.curve("val/loss")
    assert steps.tolist() == [10, 20, 30, 40]
    assert np.all(np.diff(losses) < 0)
    assert run.last("val/loss") == run.result["val/loss"] == losses[-1]
    assert run.perf("step_ms")[1].tolist() == [2.5, 2.5]
    assert run.samples == {STEPS: "the cat sat\n"}
    assert run.group is None
    assert "train/loss" in run.metrics
    assert "step" not in run.metrics


def test_what_was_never_logged_is_empty(path):
    run = read_run(path)
    assert run.curve("zebra")[0].size == run.curve("zebra")[1].size == 0
    assert run.last("zebra") is None


def test_numbers_that_are_not_finite_are_nan(path):
    lines = '{"step": 50, "x": null}\n{"step": 51, "x": 1e999}\n'
    lines += '{"step": 52, "x": 1' + "0" * 400 + '}\n{"step": 53, "x": "high"}\n'
    with (path / "metrics.jsonl").open("a") as file:
        file.write(lines)
    steps, values = read_run(path).curve("x")
    assert steps.tolist() == [50, 51, 52]
    assert not np.isfinite(values).any()


def test_a_killed_run_is_known_by_its_free_lock(tmp_path):
    path = make_run(tmp_path, status="running")
    assert read_run(path).status == "killed"
    with storage.take_lock(path / "lock"):
        assert read_run(path).status == "running"
        assert storage.is_locked(path / "lock")
    before = (path / "lock").read_bytes()
    assert not storage.is_locked(path / "lock")
    assert (path / "lock").read_bytes() == before
    (path / "lock").unlink()
    assert read_run(path).status == "killed"
    assert not (path / "lock").exists()


def test_a_torn_last_line_is_a_run_at_work(path):
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3')
    assert read_run(path).step == STEPS


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("metrics.jsonl", '{"step": 1}\nnonsense\n', r"metrics\.jsonl:2: not a record"),
        ("metrics.jsonl", '{"step": -1}\n', r"metrics\.jsonl:1: not a record"),
        ("metrics.jsonl", '{"step": true}\n', r"metrics\.jsonl:1: not a record"),
        ("metrics.jsonl", "[" * 9999 + "\n", r"metrics\.jsonl:1: not a record"),
        ("manifest.json", "[]", r"manifest\.json: cannot be read as JSON"),
        ("result.json", "{", r"result\.json: cannot be read as JSON"),
        ("config.yaml", "zebra: 1", r"its config\.yaml is damaged: .*zebra"),
    ],
)
def test_a_damaged_run_is_named_and_left_out(path, name, text, says, tmp_path):
    good = make_run(tmp_path, "seed=4")
    (path / name).write_text(text)
    records, damaged = read_runs([path, good, tmp_path])
    assert [run.path for run in records] == [good]
    assert [each.name for each in damaged] == [path.name, tmp_path.name]
    assert isinstance(damaged[0], Damaged)
    assert re.search(says, damaged[0].reason)
    assert "\n" not in damaged[0].reason
    assert "no manifest.json" in damaged[1].reason


def test_reading_needs_no_jax():
    code = "import sys, experiments.records; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
