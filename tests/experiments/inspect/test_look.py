"""Every kind of model can be looked into, and the pass is the ordinary one."""

from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from experiments import tasks
from experiments.config import load
from experiments.errors import UserError
from experiments.inspect import texts
from experiments.inspect.look import inspect_trained
from experiments.inspect.probe import make_probe
from experiments.inspect.texts import continued, fitting, validation_example
from experiments.look import Trained
from experiments.setup import assemble
from tests.experiments.relaxed import relaxed  # noqa: F401

SMALL = ("model.layers=2", "model.heads=2", "model.width=12", "data.batch=3")
KINDS = {
    "decoder": ("data.kind=induction", "model.backend=blockwise"),
    "seq2seq": ("data.kind=dates", "model.kind=seq2seq"),
    "classifier": ("data.kind=majority", "model.kind=classifier", "model.heads=1"),
}


@pytest.fixture(scope="module")
def trained():
    """Models at their first step, by kind."""

    def make(kind):
        config = load(None, [*SMALL, *KINDS[kind]])
        setup = assemble(config, tasks.build(config.data))
        run = SimpleNamespace(path=Path("runs/made"), config=config)
        return Trained(run, setup, setup.start().params, 0)  # type: ignore[arg-type]

    return {kind: make(kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_the_probed_pass_is_the_ordinary_pass(trained, kind):
    setup, params = trained[kind].setup, trained[kind].params
    batch = validation_example(setup, 1)
    constants = setup.inputs.constants
    probe = make_probe(setup.config, setup.task.vocabulary.size)
    logits, weights, lens = probe(params, constants, batch)
    plain = setup.training.apply(params, constants, batch, None)
    np.testing.assert_allclose(logits, plain, rtol=1e-4, atol=1e-5)
    assert all(np.isfinite(np.asarray(each)).all() for each in weights.values())
    if lens is None:
        assert kind == "classifier"
        return
    last = jax.nn.softmax(plain[0].astype(np.float32))
    np.testing.assert_allclose(
        lens["probabilities"][-1, :, 0], last.max(-1), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_array_equal(lens["tokens"][-1, :, 0], last.argmax(-1))


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_is_there_with_its_texts(trained, kind):
    seen = inspect_trained(trained[kind], example=2)
    crossed = [f"decoder.{i}{part}" for i in range(2) for part in ("", ".cross")]
    encoder = ["encoder.0", "encoder.1"]
    expected = {
        "decoder": ["0", "1"],
        "seq2seq": [*encoder, *crossed],
        "classifier": encoder,
    }
    assert [layer.short for layer in seen.layers] == expected[kind]
    for layer in seen.layers:
        rows, columns = len(seen.texts[layer.rows]), len(seen.texts[layer.columns])
        assert layer.weights.shape[1:] == (rows, columns)
        np.testing.assert_allclose(layer.weights.sum(-1), 1, atol=1e-5)
        assert np.isfinite(layer.scores["entropy"]).all()
    assert seen.about == "validation example 2"


def test_rank_and_probability_are_of_the_right_token(trained):
    seen = inspect_trained(trained["decoder"], prompt="abcabca")
    lens = seen.lens
    assert lens is not None
    vocabulary = trained["decoder"].setup.task.vocabulary
    assert lens.wanted.tolist() == [*vocabulary.encode("bcabca"), -1]
    assert lens.rank[:, -1].tolist() == [0, 0, 0]
    for k, t in np.argwhere(lens.rank == 1):
        assert lens.tokens[k, t, 0] == lens.wanted[t]
        assert lens.probability[k, t] == pytest.approx(lens.probabilities[k, t, 0])


def test_a_translator_reads_a_prompt_as_its_source_and_answers_itself(trained):
    seen = inspect_trained(trained["seq2seq"], prompt="the 3rd of May, 1987")
    assert "".join(seen.texts["source"]) == "the 3rd of May, 1987"
    answer = seen.about.removeprefix("prompt; the model answers ")
    assert "".join(seen.texts["tokens"][1:]) == answer[: len(seen.texts["tokens"]) - 1]
    lens = seen.lens
    assert lens is not None
    assert (lens.wanted == -1).all()
    vocabulary = trained["seq2seq"].setup.task.vocabulary
    if answer:  # greedy: each layer's last word is the next token of the answer
        assert vocabulary.decode(lens.tokens[-1, : len(answer), 0]) == answer


def test_a_classifier_reads_a_prompt_and_says_the_class(trained):
    seen = inspect_trained(trained["classifier"], prompt="aabba")
    assert seen.texts["tokens"] == tuple("aabba")
    assert seen.about.startswith("prompt; the model says ")
    assert "causal" not in seen.spec  # that mask is a decoder's


def test_repeats_are_distinct_tokens_twice(trained):
    seen = inspect_trained(trained["decoder"], repeat=True)
    text = seen.texts["tokens"]
    half = len(text) // 2
    assert text[:half] == text[half:]
    assert len(set(text[:half])) == half
    assert seen.lens is not None
    assert (seen.lens.wanted[: half - 1] == -1).all()
    assert (seen.lens.wanted[half - 1 : -1] >= 0).all()


def test_a_long_text_is_cut_and_says_so(trained, monkeypatch):
    setup = trained["decoder"].setup
    batch = continued(np.arange(9, dtype=np.int32))
    assert fitting(setup, batch) == (batch, ())
    monkeypatch.setattr(texts, "MOST_WEIGHTS", 4 * 5 * 5)
    cut, (note,) = fitting(setup, batch)
    np.testing.assert_array_equal(cut.tokens, [[4, 5, 6, 7, 8]])
    assert note == "the last 5 of 9 tokens, which the model read alone"


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("decoder", {"example": 10**6}, r"example 1000000 is not there; expected 0 to"),
        ("decoder", {"prompt": ""}, "expected at least one token"),
        ("decoder", {"prompt": "?"}, "prompt: "),
        ("seq2seq", {"repeat": True}, "is for decoders, and this is a seq2seq model"),
        ("seq2seq", {"prompt": "12 \u00e9"}, r"Known: 0-9 A .* a-i .*"),
        ("classifier", {"prompt": "a" * 999}, "expected at most .* tokens, got 999"),
    ],
)
def test_what_cannot_be_shown_is_one_line(trained, kind, options, message):
    with pytest.raises(UserError, match=message) as caught:
        inspect_trained(trained[kind], **options)
    assert "\n" not in str(caught.value)
