"""A function in a process of its own: exported, sent, compiled there, run once."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export

from experiments.bench.contender import Arrays, Contender
from experiments.bench.pipe import Worker
from experiments.bench.work import ExportedWork


def peak(function: Callable, args: tuple) -> int:
    """The most bytes that one call adds to a process that has its arguments.

    Args:
      function: jitted.
      args: arrays in pytrees.

    Raises:
      Refused: it cannot run there.
    """
    leaves, structure = jax.tree.flatten(args)

    def flat(*leaves: Any) -> list[Any]:
        return jax.tree.leaves(function(*jax.tree.unflatten(structure, leaves)))

    made = export.export(jax.jit(flat))(*leaves)
    with tempfile.TemporaryDirectory() as name:
        program, arrays = Path(name) / "program", Path(name) / "arrays.npz"
        program.write_bytes(made.serialize())
        np.savez(arrays, *[np.asarray(leaf) for leaf in leaves])
        work = ExportedWork(str(program)).to_json()
        target = f"{__name__}:exported"
        with Worker(target, work=work, given=str(arrays)) as worker:
            facts = worker.answer()
    return facts["peak_bytes"] - facts["loaded_bytes"]


def exported(work: ExportedWork, given: Arrays) -> Contender:
    """The contender in the other process."""
    from experiments.bench.worker import peak as so_far  # late: it is the main module

    program = export.deserialize(bytearray(Path(work.path).read_bytes()))
    arrays = [jax.device_put(given[f"arr_{n}"]) for n in range(len(given))]
    jax.block_until_ready(arrays)
    call = jax.jit(program.call)
    loaded = so_far()
    return Contender(
        lambda: jax.block_until_ready(call(*arrays)),
        outputs=list,
        facts={"loaded_bytes": loaded},
    )
