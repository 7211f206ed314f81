"""A profile of a run's steps: recorded, printed, and without influence."""

import io

import pytest
from rich.console import Console

from experiments.commands.train import with_profile
from experiments.config import load
from experiments.run import Run
from experiments.setup import assemble
from experiments.signals import Stop
from experiments.tracing import Tracer
from experiments.train import Trainer
from tests.experiments.relaxed import relaxed  # noqa: F401
from tests.experiments.stub import Task
from tests.experiments.worker import SMALL


def test_a_profile_names_the_operations_and_changes_nothing(tmp_path):
    (tmp_path / "small.yaml").write_text(SMALL)
    short = ["train.duration=12steps", "eval.every=10steps", "sample.every=null"]
    config, said = load(tmp_path / "small.yaml", short), io.StringIO()
    setup = assemble(config, Task(6, 11))
    for name, steps in (("plain", None), ("profiled", 20)):
        with Run.begin(config, tmp_path / name) as run:
            run.start_session()
            trainer = Trainer(setup, run, Stop(), Console(file=said, width=200))
            trainer.profile = steps
            assert trainer.work() == 0
    text = said.getvalue()
    # Asked for 20, but an evaluation comes at step 10 and the first step compiles.
    assert "mean of 9 steps; trace in" in text
    assert "dot_general" in text
    assert list((run.path / "profile").glob("**/*.xplane.pb"))
    plain, profiled = tmp_path.glob(f"*/{run.path.name}/metrics.jsonl")
    assert plain.read_bytes() == profiled.read_bytes()


def test_a_first_call_that_fails_is_what_is_heard_of(tmp_path):
    said = []
    tracer = Tracer(tmp_path, 5, said.append, str)
    tracer.before()
    tracer.close()  # no step was taken: there is nothing to divide by
    assert said == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "--profile"], ["train", "--profile", "10"]),
        (["train", "--profile", "a.yaml"], ["train", "--profile", "10", "a.yaml"]),
        (["train", "--profile", "7", "seed=1"], ["train", "--profile", "7", "seed=1"]),
        (["train", "--profile", "-1"], ["train", "--profile", "-1"]),
    ],
)
def test_the_number_of_steps_may_be_left_out(words, expected):
    assert with_profile(words) == expected
