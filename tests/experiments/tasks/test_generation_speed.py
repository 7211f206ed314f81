"""Drawing batches takes a small part of a training step of the tiny model."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import tasks
from experiments.config import load
from experiments.setup import assemble
from experiments.shipped import configs_folder
from tests.experiments.relaxed import relaxed  # noqa: F401

TIMES_FASTER = 20
LOOSE = 2  # of machines that do something else, too
REPEATS, STEPS = 5, 10


def seconds(call):
    """The least time of a few calls, the first left out."""
    jax.block_until_ready(call())
    found = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        jax.block_until_ready(call())
        found.append(time.perf_counter() - start)
    return min(found)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["induction", "mqar", "needle", "listops"])
def test_a_batch_is_drawn_many_times_faster_than_a_step_is_taken(kind):
    config = load(configs_folder() / "mqar.yaml", [f"data.kind={kind}"])
    setup = assemble(config, tasks.build(config.data))

    @jax.jit
    def drawn(seed):
        def add(step, total):
            batch = setup.task.batch(setup.inputs.data, seed, "train", step)
            leaves = jax.tree.leaves(batch)
            return total + sum(leaf.sum(dtype=jnp.float32) for leaf in leaves)

        return jax.lax.fori_loop(0, STEPS, add, jnp.float32(0))

    state = [setup.start()]

    def train():
        state[0], metrics, _ = setup.train_call(state[0], setup.inputs, np.int32(STEPS))
        return metrics

    times = seconds(train) / seconds(lambda: drawn(jnp.uint32(0)))
    print(f"{kind}: a step takes {times:.0f} times as long as its batch")
    assert times > TIMES_FASTER / LOOSE
