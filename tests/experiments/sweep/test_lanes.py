"""Runs of one program: in turn and side by side they find what single runs find."""

import json
import math

import jax
import numpy as np
import pytest
from rich.console import Console

from experiments import sinks
from experiments.config import load
from experiments.run import Run, directory
from experiments.setup import assemble
from experiments.signals import Stop
from experiments.sweep.lockstep import train_lanes
from experiments.sweep.program import Program
from experiments.sweep.traced import program_hash, put, traceable, varying
from experiments.train import Trainer
from tests.experiments.relaxed import relaxed  # noqa: F401
from tests.experiments.stub import Task
from tests.experiments.worker import SMALL

SHORT = ("train.duration=9steps", "eval.every=4steps", "eval.batches=2")
SHORT += ("sample.every=9steps", "sample.length=9", "checkpoint.every=5steps")
RATES = (0.01, 0.003)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text(SMALL)
    return load(path, SHORT)


@pytest.fixture(scope="module")
def configs(small):
    """Two lanes that differ in everything that can be traced."""
    changed = [
        {"seed": seed, "optim.lr": rate, "optim.weight_decay": 0.1 * seed}
        | {
            "optim.betas": (0.9, 0.9 + 0.01 * seed),
            "model.init_std": 0.02 + 0.01 * seed,
        }
        for seed, rate in enumerate(RATES)
    ]
    return [put(small, each) for each in changed]


@pytest.fixture(scope="module")
def program(configs):
    task = Task(configs[0].data.batch, configs[0].data.context)
    return Program.of(configs[0], varying(configs), task)


@pytest.fixture(scope="module")
def singles(configs, tmp_path_factory):
    """What `attn train` would write for each."""
    root = tmp_path_factory.mktemp("singles")
    task = Task(configs[0].data.batch, configs[0].data.context)
    for config in configs:
        with Run.begin(config, root) as run:
            run.start_session()
            quiet = Console(quiet=True)
            assert Trainer(assemble(config, task), run, Stop(), quiet).work() == 0
    return root


def lanes(program, configs, root, stop=None):
    runs = [Run.begin(config, root) for config in configs]
    for run in runs:
        run.start_session()
    errors = train_lanes(program, runs, stop or Stop())
    for run in runs:
        run.close()
    return runs, errors


def agree(run, single):
    """The same lines, and numbers within 0.1%: rounding, and eleven steps of it."""
    other = [
        json.loads(line) for line in (single / "metrics.jsonl").read_text().splitlines()
    ]
    rows = run.metrics()
    assert [row.keys() for row in rows] == [row.keys() for row in other]
    for row, wanted in zip(rows, other, strict=True):
        for name, value in row.items():
            assert value == pytest.approx(wanted[name], rel=1e-3, abs=1e-6), name


def names(path):
    """The files of a run; orbax draws the names inside a checkpoint."""
    return {
        str(each.relative_to(path)) for each in [*path.glob("*"), *path.glob("*/*")]
    }


def test_lanes_find_what_single_runs_find(program, configs, singles, tmp_path):
    runs, errors = lanes(program, configs, tmp_path)
    assert errors == [None] * 2
    assert len({run.metrics()[-1]["val/loss"] for run in runs}) == 2
    for run in runs:
        agree(run, singles / run.path.name)
        assert run.status == "done"
        assert names(run.path) == names(singles / run.path.name)


def test_sinks_of_lanes_take_every_point_and_are_closed(
    program, configs, tmp_path, monkeypatch
):
    taken = []

    class Kept:
        def __init__(self, run):
            self.points = []

        def write(self, step, row):
            self.points.append((step, row.get("train/loss")))

        def close(self):
            taken.append(self.points)

    monkeypatch.setitem(sinks.SINKS, "tensorboard", sinks.Kind(Kept, "json"))
    shown = [put(each, {"log.sinks": ("tensorboard",)}) for each in configs]
    runs, errors = lanes(program, shown, tmp_path)
    assert errors == [None] * 2
    wanted = [
        [(row["step"], row.get("train/loss")) for row in run.metrics()] for run in runs
    ]
    assert sorted(taken) == sorted(wanted)


def test_in_turn_one_program_serves_all(program, configs, singles, tmp_path):
    for config in configs:
        with Run.begin(config, tmp_path) as run:
            run.start_session()
            quiet = Console(quiet=True)
            assert Trainer(program.alone(config), run, Stop(), quiet).work() == 0
            agree(run, singles / run.path.name)
    assert program._train._cache_size() == 1


def test_seeds_alone_are_computed_by_the_program_of_a_single_run(small, tmp_path):
    """So the bytes are the same, checkpoints included."""
    task = Task(small.data.batch, small.data.context)
    small = put(small, {"sample.every": None})
    configs = [put(small, {"seed": seed}) for seed in (0, 1)]
    assert varying(configs) == ()
    program = Program.of(configs[0], (), task)
    results = []
    for root, setup in (
        ("shared", program.alone(configs[1])),
        ("single", assemble(configs[1], task)),
    ):
        with Run.begin(configs[1], tmp_path / root) as run:
            run.start_session()
            assert Trainer(setup, run, Stop(), Console(quiet=True)).work() == 0
            results.append(
                [(run.path / n).read_bytes() for n in ("metrics.jsonl", "result.json")]
            )
    assert results[0] == results[1]


class StopAfter(Stop):
    """Asks to stop once it has been asked often enough."""

    left = 7

    @property
    def requested(self):
        self.left -= 1
        return self.left < 0


def test_lanes_that_are_stopped_go_on_to_the_same_end(program, configs, tmp_path):
    whole, _ = lanes(program, configs, tmp_path / "whole")
    cut, _ = lanes(program, configs, tmp_path / "cut", StopAfter())
    assert {run.status for run in cut} == {"stopped"}
    assert 0 < cut[0].metrics()[-1]["step"] < 9
    cut, _ = lanes(program, configs, tmp_path / "cut")
    for one, other in zip(cut, whole, strict=True):
        for row, wanted in zip(one.metrics(), other.metrics(), strict=True):
            assert row == pytest.approx(wanted, rel=1e-6)  # one rounding


def test_a_lane_that_diverges_is_reported_and_the_others_go_on(
    small, singles, configs, tmp_path
):
    configs = [put(each, {"sample.every": None}) for each in configs]
    burning = put(configs[1], {"optim.lr": 3e38, "seed": 7})
    task = Task(small.data.batch, small.data.context)
    mixed = [configs[0], burning, configs[1]]
    program = Program.of(mixed[0], varying(mixed), task)
    runs, errors = lanes(program, mixed, tmp_path)
    assert errors == [None] * 3
    assert [run.status for run in runs] == ["done", "diverged", "done"]
    assert "not finite" in runs[1].manifest["reason"]
    assert not any((runs[1].path / "checkpoints").glob("step_*9"))
    for run, config in ((runs[0], configs[0]), (runs[2], configs[1])):
        single = put(config, {"sample.every": small.sample.every})
        agree(run, directory(single, singles))


def test_a_lane_that_cannot_save_does_not_stop_the_others(
    small, configs, program, tmp_path
):
    runs = [Run.begin(config, tmp_path) for config in configs]
    for run in runs:
        run.start_session()
    (runs[1].path / "checkpoints").rmdir()
    (runs[1].path / "checkpoints").write_text("in the way")
    errors = train_lanes(program, runs, Stop())
    assert [run.status for run in runs] == ["done", "failed"]
    assert errors[1] is not None
    for run in runs:
        run.close()


def test_what_can_be_traced_shares_a_program_and_nothing_else_does(small):
    same = [{"seed": 3}, *({key: small_change(small, key)} for key in traceable(small))]
    assert len(same) > 7
    for change in same:
        assert program_hash(put(small, change)) == program_hash(small), change
    other = [{"model.width": 24}, {"model.dropout": 0.1}, {"optim.clip": None}]
    for change in [*other, {"optim.kind": "sgd"}, {"data.batch": 7}]:
        assert program_hash(put(small, change)) != program_hash(small), change
    assert traceable(put(small, {"precision.parameters": "bfloat16"})) == {}
    assert "optim.betas" not in traceable(put(small, {"optim.kind": "sgd"}))


def small_change(config, key):
    value = traceable(config)[key]
    return tuple(x / 2 for x in value) if isinstance(value, tuple) else value / 2


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "kind", ["muon", pytest.param("adamw", marks=SLOW), pytest.param("sgd", marks=SLOW)]
)
def test_every_traceable_number_reaches_the_update(small, kind):
    """Traced or compiled in, each number gives the same step, and it matters."""
    settings = {"optim.kind": kind, "optim.schedule.kind": "cosine"}
    settings |= {"model.init_std": 0.03, "model.output_scale": 0.7}
    base = put(small, settings)
    task = Task(small.data.batch, small.data.context)
    program = Program.of(base, tuple(traceable(base)), task)
    changed = {key: small_change(base, key) for key in traceable(base)}
    found = one_step(program.alone(put(base, changed)))
    assert found == pytest.approx(
        one_step(assemble(put(base, changed), task)), rel=1e-4
    )
    assert found != pytest.approx(one_step(program.alone(base)), rel=1e-4)


def one_step(setup):
    state, metrics, _ = setup.train_call(setup.start(), setup.inputs, np.int32(3))
    norm = math.sqrt(sum(float((x**2).sum()) for x in jax.tree.leaves(state.params)))
    return [norm, float(metrics["loss"][2]), float(metrics["lr"][2])]
