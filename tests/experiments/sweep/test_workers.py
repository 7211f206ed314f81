"""Workers that fail, die or are left alone: what is said, and who goes on."""

import json
import signal
import subprocess
import sys
import types

import pytest

from experiments import folder, storage
from experiments.cli import main
from experiments.config.many import load_many
from experiments.run import Run
from experiments.signals import STOPPED, Stop
from experiments.sweep import cluster
from experiments.sweep.job import Job, work
from experiments.sweep.launch import Worker, left_behind, outcomes, request
from experiments.sweep.pace import Way
from experiments.sweep.plan import make_plan
from experiments.sweep.work import Done
from experiments.sweep.worker import GONE

SWEEP = """\
name: small
model: {layers: 1, heads: 1, width: 8, hidden: 8}
data: {kind: induction, batch: 2}
train: {duration: 6steps}
sweep: {seeds: 4, workers: 1}
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(SWEEP)
    return tmp_path


def planned(here, *changes):
    many = load_many("s.yaml", changes, "sweep")
    return make_plan(many.points, here / "runs", workers=1)


def set_status(run, status, reason=""):
    with Run.begin(run.point.config, run.path.parent) as begun:
        begun.start_session()
        begun.set_status(status, reason=reason)


def test_what_a_worker_refuses_is_said_and_not_only_in_its_log(here, capsys):
    assert main(["sweep", "s.yaml", "process.xla_flags=--xla_nonsense=1"]) == 1
    said = capsys.readouterr().out
    assert said.count("this jaxlib has no flag `--xla_nonsense`") == 4
    assert "process ended" not in said


def test_a_worker_that_dies_keeps_the_runs_that_it_had_ended(here):
    plan = planned(here)
    (part,) = plan.parts
    first, second, third, _ = part.runs
    set_status(first, "done")
    set_status(second, "diverged", "the loss is not finite")
    set_status(third, "running")
    found = [*left_behind(part, "failed", "signal 9; see x.log").values()]
    assert found == [
        ("done", ""),
        ("diverged", "the loss is not finite"),
        ("failed", "signal 9; see x.log"),
        ("not begun", ""),
    ]
    # One that ended before any run began: each of them has its trouble.
    (other,) = planned(here, "model.width=16").parts
    answer = {"failed": "no gpu"}
    assert {*outcomes(other, answer).values()} == {("failed", "no gpu")}


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (["done"], 0),
        (["done", "stopped"], STOPPED),
        (["diverged", "stopped"], STOPPED),
        (["diverged", "done"], 3),
        (["failed", "stopped", "diverged"], 1),
        (["submitted"], 0),
    ],
)
def test_runs_that_are_to_go_on_make_the_code_of_a_sweep(statuses, code):
    outcomes = {str(number): (each, "") for number, each in enumerate(statuses)}
    assert Done(outcomes).code == code
    assert Done(outcomes, stopped=True).code == STOPPED


ALONE = """
import sys, time
from experiments.sweep import worker

def do(_, stop):
    stop.has_something_to_save = True
    print("at it", flush=True)
    while not stop.requested:
        time.sleep(0.01)
    return {"reason": stop.reason}

worker.do = do
sys.exit(worker.main(None, sys.stdout))
"""


def test_a_worker_whose_sweep_has_gone_saves_and_ends():
    piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", ALONE], text=True, **piped) as process:
        process.stdin.write("{}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "at it\n"
        process.stdin.close()
        assert json.loads(process.stdout.readline()) == {"reason": GONE}
    assert process.returncode == STOPPED


def test_a_worker_without_work_ends_with_its_input():
    process = subprocess.run([sys.executable, "-c", ALONE], input=b"", timeout=60)
    assert process.returncode == 0


def test_a_signal_reaches_a_worker_that_is_just_being_started(here):
    worker = Worker(None, here / "workers.log")
    worker.signal(signal.SIGTERM)
    assert worker.ask({"settings": {}}) is None
    assert worker.code == STOPPED
    assert worker.process is None


def test_a_prompt_that_cannot_be_written_fails_before_any_step(here):
    plan = planned(here, 'sample.prompt="@@"', "sweep.seeds=1")
    wanted = request(plan.parts[0], here / "runs", "g", Way())
    fields = ("configs", "variants", "keys", "root", "group")
    report = work(Job(**{name: wanted[name] for name in fields}), Stop())
    ((status, reason),) = report.outcomes.values()
    assert status == "failed"
    assert "sample.prompt" in reason
    assert report.steps == 0


class Slurm:
    """A cluster that takes jobs and does nothing until it is told."""

    def __init__(self):
        self.jobs, self.ended = [], set()

    def AutoExecutor(self, **_):
        return self

    def update_parameters(self, **_):
        pass

    def submit(self, *_):
        self.jobs.append(str(7 + len(self.jobs)))
        return types.SimpleNamespace(job_id=self.jobs[-1])

    def SlurmJob(self, _, number):
        return types.SimpleNamespace(done=lambda: number in self.ended)


def test_what_is_submitted_is_not_submitted_again(here, capsys, monkeypatch):
    slurm = Slurm()
    monkeypatch.setattr(cluster, "_submitit", lambda: slurm)
    command = ["sweep", "s.yaml", "--on", "slurm"]
    assert main(command) == 0
    assert "Submitted 1 jobs: 7" in capsys.readouterr().out
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "4 runs are left to who has them already: job 7. To submit them" in said
    assert slurm.jobs == ["7"]
    assert "4 runs: 4 submitted" in said
    slurm.ended.add("7")
    first = planned(here).todo[0]
    first.path.mkdir(exist_ok=True)
    with folder.lock(first.path):
        assert storage.is_locked(first.path / folder.LOCK)
        assert main(command) == 0
    said = capsys.readouterr().out
    assert "1 runs are left to who has them already: another process." in said
    assert slurm.jobs == ["7", "8"]
