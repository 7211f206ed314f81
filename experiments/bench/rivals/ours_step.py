"""The training step that `attn train` compiles, settings of the process included."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from experiments import process, session
from experiments.bench.contender import Arrays, Contender
from experiments.bench.rivals.text import TEXT, symbols
from experiments.bench.work import RECIPE, StepWork
from experiments.config import Config, load
from experiments.shipped import find_config

STEPS = 8  # of a timed call: `attn train` takes as many as fit into a second
CHECKED = 5  # steps whose losses must agree
COLD = "process.compilation_cache=false"  # what compiling takes is measured, too


def step(work: StepWork, given: Arrays) -> Contender:
    """Steps in one call of the runner's jitted function, batches drawn inside."""
    del given
    return taking(work, STEPS)


def single(work: StepWork, given: Arrays) -> Contender:
    """The same with one step a call: what it takes longer is the host's part."""
    del given
    return taking(work, 1)


def taking(work: StepWork, steps: int) -> Contender:
    """A contender that takes some steps a call."""
    with configured(work.overrides()) as config:
        start(config)
        # Here, not above: it imports JAX, which `start` has to come before.
        from experiments.bench.rivals.running import running

        return running(config, steps=steps, checked=CHECKED)


def start(config: Config) -> None:
    """The settings of the process that a run of this config would have."""
    settings = session.settings(config)
    process.prepare(settings)
    process.start_jax(settings)


@contextmanager
def configured(overrides: list[str]) -> Iterator[Config]:
    """The recipe on seeded random text of 65 symbols, which needs no download.

    The text is a file until the block ends; by then the task has been built from it.
    """
    with tempfile.TemporaryDirectory(prefix="attn-bench-") as folder:
        path = Path(folder) / "text.txt"
        path.write_text("".join(np.array(list(TEXT))[symbols()]), encoding="utf-8")
        yield load(find_config(RECIPE), [f"data.path={path}", COLD, *overrides])
