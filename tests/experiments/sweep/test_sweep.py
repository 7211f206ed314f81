"""`attn sweep` as a user runs it: real worker processes on a model of seconds."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from experiments import sinks
from experiments.cli import main
from experiments.config.many import load_many
from experiments.errors import UserError
from experiments.run import Run
from experiments.shipped import configs_folder
from experiments.sweep import launch
from experiments.sweep.cluster import options_of
from experiments.sweep.index import read_index
from experiments.sweep.pace import Paces, Way
from experiments.sweep.plan import make_plan, makespan
from experiments.sweep.search import batches

SWEEP = """\
name: small
model: {layers: 1, heads: 1, width: 8, hidden: 8}
data: {kind: induction, batch: 2}
optim: {clip: null, kind: sgd}
train: {duration: 6steps}
eval: {batches: 1}
sample: {every: null}
sweep:
  axes: {optim.lr: [0.1, 3.0e+38]}
  seeds: 2
  workers: 1
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(SWEEP)
    return tmp_path


def statuses(folder):
    found = sorted((folder / "runs").glob("small-*/manifest.json"))
    return [json.loads(each.read_text())["status"] for each in found]


def test_a_diverged_run_is_reported_and_the_rest_goes_on(folder, capsys):
    assert main(["sweep", "s.yaml", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "4 runs = 1 program x 4 runs" in said
    assert "as asked" in said
    assert not (folder / "runs").exists()
    assert main(["sweep", "s.yaml"]) == 3
    said = capsys.readouterr().out
    assert "about" in said.splitlines()[0]
    assert "4 runs: 2 done, 2 diverged" in said
    assert said.count("the loss is not finite") >= 2
    assert sorted(statuses(folder)) == ["diverged", "diverged", "done", "done"]
    (path,) = (folder / "runs").glob("*.sweep")
    assert len(read_index(path).entries) == 4
    assert main(["sweep", "s.yaml", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["plan"]["todo"] == 0
    assert [point["seeds"] for point in again["points"]] == [2]
    assert main(["train", "s.yaml"]) == 2
    assert "use `attn sweep`" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--dry-run"], []])
@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        (
            "  axes: {train.weights: [runs/no, runs/none], optim.lr: [0.1, 0.2]}",
            ["s.yaml:9: train.weights: runs/no is ", "s.yaml:9: train.weights: runs/n"],
        ),
        ("  axes: {data.kind: [text], data.path: [no.txt]}", ["s.yaml:9: data.path: "]),
    ],
)
def test_what_is_not_there_is_told_before_anything_runs(
    folder, capsys, lines, faults, words
):
    changed = SWEEP.replace("  axes: {optim.lr: [0.1, 3.0e+38]}", lines)
    (folder / "s.yaml").write_text(changed)
    assert main(["sweep", "s.yaml", *words]) == 2
    said = capsys.readouterr().err.splitlines()
    for line, fault in zip(said, faults, strict=True):
        assert line.startswith(fault)
    assert not (folder / "runs").exists()


def test_half_of_the_seeds_needs_something_to_choose(folder, capsys):
    section = "study: {variants: {a: {}}, seeds: 2}\n"
    (folder / "s.yaml").write_text(SWEEP.split("sweep:")[0] + section)
    assert main(["study", "s.yaml", "--half"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("attn study: --half chooses among the values of `axes:`")
    assert not (folder / "runs").exists()


def test_lanes_and_single_runs_have_the_same_directories(folder, capsys):
    wanted = ("sweep.axes.optim.lr=[0.1, 0.2]", "sweep.lanes=4")
    assert main(["sweep", "s.yaml", *wanted]) == 0
    assert "x 4 lanes, 4 side by side" in capsys.readouterr().out
    assert statuses(folder) == ["done"] * 4
    (folder / "one.yaml").write_text(SWEEP.split("sweep:")[0])
    assert main(["train", "one.yaml", "optim.lr=0.2", "seed=1"]) == 0
    assert "is done" in capsys.readouterr().out
    # The noise of that config is known already: nothing is trained.
    noise = ["noise", "one.yaml", "optim.lr=0.2", "--seeds", "2"]
    assert main(noise) == 0
    said = capsys.readouterr().out
    assert "2 runs, all of them ended" in said
    assert "val/loss over 2 seeds" in said
    assert "Seeds that each of two variants needs" in said
    assert main([*noise, "--json", "--difference", "0.5"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [difference for difference, _ in found["needed"]] == [0.5]
    indexes = map(read_index, (folder / "runs").glob("*.sweep"))
    (index,) = (each for each in indexes if len(each.entries) == 4)
    assert main(["compare", index.name, "--best-of", "optim.lr"]) == 0
    said = capsys.readouterr().out
    assert "state bytes" in said
    assert "Each variant is at its best optim.lr" in said


@pytest.mark.slow
def test_a_sweep_that_is_interrupted_says_how_to_go_on(folder):
    long = [sys.executable, "-m", "experiments.cli", "sweep", "s.yaml"]
    long += ["train.duration=200000steps", "sweep.axes.optim.lr=[0.1]"]
    environment = os.environ | {"PYTHONPATH": str(configs_folder().parent)}
    process = subprocess.Popen(
        long, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder
    )
    metrics = "runs/small-*/metrics.jsonl"
    while not any(each.stat().st_size for each in folder.glob(metrics)):
        assert process.poll() is None
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 75
    assert "Go on with: attn sweep s.yaml" in said
    assert "stopped" in statuses(folder)
    assert "not begun" in said


@pytest.mark.slow
def test_a_worker_that_is_killed_takes_only_its_job_along(folder, capsys, monkeypatch):
    started = launch.Worker._start

    def start(worker):
        started(worker)
        if not (folder / "killed").exists():
            (folder / "killed").write_text("once")
            worker.process.kill()

    monkeypatch.setattr(launch.Worker, "_start", start)
    paces = {"step": 0.01, "overhead": 1.0}
    many = load_many("s.yaml", ["sweep.axes.model.width=[8, 12]"], "sweep")
    plan = make_plan(many.points, folder / "runs", workers=1)
    for part in plan.parts:
        plan.paces.note(part.program, plan.way, **paces)
    assert main(["sweep", "s.yaml", "sweep.axes.model.width=[8, 12]"]) == 1
    said = capsys.readouterr().out
    assert "its process ended with signal 9" in said
    assert "2 done" in said


@pytest.mark.slow
def test_submitit_runs_the_same_plan_here(folder, capsys):
    pytest.importorskip("submitit", reason="the extra `slurm` is not installed")
    wanted = ["sweep.axes.optim.lr=[0.1]", "--on", "local", "--with", "timeout_min=5"]
    assert main(["sweep", "s.yaml", *wanted]) == 0
    assert "2 runs: 2 done" in capsys.readouterr().out
    assert statuses(folder) == ["done"] * 2


def test_options_of_a_cluster_are_words_with_values():
    assert options_of(["timeout_min=5", "slurm_partition=gpu"]) == {
        "timeout_min": 5,
        "slurm_partition": "gpu",
    }
    with pytest.raises(UserError, match="expected key=value"):
        options_of(["fast"])


def test_random_points_are_the_same_again_and_within_their_ranges(folder):
    text = "{low: 1e-4, high: 1e-1, scale: log}"
    changes = ["sweep.mode=random", "sweep.trials=5", f"sweep.axes.optim.lr={text}"]
    many = load_many("s.yaml", changes, "sweep")
    (points,) = batches(many, folder)
    (again,) = batches(many, folder)
    assert points == again
    rates = {point.config.optim.lr for point in points}
    assert len(points) == 10
    assert len(rates) == 5
    assert all(1e-4 <= rate <= 1e-1 for rate in rates)
    (other,) = batches(load_many("s.yaml", [*changes, "sweep.draw=1"]), folder)
    assert not rates & {point.config.optim.lr for point in other}


def test_optuna_is_told_what_was_reached(folder):
    pytest.importorskip("optuna", reason="the extra `search` is not installed")
    text = "{low: 1e-4, high: 1e-1, scale: log}"
    changes = ["sweep.mode=optuna", "sweep.trials=7", f"sweep.axes.optim.lr={text}"]
    many = load_many("s.yaml", [*changes, "sweep.seeds=null"], "sweep")
    seen = []
    for points in batches(many, folder):
        for point in points:
            rate = point.config.optim.lr
            seen.append(rate)
            make_done(folder, point.config, 1 + abs(rate - 0.01))
    assert len(seen) == 7
    assert seen == [p.config.optim.lr for ps in batches(many, folder) for p in ps]


@pytest.mark.slow
def test_optuna_proposes_by_what_real_runs_reached(folder, capsys):
    pytest.importorskip("optuna", reason="the extra `search` is not installed")
    text = "{low: 1e-3, high: 1.0, scale: log}"
    changes = ["sweep.mode=optuna", "sweep.trials=6", f"sweep.axes.optim.lr={text}"]
    command = ["sweep", "s.yaml", *changes, "sweep.seeds=null"]
    assert main(command) == 0
    first = capsys.readouterr().out
    assert "4 runs: 4 done" in first
    assert "2 runs: 2 done" in first
    assert statuses(folder) == ["done"] * 6
    assert main(command) == 0
    assert "all of them ended" in capsys.readouterr().out
    assert len(statuses(folder)) == 6


def test_sinks_that_are_not_installed_are_refused_before_anything(folder, monkeypatch):
    monkeypatch.setitem(sinks.SINKS, "wandb", sinks.Kind(print, "no_such_package"))
    assert main(["sweep", "s.yaml", "log.sinks=[wandb]"]) == 2
    assert not (folder / "runs").exists()


def make_done(folder, config, loss):
    """A directory of this very config that says it reached a loss."""
    with Run.begin(config, folder) as run:
        if run.status != "done":
            run.start_session()
            run.append_metrics({"step": 1, "val/loss": loss})
            run.write_result({"status": "done", "step": 1, "val/loss": loss})
            run.set_status("done")


def test_a_plan_shares_programs_and_fills_workers(folder):
    changes = ["sweep.axes.model.width=[8, 12, 16]", "sweep.axes.optim.lr=[0.1, 0.2]"]
    many = load_many("s.yaml", changes, "sweep")
    plan = make_plan(many.points, folder, workers=2)
    assert len({part.program for part in plan.parts}) == 3
    # Two programs whole, one for each worker; the third is cut, so that none waits.
    assert [len(part.runs) for part in plan.parts] == [4, 4, 2, 2]
    assert {part.keys for part in plan.parts} == {("optim.lr",)}
    assert plan.seconds is None
    assert "time not measured yet" in plan.words()
    assert makespan([4, 3, 2, 1], 2, start=1) == 6


def test_the_fastest_way_counts_and_lanes_have_to_be_worth_it(folder):
    many = load_many("s.yaml", (), "sweep")
    plan = make_plan(many.points, folder)
    program = plan.parts[0].program
    paces = Paces.read(folder)
    assert paces.fastest(program) is None
    paces.note(program, Way(1, 1), step=1.0, overhead=3.0)
    paces.note(program, Way(1, 4), step=0.7, overhead=3.0)
    assert Paces.read(folder).fastest(program) == (Way(1, 1), 1.0)
    paces.note(program, Way(1, 4), step=0.5, overhead=3.0)
    assert Paces.read(folder).fastest(program) == (Way(1, 4), 0.5)
    paces.note(program, Way(2, 1), step=0.9, overhead=3.0)
    chosen = make_plan(many.points, folder)
    assert chosen.way == Way(2, 1)
    assert "measured here: 0.45" in chosen.chosen
    assert chosen.seconds is not None
    (folder / ".pace.json").write_text("nonsense")
    assert Paces.read(folder).table == {}
