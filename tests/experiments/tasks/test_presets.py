"""Every preset of every task makes a config that trains: two steps, finite losses."""

import gc

import jax
import numpy as np
import pytest

from experiments import tasks
from experiments.config import load, names
from experiments.setup import assemble
from experiments.step import METRICS
from tests.experiments.relaxed import relaxed  # noqa: F401

NARROW = ("model.layers=1", "model.heads=2", "model.width=16", "model.hidden=16")
SHORT = ("data.batch=2", "train.duration=2steps", "sample.every=null")
CELLS = [
    (kind, preset) for kind in names.TASKS for preset in tasks.declared(kind).presets
]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "preset"), CELLS)
def test_a_preset_trains(kind, preset):
    what = (f"data.kind={kind}", f"data.preset={preset}")
    model = f"model.kind={tasks.declared(kind).model}"
    config = load(None, [*NARROW, *SHORT, *what, model])
    setup = assemble(config, tasks.build(config.data))
    state, metrics, done = setup.train_call(setup.start(), setup.inputs, np.int32(2))
    assert int(done) == 2
    assert int(state.step) == 2
    found = np.stack([np.asarray(metrics[name])[:2] for name in METRICS])
    assert np.isfinite(found).all()
    sums = setup.eval_call(state.best_params, setup.inputs, np.int32(0), np.int32(1))
    assert all(np.isfinite(np.asarray(each)).all() for each in sums.values())
    jax.clear_caches()
    gc.collect()
