"""Schedules against formulas, decay and Muon on the right parameters, averages."""

import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments import optim
from experiments.config.schema import Optim, Schedule
from tests.experiments.relaxed import relaxed  # noqa: F401

LR, STEPS, WARMUP, DECAY, FLOOR = 0.3, 47, 5, 11, 0.1


def schedule(kind: str, **changes):
    config = Optim(lr=LR, schedule=Schedule(kind=kind, floor=FLOOR))
    given = {"steps": STEPS, "warmup": WARMUP, "decay": DECAY} | changes
    return optim.make_schedule(config, **given)


def params():
    """One of each kind of parameter, named as in a model."""
    draw = np.random.default_rng(0).normal
    block = {
        "mlp": {"up": {"kernel": draw(size=(3, 5)), "bias": draw(size=5)}},
        "norm": {"scale": draw(size=3)},
    }
    tables = {"embedding": {"table": draw(size=(7, 3))}}
    tables["head"] = {"table": draw(size=(7, 3))}
    tree = {"blocks": {0: block, 1: jax.tree.map(np.copy, block)}, **tables}
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), tree)


@pytest.mark.parametrize("kind", ["cosine", "wsd", "constant"])
def test_the_warm_up_rises_straight_and_never_is_zero(kind):
    rate = schedule(kind)
    for step in range(WARMUP):
        expected = LR * (step + 1) / (WARMUP + 1)
        assert float(rate(step)) == pytest.approx(expected, rel=1e-6)
    assert float(rate(WARMUP)) == pytest.approx(LR, rel=1e-6)


def test_cosine_follows_its_formula_to_the_floor():
    rate = schedule("cosine")
    for step in range(WARMUP, STEPS + 1):
        share = (step - WARMUP) / (STEPS - WARMUP)
        fall = FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * share))
        assert float(rate(step)) == pytest.approx(LR * fall, rel=1e-5)


def test_wsd_is_flat_and_then_falls_straight_to_the_floor():
    rate = schedule("wsd")
    for step in range(WARMUP, STEPS - DECAY + 1):
        assert float(rate(step)) == pytest.approx(LR, rel=1e-6)
    for step in range(STEPS - DECAY, STEPS + 1):
        share = (step - (STEPS - DECAY)) / DECAY
        expected = LR * (1 - (1 - FLOOR) * share)
        assert float(rate(step)) == pytest.approx(expected, rel=1e-5)


def test_constant_stays():
    rate = schedule("constant")
    assert float(rate(WARMUP + 1)) == float(rate(10 * STEPS)) == pytest.approx(LR)


def test_no_warm_up_starts_at_the_full_rate():
    assert float(schedule("cosine", warmup=0)(0)) == pytest.approx(LR)


def test_decay_is_for_matrices_and_tables_only():
    expected = {"kernel": True, "bias": False, "scale": False, "table": True}
    for path, flag in jax.tree_util.tree_leaves_with_path(optim.decayed(params())):
        assert flag is expected[path[-1].key], path


@pytest.mark.parametrize("kind", ["adamw", "muon", "sgd"])
def test_without_gradient_only_decay_moves(kind):
    """What decays shrinks by lr times decay; vectors stay bit for bit."""
    config = Optim(kind=kind, lr=0.5, weight_decay=0.2, clip=None)
    rule = optim.make_optimizer(config, optax.constant_schedule(0.5))
    before = params()
    zero = jax.tree.map(jnp.zeros_like, before)
    updates, _ = jax.jit(rule.update)(zero, rule.init(before), before)
    after = optax.apply_updates(before, updates)
    decays = jax.tree.leaves(optim.decayed(before))
    pairs = zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
    for (old, new), does in zip(pairs, decays, strict=True):
        np.testing.assert_allclose(new, old * (0.9 if does else 1.0), rtol=1e-6)


@pytest.mark.parametrize("kind", ["adamw", "muon", "sgd"])
def test_every_optimizer_goes_down_hill(kind):
    config = Optim(kind=kind, lr=0.1, betas=(0.8, 0.9), weight_decay=0.0)
    rule = optim.make_optimizer(config, optax.constant_schedule(0.1))

    def loss(tree):
        return sum(jnp.square(leaf - 1).sum() for leaf in jax.tree.leaves(tree))

    @jax.jit
    def step(tree, state):
        updates, state = rule.update(jax.grad(loss)(tree), state, tree)
        return optax.apply_updates(tree, updates), state

    tree = params()
    first, state = loss(tree), rule.init(tree)
    for _ in range(60):
        tree, state = step(tree, state)
    assert loss(tree) < 0.5 * first


def test_clipping_bounds_the_global_norm():
    """Plain gradient descent with rate 1 shows the clipped gradient itself."""
    config = Optim(kind="sgd", betas=(0.0, 0.0), weight_decay=0.0, clip=0.7)
    rule = optim.make_optimizer(config, optax.constant_schedule(1.0))
    tree = params()
    updates, _ = rule.update(tree, rule.init(tree), tree)
    assert float(optax.tree.norm(updates)) == pytest.approx(0.7, rel=1e-5)


def test_muon_orthogonalises_hidden_matrices_and_only_them():
    """A matrix of singular values 1 to 100 leaves with all of them about equal."""
    left, right = np.linalg.qr(np.random.default_rng(1).normal(size=(2, 5, 5)))[0]
    skewed = jnp.asarray(left @ np.diag([100, 50, 10, 3, 1.0]) @ right, jnp.float32)
    tree = {"mlp": {"up": {"kernel": skewed}}, "embedding": {"table": skewed}}
    config = Optim(kind="muon", weight_decay=0.0, clip=None)
    rule = optim.make_optimizer(config, optax.constant_schedule(1.0))
    updates, _ = rule.update(tree, rule.init(tree), tree)
    values = np.linalg.svd(updates["mlp"]["up"]["kernel"], compute_uv=False)
    assert values.max() / values.min() < 2.5
    rms = float(jnp.sqrt(jnp.square(updates["mlp"]["up"]["kernel"]).mean()))
    assert rms == pytest.approx(optim.MUON_RMS, rel=0.2)
    # Adam's first update is the sign of the gradient.
    table = np.asarray(updates["embedding"]["table"])
    np.testing.assert_allclose(table, -np.sign(skewed), atol=1e-3)


@pytest.mark.parametrize("kernel", ["kernel", "taps"])
def test_fewer_iterations_orthogonalise_less(kernel):
    """And what is no matrix of the model is not orthogonalised at all."""
    skewed = jnp.asarray(np.diag([100, 50, 10, 3, 1.0]), jnp.float32)
    tree = {"mlp": {"up": {kernel: skewed}}}
    spread = []
    for iterations in (2, 5):
        config = Optim(
            kind="muon", newton_schulz=iterations, weight_decay=0.0, clip=None
        )
        rule = optim.make_optimizer(config, optax.constant_schedule(1.0))
        updates, _ = rule.update(tree, rule.init(tree), tree)
        values = np.abs(np.diag(updates["mlp"]["up"][kernel]))
        spread.append(values.max() / values.min())
    assert (spread[0] > 1.5 * spread[1]) == (kernel == "kernel")


def test_stacking_changes_nothing():
    """Stacked by shape, Muon's rule gives what it gives matrix by matrix."""
    draw = np.random.default_rng(2).normal
    shapes = [(3, 5), (5, 3), (3, 5), (2, 3, 5)]
    tree = {str(i): jnp.float32(draw(size=s)) for i, s in enumerate(shapes)}
    numbers = optax.contrib.MuonDimensionNumbers(-2, -1)
    rule = optax.contrib.muon(
        0.1,
        muon_weight_dimension_numbers=lambda t: jax.tree.map(lambda _: numbers, t),
    )
    together = optim.stacked(rule)
    expected, _ = rule.update(tree, rule.init(tree), tree)
    found, _ = together.update(tree, together.init(tree), tree)
    for name in tree:
        np.testing.assert_allclose(found[name], expected[name], rtol=2e-5, atol=1e-6)


def test_the_average_follows_its_formula():
    decay, mean = 0.9, 0.0
    ema = {"x": jnp.zeros(3, jnp.float32)}
    for step in range(40):
        value = math.sin(step)
        keep = min(decay, (step + 1) / (step + 10))
        mean = keep * mean + (1 - keep) * value
        new = {"x": jnp.full(3, value, jnp.float32)}
        ema = optim.average(ema, new, decay, jnp.int32(step))
    np.testing.assert_allclose(ema["x"], mean, rtol=1e-5)


def test_a_head_of_its_own_is_no_hidden_matrix():
    key = lambda name: SimpleNamespace(key=name)  # noqa: E731
    assert optim.role((key("head"), key("kernel"))) == "embedding"
    assert optim.role((key("mlp"), key("up"), key("kernel"))) == "matrix"
