"""The verbs on a real run: train, again, resume, eval, sample, and what stops them."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from experiments.config import load
from experiments.run import Run

ROOT = pathlib.Path(__file__).parents[2]
STUDY = """\
name: study
model: {layers: 1, heads: 2, width: 8}
data: {path: text, vocabulary: char, context: 8, batch: 4}
optim: {schedule: {warmup: 2steps}}
train: {duration: 6steps, steps_per_call: 3}
eval: {every: 3, batches: 2}
sample: {length: 5, prompt: "a"}
process: {allocator: false}
"""


def attn(folder: pathlib.Path, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "experiments.cli", *words]
    env = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a study that has been trained, and how that went."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "text").write_text("a cat and a mat and a rat; " * 99)
    (folder / "study.yaml").write_text(STUDY)
    done = attn(folder, "train", "study.yaml")
    assert done.returncode == 0, done.stderr
    (folder / "said").write_text(done.stdout)
    return folder


@pytest.fixture
def run(folder):
    (path,) = folder.glob("runs/study-*")
    return Run.open(path)


def test_training_ends_with_a_result_and_where_it_lies(folder, run):
    assert run.status == "done"
    assert run.result["step"] == 6
    last = (folder / "said").read_text().splitlines()[-2:]
    assert last[0].startswith("Done: 6 steps, validation loss")
    assert f"runs/{run.path.name}" in last[1]


def test_the_manifest_has_the_session(run):
    (session,) = run.manifest["sessions"]
    assert session["command"].endswith("train study.yaml")
    assert session["status"] == "done"
    assert session["versions"]["jax"]
    assert "sha256" in session["data"]


def test_programs_from_the_cache_compute_the_same_bits(folder, run):
    done = attn(folder, "train", "study.yaml", "--runs", "again")
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("again/study-*")
    (found,) = Run.open(path).manifest["sessions"]
    if not found["process"]["compilation_cache"].startswith("off"):
        assert found["compilation_cache"]["hits"] > 0
        assert found["compilation_cache"]["misses"] == 0
    for name in ("metrics.jsonl", "result.json", "samples/step_00000006.txt"):
        assert (path / name).read_bytes() == (run.path / name).read_bytes()


def test_the_same_command_again_shows_the_result(folder, run):
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*.json*")}
    again = attn(folder, "train", "study.yaml")
    assert again.returncode == 0
    assert again.stdout.startswith(f"runs/{run.path.name} is done: 6 steps, validation")
    assert again.stdout.endswith("Start over with `attn train --fresh`.\n")
    assert before == {p: p.stat().st_mtime_ns for p in run.path.rglob("*.json*")}


def test_fresh_that_cannot_begin_keeps_the_earlier_run(folder, run):
    files = [each for each in run.path.rglob("*") if each.is_file()]
    before = {each: each.read_bytes() for each in files if each.name != "lock"}
    (folder / "text").rename(folder / "moved")
    done = attn(folder, "train", "study.yaml", "--fresh")
    (folder / "moved").rename(folder / "text")
    assert done.returncode == 2
    kept, fault = done.stderr.splitlines()
    assert kept == f"runs/{run.path.name} stays as it was before --fresh."
    assert "data.path: no such file" in fault
    assert before == {each: each.read_bytes() for each in before}
    assert not list(run.path.glob(".earlier*"))


def test_eval_scores_it(folder, run):
    done = attn(folder, "eval", "--json")
    found = json.loads(done.stdout)
    assert found["run"] == run.path.name
    assert found["step"] == 6
    assert 0 < found["val/loss"] < 4


def test_sample_writes_with_the_vocabulary_of_the_run(folder):
    words = ["sample", "study", "--prompt", "a cat", "--length", "9", "--seed", "3"]
    done = attn(folder, *words)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"a cat[acdmnrt; ]{9}\n", done.stdout)


def test_a_prompt_of_unknown_letters_is_one_line(folder):
    done = attn(folder, "sample", "study", "--prompt", "xyz")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "prompt" in done.stderr


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["train.duration=9steps", "seed=4"],
            "was started with another config (seed: 0",
        ),
        (["lr=3"], "override `lr=3`: unknown key."),
    ],
)
def test_resume_with_another_config_is_refused(words, line, folder):
    done = attn(folder, "resume", "study", *words)
    assert done.returncode == 2
    assert line in done.stderr
    assert done.stderr.count("\n") == 1


def test_resume_of_a_done_run_says_so(folder):
    done = attn(folder, "resume", "study", "train.budget=5min")
    assert done.returncode == 0
    assert "is done: 6 steps" in done.stdout


def test_a_run_in_use_is_refused(folder, run):
    with Run.begin(run.config, folder / "runs"):
        done = attn(folder, "train", "study.yaml")
    assert done.returncode == 2
    who = f"in use by process {os.getpid()}; wait for it or stop it."
    assert done.stderr == f"runs/{run.path.name}: {who}\n"


def test_an_unfinished_run_goes_on(folder):
    """As if it had been killed before its first checkpoint."""
    config = load(folder / "study.yaml", ["seed=1", f"data.path={folder / 'text'}"])
    with Run.begin(config, folder / "others") as run:
        run.start_session()
    done = attn(folder, "resume", run.path.name, "--runs", "others")
    assert done.returncode == 0, done.stderr
    assert "continues" in done.stderr
    assert Run.open(run.path).status == "done"


def test_a_run_of_a_larger_machine_is_looked_at_and_continued(folder, run):
    """Made on four TPUs: scored on this CPU, and resumed when told so."""
    there = shutil.copytree(run.path, folder / "away" / "study-there")
    text = (there / "config.yaml").read_text()
    text = text.replace("platform: null", "platform: tpu")
    (there / "config.yaml").write_text(text.replace("devices: null", "devices: 4", 1))
    words = ["--runs", "away"]
    done = attn(folder, "eval", "study-there", "--json", "--batches=2", *words)
    assert done.returncode == 0, done.stderr
    assert "platform: no tpu here; computed on cpu instead." in done.stderr
    assert json.loads(done.stdout)["val/loss"] == pytest.approx(run.result["val/loss"])
    (there / "result.json").unlink()
    shutil.rmtree(there / "checkpoints" / "step_00000006")
    swept = {"status": "stopped", "group": "s", "keys": ["optim.lr"], "lanes": 2}
    (there / "manifest.json").write_text(json.dumps(run.manifest | swept))
    here = ["platform=null", "mesh.devices=1"]
    done = attn(folder, "resume", "study-there", *here, *words)
    assert done.returncode == 0, done.stderr
    changed = "platform: tpu -> null; mesh.devices: 4 -> 1"
    how = f"elsewhere ({changed}), alone (it was one of 2 side by side): the same up"
    assert f"continues {how} to rounding" in done.stderr
    assert "from step 5" in done.stdout
    again = Run.open(there)
    assert again.manifest["sessions"][-1]["moved"] == changed.split("; ")
    assert again.result["val/loss"] == pytest.approx(run.result["val/loss"], rel=1e-5)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["data.path=gone.txt"], "override `data.path=gone.txt`: no such file"),
        (["data.context=99999"], "override `data.context=99999`: "),
        (["model.mask=causl"], "override `model.mask=causl`: unknown name"),
    ],
)
def test_a_run_that_cannot_begin_leaves_nothing(words, line, folder):
    done = attn(folder, "train", "study.yaml", *words, "--runs", "none")
    assert done.returncode == 2
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1
    assert not list((folder / "none").iterdir())
