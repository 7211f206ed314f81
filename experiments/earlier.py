"""What a run held before `--fresh`: set aside, and gone once the new one has begun.

    runs/<name>-<hash8>/.earlier/    all of the earlier run but its lock

A start that comes to nothing, by an error or by a kill, puts it back. Every step is a
rename, and a folder has its final name only when it is whole, so a kill anywhere leaves
what `restore` can mend.
"""

import shutil
from pathlib import Path

from experiments import storage
from experiments.folder import ASIDE, GONE, HALF, LOCK, MANIFEST


def set_aside(path: Path) -> None:
    """Moves all of a run but its lock into a folder of its own, if there is any."""
    half = path / HALF
    half.mkdir()
    # The manifest first: without it, what is left here does not look like a run.
    for each in sorted(_contents(path), key=lambda each: each.name != MANIFEST):
        each.rename(half / each.name)
    half.rename(path / ASIDE)
    storage.sync(path)


def is_aside(path: Path) -> bool:
    """Whether a run has something set aside."""
    return (path / ASIDE).is_dir() or (path / HALF).is_dir()


def restore(path: Path) -> None:
    """Puts back what was set aside, in the place of what was made since."""
    _remove(path / GONE)
    aside, half = path / ASIDE, path / HALF
    if aside.is_dir():
        for each in _contents(path):
            _remove(each)
        aside.rename(half)
    if half.is_dir():  # nothing here has a name that is there, too
        for each in sorted(half.iterdir(), key=lambda each: each.name == MANIFEST):
            each.rename(path / each.name)
        half.rmdir()
        storage.sync(path)


def forget(path: Path) -> None:
    """Removes what was set aside; half removed, it does not look like it."""
    if (path / ASIDE).is_dir():
        (path / ASIDE).rename(path / GONE)
        _remove(path / GONE)


def _contents(path: Path) -> list[Path]:
    ours = (LOCK, ASIDE, HALF, GONE)
    return [each for each in path.iterdir() if each.name not in ours]


def _remove(path: Path) -> None:
    """Removes a file, a link or a folder; follows no link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
