"""The training step that `attn train` compiles, settings of the process included."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from experiments import process, session
from experiments.bench.contender import Arrays, Contender
from experiments.bench.rivals.text import TEXT, symbols
from experiments.bench.work import StepWork
from experiments.commands.find import find_config
from experiments.config import load

STEPS = 8  # of a timed call: `attn train` takes as many as fit into a second
CHECKED = 5  # steps whose losses must agree
RECIPE = "nanogpt_cpu"
COLD = "process.compilation_cache=false"  # what compiling takes is measured, too


def step(work: StepWork, given: Arrays) -> Contender:
    """Steps in one call of the runner's jitted function, batches drawn inside."""
    del given
    config = configured(work.overrides())
    process.prepare(session.settings(config))
    process.start_jax(session.settings(config))
    # Here, not above: these import JAX, which `process.prepare` has to come before.
    from experiments.bench.rivals.running import running

    return running(config, steps=STEPS, checked=CHECKED)


def configured(overrides: list[str]) -> Any:
    """The recipe on seeded random text of 65 symbols, which needs no download."""
    path = Path(tempfile.mkdtemp(prefix="attn-bench-")) / "text.txt"
    path.write_text("".join(np.array(list(TEXT))[symbols()]), encoding="utf-8")
    return load(find_config(RECIPE), [f"data.path={path}", COLD, *overrides])
