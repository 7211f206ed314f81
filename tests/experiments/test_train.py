"""The loop in one process: what it writes, when it stops, what it compiles."""

import json
import math
from dataclasses import replace

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from rich.console import Console

from experiments import train as loop
from experiments.arrays import CheckpointError
from experiments.checkpoint import Store
from experiments.config import load
from experiments.config.resolve import resolve
from experiments.course import due_at, next_stop, saves_at
from experiments.recompiles import MISS
from experiments.run import Run
from experiments.setup import assemble
from experiments.signals import Stop
from experiments.train import Trainer, train
from tests.experiments.relaxed import relaxed  # noqa: F401
from tests.experiments.stub import Task
from tests.experiments.worker import SMALL

STEPS = 23
SHORT = (f"train.duration={STEPS}steps", "sample.every=null", "optim.ema=null")


@pytest.fixture(scope="module", autouse=True)
def compiled_once():
    """Configs that compute the same share their compiled functions."""
    shared = {}
    kept = {"train", "checkpoint", "log", "sample", "eval", "name", "notes", "tags"}

    def assemble_once(config, task):
        computes = config.model_dump_json(exclude=kept)
        key = (computes, str(config.train.duration), config.sample, task.fingerprint)
        found = shared.setdefault(key, None) or assemble(config, task)
        shared[key] = found
        return replace(found, config=config, derived=resolve(config), task=task)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("experiments.train.assemble", assemble_once)
        yield


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return lambda *overrides: load(path, [*SHORT, *overrides])


class StopAt(Stop):
    """Asks to stop once it has been asked often enough."""

    def __init__(self, asked: int):
        super().__init__()
        self.left = asked

    @property
    def requested(self) -> bool:
        self.left -= 1
        self.reason = "SIGTERM" if self.left < 0 else None
        return self.left < 0


def work(config, root, stop=None, task=None):
    task = task or Task(config.data.batch, config.data.context)
    with Run.begin(config, root) as run:
        run.start_session()
        return train(config, run, task, stop=stop, quiet=True), run


def written(run):
    """Everything that has to be equal."""
    files = [run.path / name for name in ("metrics.jsonl", "result.json")]
    return [file.read_bytes() for file in [*files, *sorted(run.samples.iterdir())]]


def test_a_run_writes_what_is_due_and_only_that(config, tmp_path):
    code, run = work(config("sample.every=10steps"), tmp_path)
    assert code == 0
    assert run.status == "done"
    rows = run.metrics()
    logged = [row["step"] for row in rows if "train/loss" in row]
    assert logged == [1, *range(3, STEPS, 3), STEPS]
    assert [row["step"] for row in rows if "val/loss" in row] == [10, 20, STEPS]
    names = sorted(path.name for path in run.samples.iterdir())
    assert names == [f"step_{step:08d}.txt" for step in (10, 20, STEPS)]
    assert rows[-1]["val/perplexity"] == pytest.approx(math.exp(rows[-1]["val/loss"]))
    bits = rows[-1]["val/loss"] / math.log(2)
    assert rows[-1]["val/bpb"] == pytest.approx(bits)
    result = json.loads((run.path / "result.json").read_text())
    assert result["step"] == STEPS
    assert result["val/loss"] == rows[-1]["val/loss"]
    assert result["best/val_loss"] == min(
        r["val/loss"] for r in rows if "val/loss" in r
    )
    clocks = ("time", "seconds", "step_ms")
    assert not any(word in row for row in rows for word in clocks)
    last = json.loads((run.path / "perf.jsonl").read_text().splitlines()[-1])
    assert last["event"] == "done"
    assert 0 < last["host_ms"] < 1000


def test_a_log_line_is_the_mean_since_the_last(config, tmp_path):
    _, each = work(config("log.every=1steps"), tmp_path / "each")
    _, some = work(config("log.every=5steps"), tmp_path / "some")
    losses = {r["step"]: r["train/loss"] for r in each.metrics() if "train/loss" in r}
    found = {r["step"]: r["train/loss"] for r in some.metrics() if "train/loss" in r}
    assert found[10] == pytest.approx(np.mean([losses[s] for s in range(6, 11)]))
    assert found[5] == pytest.approx(np.mean([losses[s] for s in range(2, 6)]))


def test_a_run_stopped_again_and_again_writes_the_same_bytes(config, tmp_path):
    """Also when it is stopped before and within an evaluation or a sample."""
    settings = config("sample.every=10steps", "eval.batches=20", "optim.kind=sgd")
    code, whole = work(settings, tmp_path / "whole")
    assert code == 0
    for asked in range(60):
        code, run = work(settings, tmp_path / "cut", StopAt(3 + asked % 5))
        if code == 0:
            break
        assert code == 75
        assert run.status == "stopped"
    assert asked > 4
    assert written(run) == written(whole)


def clocks(run, event):
    """The lines of perf.jsonl of an event."""
    rows = map(json.loads, (run.path / "perf.jsonl").read_text().splitlines())
    return [row for row in rows if row["event"] == event]


def test_nothing_is_compiled_after_the_first_of_each_kind(config, tmp_path, capsys):
    settings = config("sample.every=4steps", "eval.every=5steps", "log.every=1steps")
    strict = settings.model_copy(
        update={"train": settings.train.model_copy(update={"fail_on_recompile": True})}
    )
    code, run = work(strict, tmp_path)
    assert code == 0
    assert {row["recompiles"] for row in clocks(run, "log")[1:]} == {0}
    (done,) = clocks(run, "done")
    assert done["recompiles"] == 0
    assert "recompil" not in capsys.readouterr().out


class Replace(Stop):
    """Puts a seed of another kind into a run after some steps."""

    trainer: Trainer

    @property
    def requested(self) -> bool:
        setup = self.trainer.setup
        if self.trainer.course.step > 8:
            inputs = replace(setup.inputs, seed=np.int32(0))
            self.trainer.setup = replace(setup, inputs=inputs)
        return False


def test_a_step_that_compiles_again_is_told_with_its_cause(config, tmp_path, capsys):
    settings, stop = config(), Replace()
    with Run.begin(settings, tmp_path) as run:
        run.start_session()
        made = loop.assemble(settings, Task(6, 11))
        stop.trainer = Trainer(made, run, stop, Console(width=300))
        assert stop.trainer.work() == 0
    (found,) = clocks(run, "recompile")
    assert found["recompiles"] == 1
    assert "inputs.seed: " in found["cause"]
    assert "dtype uint32 -> dtype int32" in found["cause"]
    assert clocks(run, "log")[-1]["recompiles"] == 1
    said = capsys.readouterr().out
    assert found["cause"] in said
    assert ", 1 recompilations." in said


@pytest.mark.parametrize(("seconds", "steps"), [(60.0, 1), (0.25, 4), (0.001, 7)])
def test_the_second_call_is_bounded_by_the_first(config, tmp_path, seconds, steps):
    """Whose one step cannot have taken longer than all of it."""
    settings = config("log.every=20steps")
    with Run.begin(settings, tmp_path) as run:
        made = loop.assemble(settings, Task(6, 11))
        trainer = Trainer(made, run, Stop(), Console(quiet=True))
        with trainer.closing:
            trainer.open()
            trainer.took(np.ones((1, 3)), seconds)
            assert trainer.call_length() == steps


def test_a_session_that_cannot_begin_stops_listening(config, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no sink")

    monkeypatch.setattr(loop, "opened", refuse)
    settings = config()
    with Run.begin(settings, tmp_path) as run:
        run.start_session()
        made = loop.assemble(settings, Task(6, 11))
        trainer = Trainer(made, run, Stop(), Console(quiet=True))
        with pytest.raises(OSError, match="no sink"):
            trainer.work()
    jax.monitoring.record_event(MISS)
    assert trainer.steady.seen.misses == 0


def test_a_loss_that_is_not_finite_stops_the_run(config, tmp_path, capsys):
    settings = config("optim.lr=1e38", "optim.clip=null", "optim.kind=sgd")
    with Run.begin(settings, tmp_path) as run:
        run.start_session()
        code = train(settings, run, Task(6, 11))
    said = capsys.readouterr().out.splitlines()
    assert code == 3
    assert run.status == "diverged"
    assert "not finite" in said[-1]
    assert "optim.lr (now 1e+38)" in said[-1]
    assert Store(run.checkpoints).steps() == []


def test_parameters_that_are_not_finite_are_never_saved(config, tmp_path):
    """The loss of a step is that of the parameters before it."""
    overflow = ("optim.lr=3e38", "optim.clip=null", "optim.kind=sgd")
    settings = config(*overflow, "checkpoint.every=1steps", "eval.every=20steps")
    code, run = work(settings, tmp_path)
    assert code == 3
    assert run.status == "diverged"
    for step in Store(run.checkpoints).steps():
        arrays = [np.asarray(x) for x in jax.tree.leaves(load_state(run, step))]
        assert all(np.isfinite(array).all() for array in arrays)


def load_state(run, step):
    path = Store(run.checkpoints).path(step).resolve()
    return ocp.PyTreeCheckpointer().restore(path / "arrays")


def test_the_budget_stops_and_resumes(config, tmp_path):
    code, run = work(config("train.budget=0.001s"), tmp_path)
    assert code == 75
    assert Store(run.checkpoints).steps() == [1]
    code, run = work(config(), tmp_path)
    assert code == 0
    _, whole = work(config(), tmp_path / "whole")
    assert written(run) == written(whole)


def test_a_damaged_checkpoint_costs_time_and_no_bytes(config, tmp_path, capsys):
    _, whole = work(config(), tmp_path / "whole")
    work(config(), tmp_path, StopAt(8))
    with Run.begin(config(), tmp_path) as run:
        store = Store(run.checkpoints)
        assert len(store.steps()) > 1
        (store.path(store.steps()[-1]) / "notes.json").write_text("{}")
        run.start_session()
        assert train(config(), run, Task(6, 11)) == 0
    assert "notes.json` is missing or does not match" in capsys.readouterr().out
    assert len(list(run.checkpoints.glob("damaged-step_*"))) == 1
    assert written(run) == written(whole)


def test_without_a_readable_checkpoint_it_says_so(config, tmp_path):
    work(config(), tmp_path, StopAt(4))
    with Run.begin(config(), tmp_path) as run:
        for notes in run.checkpoints.rglob("checksums.txt"):
            notes.unlink()
        with pytest.raises(
            CheckpointError, match=r"no checkpoint can be read.*--fresh"
        ):
            train(config(), run, Task(6, 11), quiet=True)


def test_another_text_is_refused(config, tmp_path):
    work(config(), tmp_path, StopAt(4))
    task = Task(6, 11)
    task.fingerprint = "another"
    with pytest.raises(CheckpointError, match="the text has changed"):
        work(config(), tmp_path, task=task)


def test_what_is_due():
    derived = resolve(load(None, ["train.duration=100steps"]))
    assert due_at(1, derived) == ["log"]
    assert due_at(5, derived) == []
    assert due_at(100, derived) == ["log", "eval", "sample"]
    assert next_stop(1, derived) == 10
    assert next_stop(10, derived) == 20
    assert next_stop(99, derived) == 100
    assert [step for step in range(1, 101) if saves_at(step, derived)][:2] == [10, 20]
