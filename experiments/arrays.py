"""Arrays under names: a pytree as a checkpoint holds it, its digest, its checks."""

import functools
import hashlib
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.errors import UserError

Tree = Any  # a pytree of arrays


class CheckpointError(UserError):
    """A checkpoint that cannot be written or read, in one line."""


class NotFinite(CheckpointError):
    """Refused: a checkpoint of numbers that are not finite would spoil the run."""


def flatten(tree: Tree) -> dict[str, np.ndarray]:
    """A pytree as host arrays under readable names, `params/blocks/0/mlp/up/kernel`."""
    return {name: np.asarray(leaf) for name, leaf in flatten_shapes(tree).items()}


def flatten_shapes(tree: Tree) -> dict[str, Any]:
    """The leaves of a pytree under their names."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    named = functools.partial(jax.tree_util.keystr, simple=True, separator="/")
    return {named(path): leaf for path, leaf in leaves}


def digest(tree: Tree) -> str:
    """SHA-256 of the names, dtypes, shapes and bytes of a pytree's arrays."""
    total = hashlib.sha256()
    for name, array in sorted(flatten(tree).items()):
        total.update(f"{name}:{array.dtype}:{array.shape};".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def check_finite(arrays: dict[str, np.ndarray]) -> None:
    """Refuses arrays that are not finite.

    Raises:
      NotFinite: names the first of them.
    """
    for name, array in arrays.items():
        if not np.issubdtype(array.dtype, np.integer) and not np.isfinite(array).all():
            raise NotFinite(f"checkpoint: `{name}` is not finite; nothing was written.")


def check_shapes(path: Path, found: dict[str, Any], like: dict[str, Any]) -> None:
    """Refuses arrays of another model or optimizer.

    Args:
      path: of the checkpoint, for the message.
      found: name to [dtype, shape], as its notes say.
      like: name to array or shape, as expected.

    Raises:
      CheckpointError: names the first difference.
    """
    expected = {name: [str(x.dtype), list(x.shape)] for name, x in like.items()}
    for name in sorted(expected.keys() | found.keys()):
        want, got = expected.get(name, "nothing"), found.get(name, "nothing")
        if want != got:
            raise CheckpointError(
                f"{path}: `{name}` expected {_said(want)}, got {_said(got)}; "
                "the model or the optimizer has changed since it was written."
            )


def _said(shape: Any) -> str:
    return shape if isinstance(shape, str) else f"{shape[0]} {tuple(shape[1])}"
