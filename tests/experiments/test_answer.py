"""Models that translate and classify, as the runner trains, stops, and asks them."""

import json

import numpy as np
import pytest

from experiments import cli, tasks
from experiments.asked import Asked, check_asked
from experiments.config import ConfigError, load
from experiments.errors import UserError
from experiments.run import Run
from experiments.setup import assemble
from experiments.train import train
from tests.experiments.relaxed import relaxed  # noqa: F401
from tests.experiments.test_train import StopAt

SMALL = """\
model: {layers: 1, heads: 2, width: 12, hidden: 20, dropout: 0.1}
data: {batch: 8}
train: {duration: 6steps, steps_per_call: 2}
eval: {every: 3steps, batches: 2}
sample: {every: 6steps}
checkpoint: {every: 2steps}
log: {every: 1steps}
"""
KINDS = {
    "seq2seq": ["data.kind=numbers", "data.options.digits=3"],
    "classifier": ["data.kind=brackets", "data.options.length=12"],
}


def config_of(kind, folder, *overrides):
    path = folder / f"{kind}.yaml"
    path.write_text(SMALL)
    named = [f"name={kind}", f"model.kind={kind}"]
    return load(path, [*named, *KINDS[kind], *overrides])


def work(config, root, stop=None):
    with Run.begin(config, root) as run:
        run.start_session()
        code = train(config, run, tasks.build(config.data), stop=stop, quiet=True)
    return code, run


@pytest.fixture(scope="module", autouse=True)
def compiled_once():
    """A run that goes on has the compiled functions of the one that stopped."""
    shared = {}

    def assemble_once(config, task):
        return shared.setdefault(config.model.kind, None) or remember(config, task)

    def remember(config, task):
        shared[config.model.kind] = assemble(config, task)
        return shared[config.model.kind]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("experiments.train.assemble", assemble_once)
        patch.setattr("experiments.look.assemble", assemble_once)
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of each kind, trained for a moment."""
    root = tmp_path_factory.mktemp("runs")
    for kind in KINDS:
        code, run = work(config_of(kind, root), root)
        assert code == 0
        record = {"fingerprint": tasks.build(run.config.data).fingerprint}
        vocabulary = json.loads(tasks.build(run.config.data).vocabulary.to_json())
        record["vocabulary"] = vocabulary
        (run.path / "vocabulary.json").write_text(json.dumps(record))
    return root


def bytes_of(root, kind):
    (path,) = root.glob(f"{kind}-*/metrics.jsonl")
    samples = sorted((path.parent / "samples").iterdir())
    return [file.read_bytes() for file in (path, *samples)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_run_goes_on_bit_for_bit(runs, tmp_path, kind):
    config = config_of(kind, tmp_path)
    code, run = work(config, tmp_path, StopAt(4))
    assert (code, run.status) == (75, "stopped")
    code, _ = work(config, tmp_path)
    assert code == 0
    assert bytes_of(tmp_path, kind) == bytes_of(runs, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_metrics_and_samples(runs, kind):
    (path,) = runs.glob(f"{kind}-*")
    last = json.loads((path / "result.json").read_text())
    assert ("val/exact_match" in last) == (kind == "seq2seq")
    assert 0 <= last["val/accuracy"] <= 1
    sample = (path / "samples" / "step_00000006.txt").read_text().split("\n")
    assert sample[0] == Run.open(path).config.sample.prompt


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_a_batch_sum_to_the_batch(tmp_path, kind):
    plain = ("optim.kind=sgd", "optim.betas=[0.0, 0.95]", "model.dropout=0.0")
    losses = []
    for parts in (1, 2):
        config = config_of(kind, tmp_path, *plain, f"optim.accumulate={parts}")
        setup = assemble(config, tasks.build(config.data))
        _, metrics, _ = setup.train_call(setup.start(), setup.inputs, np.int32(2))
        losses.append(metrics["loss"])
    np.testing.assert_allclose(*losses, rtol=2e-5)


ASKED = ("seq2seq", "--prompt", "ninety-one")


def ask(capsys, runs, *words):
    code = cli.main(["sample", *words, "--runs", str(runs)])
    out, err = capsys.readouterr()
    return code, out.rstrip("\n"), err.rstrip("\n")


def test_a_translation_and_its_beam(runs, capsys):
    code, said, _ = ask(capsys, runs, *ASKED)
    assert code == 0
    assert said == json.loads(ask(capsys, runs, *ASKED, "--json")[1])["text"]
    words = (*ASKED, "--beam", "3", "--json")
    found = json.loads(ask(capsys, runs, *words)[1])
    assert found["source"] == "ninety-one"
    assert found["text"] == found["answers"][0]["text"]
    scores = [each["score"] for each in found["answers"]]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    harsh = ask(capsys, runs, *words, "--length-penalty", "5")[1]
    assert json.loads(harsh)["answers"][0]["score"] > scores[0]


def test_classes_and_their_shares(runs, capsys):
    code, said, _ = ask(capsys, runs, "classifier", "--prompt", "(()[])")
    assert code == 0
    assert sorted(line.split("  ")[0].strip() for line in said.split("\n")) == [
        "balanced",
        "not balanced",
    ]
    found = json.loads(ask(capsys, runs, "classifier", "--prompt", "(", "--json")[1])
    shares = list(found["classes"].values())
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["seq2seq", "--temperature", "0.5"],
            "attn sample: --temperature means nothing for a seq2seq, which gives the"
            " likeliest answer; leave it out (it takes --beam, --length-penalty).",
        ),
        (
            ["classifier", "--beam", "2"],
            "attn sample: --beam means nothing for a classifier, which gives the"
            " probability of each class; leave it out.",
        ),
        (
            ["classifier", "--prompt", "()" * 7],
            "prompt: expected at most 12 tokens, got 14.",
        ),
        (["seq2seq", "--prompt", ""], "prompt: expected at least one token"),
        (["seq2seq", "--beam", "100000000"], "attn sample: Invalid value for '--beam'"),
    ],
)
def test_what_means_nothing_is_refused(runs, capsys, words, line):
    code, out, err = ask(capsys, runs, *words)
    assert (code, out) == (2, "")
    assert err.startswith(line)
    assert "\n" not in err


def test_a_decoder_takes_no_beam():
    check_asked(Asked(prompt="x", temperature=0.0), "decoder")
    with pytest.raises(UserError, match="--length-penalty means nothing for a decoder"):
        check_asked(Asked(length_penalty=1.0), "decoder")


def test_a_prompt_of_the_config_that_is_too_long_is_found_before_training(tmp_path):
    from experiments.answer import check_prompt

    config = config_of("classifier", tmp_path, "sample.prompt='()()()()()()()'")
    with pytest.raises(ConfigError, match=r"sample\.prompt.*at most 12 tokens, got 14"):
        check_prompt(config, tasks.build(config.data).vocabulary, None)


def test_a_task_wants_its_kind_of_model(tmp_path):
    with pytest.raises(ConfigError, match="is for a classifier model, got seq"):
        config_of("classifier", tmp_path, "model.kind=seq2seq")
