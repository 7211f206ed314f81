"""Checkpoints: written by orbax, renamed into place when whole, verified when read.

A checkpoint is a folder `step_00000100` with orbax's `arrays`, `notes.json` and
`checksums.txt`, which `sha256sum -c checksums.txt` understands. It is written under
another name, flushed to the disk and renamed, so that a folder of that name is whole
whatever happens; a kill leaves at most a `.new-...` folder, removed at the next start.
"""

import json
import logging
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments import checksums
from experiments.arrays import (
    CheckpointError,
    Tree,
    check_finite,
    check_shapes,
    flatten,
    flatten_shapes,
)
from experiments.storage import sync

PREFIX, NEW, OLD, DAMAGED = "step_", ".new-", ".old-", "damaged-"
NOTES, ARRAYS = "notes.json", "arrays"


@dataclass(frozen=True)
class Store:
    """The checkpoints of one run.

    Args:
      folder: where they lie; made when first needed.
      keep: how many of the latest stay.
      best: whether the one of lowest validation loss stays too.
    """

    folder: Path
    keep: int = 2
    best: bool = True

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, in order."""
        found = self.folder.glob(f"{PREFIX}[0-9]*") if self.folder.is_dir() else ()
        names = [path.name.removeprefix(PREFIX) for path in found if path.is_dir()]
        return sorted(int(name) for name in names if name.isdigit())

    def path(self, step: int) -> Path:
        """Where the checkpoint of a step lies."""
        return self.folder / f"{PREFIX}{step:08d}"

    def save(self, step: int, state: Tree, notes: dict[str, Any]) -> Path:
        """Writes a checkpoint and removes those that need not stay.

        Args:
          step: steps taken.
          state: pytree of arrays.
          notes: what JSON can hold, `validation` being the validation loss.

        Raises:
          NotFinite: an array holds a NaN or an infinity.
          CheckpointError: it cannot be written; those there before are untouched. That
            one cannot be removed is only said.
        """
        arrays = flatten(state)
        check_finite(arrays)
        path, new = self.path(step), self.folder / f"{NEW}{PREFIX}{step:08d}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(new, ignore_errors=True)
            _write(new, arrays, {**notes, "step": step})
            _swap(new, path)
        except Exception as error:  # orbax reports the disk's trouble in many types
            shutil.rmtree(new, ignore_errors=True)
            raise CheckpointError(_cannot_write(path, error)) from None
        try:
            self._prune(step)
        except OSError as error:
            said = f"{path}: is written, but an earlier one cannot be removed: {error}"
            print(said, file=sys.stderr)
        return path

    def notes(self, step: int) -> dict[str, Any]:
        """The notes of a checkpoint, verified.

        Raises:
          CheckpointError: they do not match their checksum.
        """
        path = self.path(step)
        expected = checksums.read(path).get(NOTES)
        if expected is None or expected != checksums.digest_of(path / NOTES):
            raise CheckpointError(checksums.damaged(path, NOTES))
        return json.loads((path / NOTES).read_text())

    def load(self, step: int, like: Tree) -> tuple[Tree, dict[str, Any]]:
        """Reads a checkpoint, every byte verified.

        Args:
          step: steps taken.
          like: pytree of the arrays, or of their shapes and dtypes, that are expected.

        Returns:
          The pytree, with NumPy arrays, and the notes.

        Raises:
          CheckpointError: damaged, or not of this shape.
        """
        path = self.path(step)
        checksums.verify(path)
        notes = self.notes(step)
        check_shapes(path, notes["arrays"], flatten_shapes(like))
        found = _restored(path, notes)
        order = [found[name] for name in flatten_shapes(like)]
        return jax.tree.unflatten(jax.tree.structure(like), order), notes

    def arrays(self, step: int) -> dict[str, np.ndarray]:
        """All arrays of a checkpoint under their names, every byte verified.

        Raises:
          CheckpointError: it is damaged.
        """
        checksums.verify(self.path(step))
        return _restored(self.path(step), self.notes(step))

    def newest(self, like: Tree) -> Iterator[tuple[Tree, dict[str, Any]] | str]:
        """Tries the checkpoints, latest first: a fault for each unreadable one.

        Yields:
          Faults, one line each, and last the first checkpoint that can be read.
        """
        for step in reversed(self.steps()):
            try:
                yield self.load(step, like)
                return
            except CheckpointError as error:
                yield str(error)

    def by_loss(self) -> list[int]:
        """The steps whose validation loss is known, the lowest loss first."""
        losses = {step: self._validation(step) for step in self.steps()}
        known = {step: loss for step, loss in losses.items() if loss is not None}
        return sorted(known, key=lambda step: (known[step], step))

    def best_step(self) -> int | None:
        """The step of lowest validation loss among the checkpoints there are."""
        return next(iter(self.by_loss()), None)

    def set_aside(self, resumed: int) -> None:
        """Renames the damaged ones: they would outlive whole ones, by step or by loss.

        Args:
          resumed: the newest step that could be read; later ones could not.
        """
        for step in self.steps():
            path = self.path(step)
            if step > resumed or (step < resumed and not checksums.is_whole(path)):
                aside = path.with_name(DAMAGED + path.name)
                shutil.rmtree(aside, ignore_errors=True)
                path.rename(aside)

    def clean(self) -> None:
        """Removes what a killed process left; only the run's owner may call it."""
        for old in self.folder.glob(f"{OLD}{PREFIX}*"):
            path = self.folder / old.name.removeprefix(OLD)
            if not path.exists():  # killed between the two renames of `_swap`
                old.rename(path)
        for left in [*self.folder.glob(f"{NEW}*"), *self.folder.glob(f"{OLD}*")]:
            shutil.rmtree(left, ignore_errors=True)

    def drop(self, step: int) -> None:
        """Removes a checkpoint; half removed, it does not look like one."""
        old = self.folder / f"{OLD}gone-{step:08d}"
        shutil.rmtree(old, ignore_errors=True)
        self.path(step).rename(old)
        shutil.rmtree(old, ignore_errors=True)

    def _prune(self, written: int) -> None:
        steps = self.steps()
        stay = {written, *steps[-self.keep :]}
        if self.best:
            stay.add(self.best_step())
        for step in steps:
            if step not in stay:
                self.drop(step)

    def _validation(self, step: int) -> float | None:
        try:
            return self.notes(step).get("validation")
        except CheckpointError:
            return None


def _write(new: Path, arrays: dict[str, np.ndarray], notes: dict[str, Any]) -> None:
    """Fills a folder and sees to it that its bytes are on the disk."""
    new.mkdir()
    filled = {name: array for name, array in arrays.items() if array.size}
    _checkpointer().save((new / ARRAYS).resolve(), filled)  # it refuses empty ones
    table = {name: [str(a.dtype), list(a.shape)] for name, a in arrays.items()}
    text = json.dumps({**notes, "arrays": table}, indent=1)
    (new / NOTES).write_text(text + "\n")
    files = checksums.write(new)
    for file in files:
        sync(file)
    for folder in {file.parent for file in files} | {new}:
        sync(folder)


def _restored(path: Path, notes: dict[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a folder, those without elements too, which are not in files."""
    found = _checkpointer().restore((path / ARRAYS).resolve())
    return {
        name: found[name] if name in found else np.zeros(shape, np.dtype(dtype))
        for name, (dtype, shape) in notes["arrays"].items()
    }


def _swap(new: Path, path: Path) -> None:
    """Renames a whole checkpoint into place, setting aside one of the same step."""
    old = path.with_name(OLD + path.name)
    if path.exists():
        path.rename(old)
    new.rename(path)
    sync(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def _checkpointer() -> Any:
    """Orbax's synchronous checkpointer for a dict of host arrays."""
    # Imported late: 0.25 s that the first loss need not wait for.
    import orbax.checkpoint as ocp

    # Its notes on every save are for pods, and would tear the progress bar.
    logging.getLogger("absl").setLevel(logging.ERROR)
    return ocp.PyTreeCheckpointer()


def _cannot_write(path: Path, error: Exception) -> str:
    """One line for a failed save."""
    text = " ".join(str(error).split())
    full = getattr(error, "errno", None) == 28 or "No space left" in text
    why = "no space left on the device" if full else (text or type(error).__name__)
    return (
        f"{path}: cannot write the checkpoint: {why[:200]}. Earlier checkpoints are "
        "whole; make room or rights, then resume."
    )
