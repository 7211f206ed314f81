"""A run that starts from the weights of another: which, with which tokens, and how."""

import shutil
from dataclasses import replace

import jax
import numpy as np
import pytest

from experiments import data, weights
from experiments.arrays import digest
from experiments.checkpoint import Store
from experiments.config import ConfigError, load
from experiments.look import load_trained
from experiments.ready import check_files
from experiments.run import Run
from experiments.setup import assemble
from experiments.sweep.program import Program
from experiments.train import train
from tests.experiments.relaxed import relaxed  # noqa: F401

STUDY = """\
name: study
model: {layers: 1, heads: 2, width: 8}
data: {path: text, vocabulary: char, context: 8, batch: 4}
train: {duration: 4steps}
eval: {every: 2, batches: 2}
sample: {every: null}
process: {allocator: false}
"""
FIRST, LAST = 3, 40


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with a text, a config, a run with two checkpoints; and their states."""
    desk = tmp_path_factory.mktemp("desk")
    (desk / "text").write_text("a cat and a mat and a rat; " * 40)
    (desk / "study.yaml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(desk)
        return desk, *made()


@pytest.fixture
def folder(desk, tmp_path, monkeypatch):
    """A copy of it, to work in."""
    shutil.copytree(desk[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def learned(desk, folder):
    """The run in it, whose first checkpoint is its best, and the states."""
    return desk[1:]


def study(*settings):
    return load("study.yaml", settings)


def begun(*settings):
    """The setup of a config, and the state that its run would begin with."""
    config = study(*settings)
    setup = assemble(config, data.build(config))
    return setup, setup.start()


def made(*settings):
    setup, state = begun(*settings)
    with Run.begin(setup.config, "runs") as run:
        data.task_of(run, keep=True)
        states = {}
        for step, loss in ((FIRST, 1.0), (LAST, 2.0)):
            learned = jax.tree.map(lambda x, by=step: x + by, state.params)
            averaged = jax.tree.map(lambda x, by=step: x - by, state.ema)
            states[step] = replace(state, params=learned, ema=averaged)
            notes = {"fingerprint": setup.task.fingerprint, "validation": loss}
            Store(run.checkpoints).save(step, states[step], notes)
    return run.path, states


def same(one, other):
    return digest(one) == digest(other)


def test_it_starts_from_the_best_checkpoint(learned):
    path, states = learned
    setup, state = begun(f"train.weights={path}", "seed=7")
    assert same(state.params, states[FIRST].params)
    assert int(state.step) == 0
    assert same(state.optimizer, begun()[1].optimizer)  # which starts anew
    assert setup.config.seed == 7


def test_a_checkpoint_by_its_folder(learned):
    path, states = learned
    name = path / "checkpoints" / f"step_{LAST:08d}"
    assert same(begun(f"train.weights={name}")[1].params, states[LAST].params)


def test_a_run_by_its_name_alone(learned):
    path, states = learned
    assert same(begun("train.weights=runs/study")[1].params, states[FIRST].params)
    shutil.copytree(path, path.with_name("study-0123abcd"))
    with pytest.raises(ConfigError, match=r"runs/study may be .*, .*; say which\.$"):
        begun("train.weights=runs/study")


def test_a_run_may_have_the_name_of_the_one_it_starts_from(learned):
    changed = "train.weights=runs/study"
    for seed in (1, 2):  # the second finds the first there, too
        with Run.begin(study(changed, f"seed={seed}"), "runs") as run:
            data.task_of(run, keep=True)
        assert same(begun(changed, f"seed={seed}")[1].params, learned[1][FIRST].params)


def test_a_name_that_begins_alike_is_another(learned):
    with Run.begin(study("name=study-two"), "runs"):
        pass
    found = begun("train.weights=runs/study")[1]
    assert same(found.params, learned[1][FIRST].params)


def test_a_run_may_be_called_like_a_checkpoint(folder):
    path, states = made("name=step_lr")
    for name in (path, "runs/step_lr"):
        found = begun(f"train.weights={name}")[1]
        assert same(found.params, states[FIRST].params)


def test_a_run_is_no_hint_for_itself(folder):
    shutil.rmtree("runs")
    config = study("train.weights=runs/nope")
    with Run.begin(config, "runs"), pytest.raises(ConfigError) as caught:
        data.build(config)
    assert str(caught.value).endswith("nope is no run. Expected the folder of a run.")


def test_averaged_weights_are_what_is_taken_and_averaged_again(folder):
    path, states = made("optim.ema=0.9")
    changed = f"train.weights={path}"
    assert same(begun(changed)[1].params, states[FIRST].ema)
    again = begun(changed, "optim.ema=0.9")[1]
    assert same(again.params, states[FIRST].ema)
    assert same(again.ema, states[FIRST].ema)


def test_numbers_are_those_of_the_new_runs_precision(learned):
    path, states = learned
    state = begun(f"train.weights={path}", "precision.parameters=bfloat16")[1]
    for found, there in zip(
        jax.tree.leaves(state.params),
        jax.tree.leaves(states[FIRST].params),
        strict=True,
    ):
        assert found.dtype == "bfloat16"
        np.testing.assert_array_equal(found, there.astype("bfloat16"))


@pytest.mark.parametrize("keys", [(), ("optim.lr",)])
def test_runs_that_share_a_program_start_from_it_too(learned, keys):
    path, states = learned
    configs = [study(f"train.weights={path}", f"optim.lr={x}") for x in (0.1, 0.2)]
    program = Program.of(configs[0], keys, data.build(configs[0]))
    for config in configs:
        assert same(program.alone(config).start().params, states[FIRST].params)
    drawn = program.alone(study()).start()
    assert not same(drawn.params, states[FIRST].params)


def test_another_text_is_read_with_the_tokens_of_the_weights(learned, folder):
    path, _ = learned
    (folder / "other").write_text("a mad dad ran and ran; " * 40)  # no c
    other = ("data.path=other", f"train.weights={path}")
    task = data.build(study(*other))
    first = data.build(study())
    assert task.vocabulary.to_json() == first.vocabulary.to_json()
    with Run.begin(study(*other), "runs") as run:
        kept = data.task_of(run, keep=True)
    shutil.rmtree(path)  # what has begun needs it no more
    again = data.task_of(Run.open(run.path))
    assert again.vocabulary.to_json() == kept.vocabulary.to_json()


def test_it_trains_to_its_end_and_says_what_it_began_with(learned):
    path, states = learned
    config = study(f"train.weights={path}", "optim.lr=1e-9", "optim.weight_decay=0")
    with Run.begin(config, "runs") as run:
        task = data.task_of(run, keep=True)
        run.start_session(data=task.describe())
        assert train(config, run, task, quiet=True) == 0
        assert run.manifest["weights"] == digest(states[FIRST].params)
    shutil.rmtree(path)
    trained = load_trained(run.path)
    for found, there in zip(
        jax.tree.leaves(trained.params),
        jax.tree.leaves(states[FIRST].params),
        strict=True,
    ):
        np.testing.assert_allclose(found, there, atol=1e-6)


WRONG = [
    (
        ("train.weights=runs/{run}0",),
        r"runs/study-\w+0 is no run\. Did you mean `runs/study-\w+`\?$",
    ),
    (
        ("train.weights=runs/{run}/checkpoints/step_00000009",),
        r"no checkpoint `9`; expected best, last or 3, 40\.$",
    ),
    (
        ("train.weights=runs/{run}", "model.width=16"),
        r": `\S+` is \(8,.*\) in runs/\S+, and \(16,.*\) in this model; give it the",
    ),
    (
        ("train.weights=runs/{run}", "model.layers=2"),
        r": `blocks/1/\S+` is none in runs/\S+, and \(.*\) in this model; ",
    ),
    (
        ("train.weights=runs/{run}", "data.vocabulary=byte"),
        r"data\.vocabulary.*: the weights of \S+ were learned with `char`; set it to",
    ),
    (
        ("train.weights=runs/{run}", "data.path=foreign"),
        r"data\.path.*: character \d+ is `z`.*, from runs/\S+; leave it out, or start",
    ),
]


@pytest.mark.parametrize(("settings", "line"), WRONG)
def test_weights_that_do_not_fit_are_one_line(learned, folder, settings, line):
    (folder / "foreign").write_text("a zebra and a cat; " * 40)
    settings = [each.replace("{run}", learned[0].name) for each in settings]
    with pytest.raises(ConfigError, match=line) as caught:
        begun(*settings)
    assert "\n" not in str(caught.value)


def test_tokens_that_mean_something_else_are_refused(learned, folder):
    text = "data: {path: text, vocabulary: char, context: 8, batch: 4}"
    assert text in STUDY
    (folder / "copy.yaml").write_text(STUDY.replace(text, "data: {kind: copy}"))
    config = load("copy.yaml", ["train.weights=runs/study"])
    with pytest.raises(ConfigError, match=r"another vocabulary than this task's\.$"):
        data.build(config)


def test_damaged_weights_are_refused(learned):
    path, _ = learned
    arrays = path / "checkpoints" / f"step_{FIRST:08d}" / "arrays"
    victim = max(arrays.rglob("*"), key=lambda x: x.stat().st_size * x.is_file())
    victim.write_bytes(victim.read_bytes()[:-1] + b"?")
    name = arrays.parent
    with pytest.raises(ConfigError, match="does not match its checksum"):
        weights.read(study(f"train.weights={name}"), {})


def test_a_run_that_has_learned_nothing_yet(folder):
    with Run.begin(study("seed=9"), "runs") as run:
        data.task_of(run, keep=True)
    with pytest.raises(ConfigError, match=r"train\.weights.* has no checkpoint yet"):
        begun(f"train.weights={run.path}")


def test_a_run_that_has_begun_needs_them_no_more(learned):
    config = study("train.weights=runs/gone")
    check_files(config, learned[0])
    with pytest.raises(ConfigError, match="runs/gone is no run"):
        check_files(config, learned[0].with_name("new"))
