"""A new task is one file and one row: a copy task, as the runner sees it."""

import hashlib
import math
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import tasks
from experiments.config import load, names
from experiments.setup import assemble
from experiments.tasks.declaration import Declaration
from experiments.tasks.task import Batch, Task, batch_key
from experiments.tasks.vocabularies.char import CharVocabulary

HALF = 5
SYMBOLS = CharVocabulary("|abcdefg")


def batch(arrays, seed, split, step):
    """`abc|abc`: only the second half can be known, and only it counts.

    Training and validation share no example: the first letter tells them apart.
    """
    first, rest = jax.random.split(batch_key(seed, split, step))
    low, high = {"train": (1, 5), "validation": (5, 8)}[split]
    start = jax.random.randint(first, (6, 1), low, high)
    word = jax.random.randint(rest, (6, HALF - 1), 1, 8)
    word = jnp.concatenate([start, word], 1)
    line = jnp.concatenate([word, jnp.zeros((6, 1), jnp.int32), word], 1)
    late = jnp.broadcast_to(jnp.arange(2 * HALF)[None] >= HALF, (6, 2 * HALF))
    slices = {"last": late & (jnp.arange(2 * HALF)[None] == 2 * HALF - 1)}
    return Batch(line[:, :-1], line[:, 1:], late.astype(jnp.float32), slices)


def build(config, *, vocabulary=None):
    return Task(
        vocabulary=SYMBOLS,
        arrays={},
        batch=batch,
        context=2 * HALF,
        validation_steps=3,
        fingerprint=hashlib.sha256(b"copy 5").hexdigest(),
        summary="copy of 5 letters",
        chance=math.log(7),
        floor=0.0,
    )


@pytest.fixture
def copying(monkeypatch):
    module = types.ModuleType("experiments.tasks.copying")
    module.TASK = Declaration(build=build, context=2 * HALF, prompt="|")
    monkeypatch.setitem(names.TASKS, "copying", "write a word again")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    overrides = [
        "data.kind=copying",
        "data.batch=6",
        f"data.context={2 * HALF}",
        "model.layers=1",
        "model.width=12",
        "model.heads=2",
        "train.duration=7steps",
        "train.steps_per_call=3",
        "optim.schedule.warmup=0steps",
    ]
    return load(None, overrides)


def test_the_runner_trains_a_task_it_has_never_seen(copying):
    with jax.numpy_dtype_promotion("standard"):  # optax raises floats to int32 powers
        train(assemble(copying, tasks.build(copying.data)))


def train(setup):
    state, metrics, done = setup.train_call(setup.start(), setup.inputs, np.int32(3))
    assert int(done) == int(state.step) == 3
    assert float(metrics["loss"][0]) == pytest.approx(math.log(8), rel=0.3)
    sums = setup.eval_call(state.params, setup.inputs, np.int32(0), np.int32(2))
    assert sums["weight"][:2].tolist() == [6.0 * HALF] * 2  # half the targets count


def test_a_task_describes_itself():
    assert build(None).describe().startswith("copy of 5 letters, sha256 ")
    assert build(None).bytes_per_token is None
