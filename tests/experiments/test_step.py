"""The pure step: how it is cut into calls, accumulated, sharded, counted."""

import dataclasses
from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.config import load
from experiments.evaluate import evaluate
from experiments.model import FORWARD
from experiments.recompiles import Compilations
from experiments.setup import assemble, data_mesh
from experiments.step import METRICS, gradients, train_step
from experiments.telling import opening
from tests.experiments.relaxed import relaxed  # noqa: F401
from tests.experiments.stub import Task
from tests.experiments.worker import SMALL

CALLS = "train_call", "eval_call"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text(SMALL)
    return lambda *overrides: load(path, [*overrides])


def made(config):
    return assemble(config, Task(config.data.batch, config.data.context))


@pytest.fixture(scope="module")
def setup(config):
    return made(config())


def run(setup, *counts):
    """Takes steps in calls of the given lengths; the state and all metrics."""
    state, rows = setup.start(), []
    for count in counts:
        state, metrics, done = setup.train_call(state, setup.inputs, np.int32(count))
        assert int(done) == count
        rows.append(np.stack([metrics[name] for name in METRICS], 1)[:count])
    return state, np.concatenate(rows)


def test_results_do_not_depend_on_how_calls_are_cut(setup):
    whole_state, whole = run(setup, 7, 7, 2)
    cut_state, cut = run(setup, 1, 3, 5, 1, 6)
    np.testing.assert_array_equal(whole, cut)
    for one, other in zip(
        jax.tree.leaves(whole_state), jax.tree.leaves(cut_state), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_one_compilation_serves_every_length(setup):
    with Compilations() as seen:
        calls = {name: seen.watch(getattr(setup, name)) for name in CALLS}
        run(dataclasses.replace(setup, **calls), 1, 7, 3, 2)
        params = setup.start().best_params
        for n in (1, 7, 9):
            call = calls["eval_call"]
            evaluate(call, params, setup.inputs, batches=n, most=setup.most)
    assert seen.again == []


def test_the_recorded_rate_is_the_schedule(setup):
    _, rows = run(setup, 5)
    expected = [float(setup.training.schedule(step)) for step in range(5)]
    np.testing.assert_allclose(rows[:, METRICS.index("lr")], expected, rtol=1e-6)


def test_parts_of_a_batch_sum_to_the_batch(config, setup):
    """With uneven weights: parts have to divide by the weight of the whole batch.

    Plain gradient descent, since Adam's division would amplify rounding.
    """
    plain = ("optim.kind=sgd", "optim.betas=[0.0, 0.95]", "optim.lr=0.1")
    task = Task(6, 11)

    def weighted(arrays, seed, split, step):
        batch = task.batch(arrays, seed, split, step)
        rows, columns = jnp.arange(6)[:, None], jnp.arange(11)[None]
        counts = (rows * columns % 3 == 0) & (rows > 2)
        return batch._replace(weights=counts.astype(jnp.float32))

    shadow = type("Shadow", (), {n: getattr(task, n) for n in dir(task) if n[0] != "_"})
    shadow.batch = staticmethod(weighted)
    found = [
        run(assemble(config(*plain, f"optim.accumulate={parts}"), shadow), 3)
        for parts in (1, 3)
    ]
    (whole_state, whole), (parts_state, parts) = found
    np.testing.assert_allclose(whole, parts, rtol=2e-5)
    for one, other in zip(
        jax.tree.leaves(whole_state.params),
        jax.tree.leaves(parts_state.params),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert whole[0, 0] != pytest.approx(run(setup, 1)[1][0, 0])


def test_an_evaluation_takes_no_more_memory_than_its_parts(config, setup):
    """And the parts of a batch have the sums of the batch."""
    parts = made(config("optim.accumulate=3"))
    params, sizes = setup.start().params, []
    scores = [
        evaluate(each.eval_call, params, each.inputs, batches=3, most=each.most)
        for each in (setup, parts)
    ]
    assert scores[1].tokens == scores[0].tokens
    assert scores[1].accuracy == pytest.approx(scores[0].accuracy)
    assert scores[1].loss == pytest.approx(scores[0].loss, rel=1e-5)
    for each in (setup, parts):
        call = each.eval_call.lower(params, each.inputs, np.int32(0), np.int32(1))
        sizes.append(call.compile().memory_analysis().temp_size_in_bytes)
    assert sizes[1] < 0.7 * sizes[0]


@pytest.mark.parametrize("kind", ["adamw", "muon", "sgd"])
def test_sums_of_narrow_parameters_are_in_float32(config, kind):
    """Gradients over parts, moments and averages; the parameters stay narrow."""
    narrow = ("precision.parameters=bfloat16", f"optim.kind={kind}", "optim.ema=0.9")
    setup = made(config(*narrow, "optim.accumulate=3"))
    batch = setup.task.batch(setup.inputs.data, 0, "train", 0)
    given = (setup.shapes.params, setup.inputs.constants, batch, jax.random.key(0))
    _, grads = jax.eval_shape(partial(gradients, setup.training), *given)
    step = partial(train_step, setup.training)
    state, _ = jax.eval_shape(step, setup.shapes, setup.inputs)
    formats = lambda tree: {str(x.dtype) for x in jax.tree.leaves(tree)}  # noqa: E731
    assert formats(state.params) == {"bfloat16"}
    assert formats(grads) == formats(state.ema) == {"float32"}
    assert formats(state.optimizer) <= {"float32", "int32"}
    assert jax.tree.map(jnp.shape, state) == jax.tree.map(jnp.shape, setup.shapes)


@pytest.mark.parametrize("compute", ["float16", "bfloat16"])
def test_only_float16_needs_a_loss_that_is_scaled(config, compute):
    setup = made(config(f"precision.compute={compute}"))
    said = opening(setup, SimpleNamespace(path="runs/some"), 0)  # type: ignore[arg-type]
    assert ("float16 without loss scaling" in said) == (compute == "float16")


def test_an_example_may_have_one_target(config, monkeypatch):
    """Logits [B, V] against targets [B]: parts, sums and slices need no other code."""
    last = lambda model, batch, rng: model(batch.tokens, rng=rng)[:, -1]  # noqa: E731
    monkeypatch.setitem(FORWARD, "decoder", last)
    task = Task(6, 11)
    whole = task.batch

    def ends(*where):
        batch = whole(*where)
        return batch._replace(
            targets=batch.targets[:, -1], weights=batch.weights[:, -1]
        )

    task.batch = ends
    plain = ("optim.kind=sgd", "optim.betas=[0.0, 0.95]", "optim.lr=0.1")
    setups = [assemble(config(*plain, f"optim.accumulate={n}"), task) for n in (1, 3)]
    np.testing.assert_allclose(*(run(each, 3)[1] for each in setups), rtol=2e-5)
    setup = setups[0]
    score = evaluate(
        setup.eval_call, setup.start().params, setup.inputs, batches=2, most=setup.most
    )
    assert score.tokens == 2 * 6


def test_dropout_is_for_training_only(config, setup):
    dropped = made(config("model.dropout=0.5"))
    assert run(dropped, 1)[1][0, 0] != run(setup, 1)[1][0, 0]
    params = dropped.start().params
    score = [
        evaluate(each.eval_call, params, each.inputs, batches=2, most=each.most)
        for each in (dropped, setup)
    ]
    assert score[0] == score[1]


def test_a_call_stops_at_the_first_number_that_is_not_finite(setup):
    state = setup.start()
    params = jax.tree.map(lambda x: x * jnp.nan, state.params)
    state = dataclasses.replace(state, params=params)
    _, metrics, done = setup.train_call(state, setup.inputs, np.int32(5))
    assert int(done) == 1
    assert np.isnan(metrics["loss"][0])


def test_seeds_differ_and_repeat(config, setup):
    losses = [run(setup, 2)[1][-1, 0] for _ in range(2)]
    assert losses[0] == losses[1] != run(made(config("seed=1")), 2)[1][-1, 0]


def test_the_average_is_what_is_evaluated(setup):
    state, _ = run(setup, 7)
    found = jax.tree.leaves(state.best_params)
    other = jax.tree.leaves(state.params)
    assert not all(np.array_equal(a, b) for a, b in zip(found, other, strict=True))


@pytest.mark.parametrize(("devices", "examples"), [(None, 6), (1, 7)])
def test_the_mesh_divides_the_examples(config, devices, examples):
    given = config(f"mesh.devices={'null' if devices is None else devices}")
    assert examples % data_mesh(given, examples).size == 0


def test_more_devices_than_there_are_is_a_fault_of_the_config(config):
    with pytest.raises(Exception, match=r"mesh\.devices.*at most the 1 devices"):
        data_mesh(config("mesh.devices=3"), 6)
