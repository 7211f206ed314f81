"""Whole runs as contenders: a process each, another seed each, to a loss."""

import json
import sys

import numpy as np
import pytest

from experiments.bench.contender import Refused
from experiments.bench.rivals import ours_recipe
from experiments.bench.rivals.whole import Runs, run
from experiments.bench.work import RecipeWork

TINY = ("model.layers=1", "model.width=8", "model.heads=1", "data.context=8")
SHORT = (
    *TINY,
    "data.batch=2",
    "train.duration=4steps",
    "eval.every=4steps",
    "optim.schedule.warmup=1steps",
)


class TestRuns:
    def test_each_call_has_the_next_seed_and_tells_its_loss(self):
        runs = Runs(lambda seed, _: 2.0 - 0.1 * seed, below=0.0)
        contender, told = runs.contender(), []
        for _ in range(3):
            contender.call()
            told.append(contender.after())
        assert [each["run_seeds"] for each in told] == [0, 1, 2]
        losses = [each["validation_losses"] for each in told]
        np.testing.assert_allclose(losses, [2.0, 1.9, 1.8])
        np.testing.assert_array_equal(contender.outputs(), [[2.0]])

    def test_a_loss_that_is_not_reached_is_no_time(self):
        runs = Runs(lambda seed, _: 1.8 + 0.1 * seed, below=1.85)
        runs.call()
        with pytest.raises(Refused, match=r"seed 1 .* 1\.9000, not below 1\.85"):
            runs.call()

    def test_a_loss_that_is_no_number_is_not_below(self):
        with pytest.raises(Refused, match="not below"):
            Runs(lambda *_: float("nan"), below=9.0).call()


class TestRun:
    def test_it_tells_what_a_process_prints(self):
        assert run([sys.executable, "-c", "print(3)"]) == "3\n"

    def test_a_process_that_fails_is_refused_by_its_last_line(self):
        code = "import sys; print('a'); print('b: no text', file=sys.stderr); exit(2)"
        with pytest.raises(Refused, match="code 2: b: no text"):
            run([sys.executable, "-c", code])


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("to be or not to be, that is the question.\n" * 40)
    return path


def test_ours_is_a_process_of_attn_train(text, monkeypatch):
    monkeypatch.setenv(ours_recipe.SWITCH, "false")  # as in a contender's process
    work = RecipeWork(options=(f"data.path={text}", *SHORT))
    contender = ours_recipe.recipe(work, {})
    contender.call()
    assert 2.0 < contender.outputs()[0][0] < 5.0
    given = contender.given()
    assert given["text"].tobytes() == text.read_bytes()
    assert given["rates"].shape == (2000,)
    assert given["rates"][100] == pytest.approx(1e-3)
    np.testing.assert_allclose(given["adam"], [0.9, 0.99, 1e-8, 0.1, 1.0])


def test_the_cache_of_the_runs_is_their_own(tmp_path, monkeypatch):
    monkeypatch.setenv(ours_recipe.SWITCH, "false")
    found = ours_recipe.with_cache(tmp_path)
    assert ours_recipe.SWITCH not in found
    assert found["XDG_CACHE_HOME"].startswith(str(tmp_path))


class TestTorch:
    """The same recipe, where torch is at hand."""

    @pytest.fixture
    def training(self):
        pytest.importorskip("torch")
        from experiments.bench.rivals import torch_training

        return torch_training

    def test_it_does_no_other_model_to_its_end(self):
        pytest.importorskip("torch")
        from experiments.bench.rivals.torch_recipe import recipe

        with pytest.raises(Refused, match="say `below`"):
            recipe(RecipeWork("fast_shakespeare"), {})

    def test_every_window_of_the_text_counts_once(self, training):
        from experiments.bench.work import StepWork

        work = StepWork(context=4, batch=2)
        seen = []

        class Model:
            def __call__(self, tokens, targets):
                seen.extend(zip(tokens.tolist(), targets.tolist(), strict=True))
                return targets.float().mean()

        import torch

        loss = training.evaluate(Model(), torch.arange(15), work)
        assert [x for row, _ in seen for x in row] == list(range(12))
        assert loss == pytest.approx(np.arange(1, 13).mean())

    def test_it_trains_until_the_loss_is_low_enough(self, training, tmp_path):
        given = {
            "text": np.frombuffer(b"ab" * 5000, np.uint8),
            "rates": np.full(2000, 1e-2),
            "adam": np.array([0.9, 0.99, 1e-8, 0.1, 1.0]),
        }
        order = {"folder": str(tmp_path), "seed": 0, "below": 0.5}
        losses = training.train(given, order)
        assert len(losses) == 1
        assert losses[0] < 0.1
        assert (tmp_path / "checkpoint.pt").exists()
        assert json.dumps(losses)
