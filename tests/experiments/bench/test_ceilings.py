"""What the machine can do at most, and the floor of a case that follows."""

import numpy as np
import pytest

from experiments.bench.ceilings import KINDS, floor, measure
from experiments.bench.race import Rules
from experiments.bench.rivals import most_jax, most_numpy
from experiments.bench.work import AttentionWork, CeilingWork, LayerWork, StepWork

RATES = {"matmul": 1e9, "batched": 5e8, "copy": 1e8, "exp": 1e7, "dispatch": 1e4}
CEILINGS = {name: {"rate": rate} for name, rate in RATES.items()}
PROGRAM = {"flops": 4e6, "argument_bytes": 1e5, "output_bytes": 1e5}


def test_the_slowest_need_is_the_floor_and_a_dispatch_comes_on_top():
    assert floor(LayerWork(), PROGRAM, CEILINGS) == pytest.approx(4e-3 + 1e-4)
    moving = PROGRAM | {"argument_bytes": 1e6}
    assert floor(LayerWork(), moving, CEILINGS) == pytest.approx(11e-3 + 1e-4)
    # 4 FLOPs a pair and feature: 4e6 / (4 * 64) pairs, an exponential each.
    work = AttentionWork(width=64)
    assert floor(work, PROGRAM, CEILINGS) == pytest.approx(4e6 / 5e8 + 1e-4)
    slow = CEILINGS | {"exp": {"rate": 1e5}}
    assert floor(work, PROGRAM, slow) == pytest.approx(4e6 / 256 / 1e5 + 1e-4)
    assert floor(StepWork(), PROGRAM, CEILINGS) == pytest.approx(4e-3)


def test_the_exponentials_of_a_layer_are_those_of_its_attention():
    shape = {"batch": 2, "length": 7, "heads": 3, "width": 15}
    pairs = 2 * 3 * 28  # a triangle of 7 tokens for each head and example
    maps, attention = 2 * 7 * 4 * 2 * 15**2, pairs * 4 * 5
    forward = LayerWork(**shape, backward=False)
    assert forward.exponentials(maps + attention) == pytest.approx(pairs)
    both = LayerWork(**shape)
    assert both.exponentials(3 * maps + 3.5 * attention) == pytest.approx(2 * pairs)


def ceilings_by(monkeypatch, **libraries):
    """What the contenders of `sleepers` reach at a step, and what was told."""
    heard = []
    targets = {name: f"sleepers:{target}" for name, target in libraries.items()}
    monkeypatch.setattr("experiments.bench.ceilings.LIBRARIES", targets)
    found = measure(StepWork(), Rules(burst=0.02), "cpu", heard.append)
    return found, "\n".join(heard)


def test_all_kinds_of_a_library_are_measured_in_one_process(importable, monkeypatch):
    found, _ = ceilings_by(monkeypatch, jax="same_process", numpy="missing")
    assert found.keys() == KINDS.keys()
    for kind, each in found.items():
        assert each["library"] == "jax"
        assert each["rate"] == pytest.approx(CeilingWork(kind).amount() / 1e-2, rel=0.5)
    assert "not installed" in found["matmul"]["all"]["numpy"]
    assert found["dispatch"]["all"].keys() == {"jax"}


def test_a_kind_that_every_library_refuses_is_left_out_and_told(
    importable, monkeypatch
):
    found, said = ceilings_by(monkeypatch, jax="no_exponentials", numpy="missing")
    assert found.keys() == KINDS.keys() - {"exp"}
    assert "ceilings: no exp, so no floors: jax: it has no exp; numpy: " in said
    assert floor(StepWork(), PROGRAM, found) is None


def test_nothing_is_claimed_without_flops_or_ceilings():
    assert floor(LayerWork(), PROGRAM | {"flops": None}, CEILINGS) is None
    assert floor(LayerWork(), PROGRAM, {}) is None


def test_a_call_does_as_much_as_it_is_counted_for():
    assert CeilingWork("matmul").amount() == 2 * 1024**3
    assert CeilingWork("batched").amount() == 16 * 2 * 512 * 512 * 64
    assert CeilingWork("copy").amount() == 2 * 256 * 2**20
    assert CeilingWork("exp", scale=2).amount() == 2**18
    assert CeilingWork("dispatch").amount() == 1


def test_libraries_compute_the_same():
    work = CeilingWork("exp")
    found = [module.most(work, {}).call() for module in (most_jax, most_numpy)]
    np.testing.assert_allclose(np.asarray(found[0]), found[1], rtol=1e-5)
