"""A sweep that goes on computes every run by the program with which it began."""

import json

import pytest
from rich.console import Console

from experiments.config import load
from experiments.config.many import Point
from experiments.run import Run, directory
from experiments.signals import Stop
from experiments.sweep.begun import Begun, begun
from experiments.sweep.job import Job, _together
from experiments.sweep.plan import make_plan
from experiments.sweep.program import Program
from experiments.train import Trainer, train
from tests.experiments.relaxed import relaxed  # noqa: F401
from tests.experiments.stub import Task
from tests.experiments.sweep.test_lanes import StopAfter
from tests.experiments.worker import SMALL

RATES = (0.01, 0.02, 0.03)
SHORT = ("train.duration=9steps", "sample.every=null", "checkpoint.every=5steps")


@pytest.fixture
def configs(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return [load(path, [*SHORT, f"optim.lr={rate}"]) for rate in RATES]


def left_behind(config, root, status="stopped", **entries):
    """The directory of a run that has a checkpoint."""
    with Run.begin(config, root) as run:
        (run.checkpoints / "step_00000005").mkdir()
        run.describe(status=status, **entries)
        run.write_result({"step": 9})
    return run.path


def keys_of(configs, root):
    """What a plan makes arguments, by run that is left."""
    parts = make_plan([Point(each, "") for each in configs], root, workers=1).parts
    return {run.path.name: part.keys for part in parts for run in part.runs}


def test_what_has_ended_still_counts(configs, tmp_path):
    """The one run that is left is an argument's value away from the others."""
    for config in configs[:2]:
        left_behind(config, tmp_path, "done")
    found = keys_of(configs, tmp_path)
    assert found == {directory(configs[2], tmp_path).name: ("optim.lr",)}


def test_what_has_begun_keeps_its_program(configs, tmp_path):
    """Begun when only its seed was swept, and by `attn train`; rates came later."""
    noted = {"group": "s", "keys": [], "lanes": 1}
    swept = left_behind(configs[0], tmp_path, **noted)
    single = left_behind(configs[1], tmp_path)
    new = directory(configs[2], tmp_path)
    found = keys_of(configs, tmp_path)
    assert found == {swept.name: (), single.name: (), new.name: ("optim.lr",)}


def test_what_nobody_noted_or_saved_is_as_new(configs, tmp_path):
    assert begun(tmp_path / "nothing") is None
    assert begun(left_behind(configs[0], tmp_path, group="old", lanes=3)) is None
    path = left_behind(configs[1], tmp_path, group="s", keys=["optim.lr"], lanes=3)
    assert begun(path) == Begun(("optim.lr",), 3)
    (path / "checkpoints" / "step_00000005").rmdir()
    assert begun(path) is None


def test_what_began_alone_goes_on_alone(configs, tmp_path):
    left_behind(configs[1], tmp_path, group="s", keys=["optim.lr"], lanes=1)
    made = tuple(each.model_dump(mode="json") for each in configs)
    job = Job(made, ("", "", ""), ("optim.lr",), str(tmp_path), "s", lanes=2)
    assert list(_together(configs, job)) == [[1], [0, 2]]


@pytest.mark.slow
def test_resumed_by_itself_it_writes_the_same_bytes(configs, tmp_path):
    """`attn resume` of a run of a sweep, whose rate is an argument."""
    config, task = configs[0], Task(6, 11)
    setup = Program.of(configs[1], ("optim.lr",), task).alone(config)
    results = []
    for root, stop in (("whole", Stop()), ("cut", StopAfter())):
        with Run.begin(config, tmp_path / root) as run:
            run.start_session()
            Trainer(setup, run, stop, Console(quiet=True)).work()
            if run.status == "stopped":
                assert 0 < json.loads(last_line(run))["step"] < 9
                train(config, run, task, keys=("optim.lr",), quiet=True)
            assert run.status == "done"
            names = ("metrics.jsonl", "result.json")
            results.append([(run.path / name).read_bytes() for name in names])
    assert results[0] == results[1]


def last_line(run):
    return (run.path / "metrics.jsonl").read_text().splitlines()[-1]
