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
from experiments.process import host_peak_bytes


def peak(function: Callable, args: tuple) -> int:
    """The most bytes that one call adds to a process that has its arguments.

    Args:
      function: jitted.
      args: arrays in pytrees.

    Raises:
      Refused: it cannot run there.
    """
    leaves, structure = jax.tree.flatten(args)

    def flat(*plain: Any) -> list[Any]:
        given = map(_like, leaves, plain)
        found = function(*jax.tree.unflatten(structure, given))
        return [_plain(leaf) for leaf in jax.tree.leaves(found)]

    plain = [_plain(leaf) for leaf in leaves]
    made = export.export(jax.jit(flat))(*plain)
    with tempfile.TemporaryDirectory() as name:
        program, arrays = Path(name) / "program", Path(name) / "arrays.npz"
        program.write_bytes(made.serialize())
        np.savez(arrays, *map(_bytes, plain, made.in_avals))
        work = ExportedWork(str(program)).to_json()
        target = f"{__name__}:exported"
        with Worker(target, work=work, given=str(arrays)) as worker:
            facts = worker.answer()
    return facts["peak_bytes"] - facts["loaded_bytes"]


def _is_key(leaf: Any) -> bool:
    return jax.dtypes.issubdtype(getattr(leaf, "dtype", None), jax.dtypes.prng_key)


def _plain(leaf: Any) -> Any:
    """A random key as its numbers; anything else as it is."""
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _like(leaf: Any, plain: Any) -> Any:
    """What `_plain` made of a leaf, as the leaf was."""
    if not _is_key(leaf):
        return plain
    return jax.random.wrap_key_data(plain, impl=jax.random.key_impl(leaf))


def _bytes(leaf: Any, aval: Any) -> np.ndarray:
    # NumPy's files know no bfloat16; the program knows the dtypes of its arguments.
    return np.frombuffer(np.asarray(leaf, aval.dtype).tobytes(), np.uint8)


def exported(work: ExportedWork, given: Arrays) -> Contender:
    """The contender in the other process."""
    program = export.deserialize(bytearray(Path(work.path).read_bytes()))
    arrays = [
        jax.device_put(given[f"arr_{n}"].view(each.dtype).reshape(each.shape))
        for n, each in enumerate(program.in_avals)
    ]
    jax.block_until_ready(arrays)
    call = jax.jit(program.call)
    loaded = host_peak_bytes()
    return Contender(
        lambda: jax.block_until_ready(call(*arrays)),
        outputs=list,
        facts={"loaded_bytes": loaded},
    )
