"""Compiling the training step of `attn train`, again and again, from nothing."""

from typing import Any

from experiments.bench.contender import Arrays, Contender
from experiments.bench.rivals.ours_step import configured, start
from experiments.bench.work import CompileWork


def shallow(work: CompileWork, given: Arrays) -> Contender:
    """The step of a few layers."""
    del given
    return compiling(work.overrides(work.layers))


def deep(work: CompileWork, given: Arrays) -> Contender:
    """The step of many."""
    del given
    return compiling(work.overrides(work.deep))


def compiling(overrides: list[str]) -> Contender:
    """Traces, lowers and compiles at every call."""
    with configured(overrides) as config:
        start(config)
        # Here, not above: these import JAX, which `start` has to come before.
        import jax
        import numpy as np

        from experiments import tasks
        from experiments.setup import assemble

        setup = assemble(config, tasks.build(config.data))
    args = (setup.shapes, setup.inputs, np.int32(1))

    def call() -> Any:
        jax.clear_caches()
        return setup.train_call.trace(*args).lower().compile()

    return Contender(call, outputs=list)
