"""A contender out of a jitted function and its arguments."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments import profiles
from experiments.bench.contender import Arrays, Contender
from experiments.bench.program import dissect

TRACED = 5  # calls in a profile


def contender(
    function: Callable,
    args: tuple,
    *,
    flops: float | None = None,
    given: Callable[[], Arrays] = dict,
    outputs: Callable[[], Sequence[np.ndarray]] | None = None,
) -> Contender:
    """A plain call of a jitted function, which is compiled here.

    Args:
      function: jitted, arrays to a pytree of arrays.
      args: of every call; nothing is donated.
      flops: declared.
      given: what others need.
      outputs: what is compared; None is all that the function returns.
    """
    program, text = dissect(function, args, flops=flops)

    def call() -> Any:
        return jax.block_until_ready(function(*args))

    def plain() -> list[np.ndarray]:
        return [np.asarray(x, np.float32) for x in jax.tree.leaves(call())]

    return Contender(
        call=call,
        outputs=outputs or plain,
        facts={"program": asdict(program), "hlo": text},
        given=given,
        profile=lambda folder: traced(call, folder, text),
    )


def traced(call: Callable[[], Any], folder: Path, text: str) -> str:
    """Writes a trace of a few calls; returns the operations that took the time."""
    with profiles.recorded(folder):
        for _ in range(TRACED):
            call()
    found = profiles.top_operations(folder, text, calls=TRACED)
    return profiles.table(found)
