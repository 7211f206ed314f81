"""What the machine can do at most, and the floor of a case that follows."""

import numpy as np
import pytest

from experiments.bench.ceilings import floor
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
