"""What a run directory may be called, may hold, and who may use it."""

import json
import re
import shutil
from pathlib import Path
from typing import Any, BinaryIO

from experiments import storage
from experiments.config.fields import RESERVED
from experiments.errors import UserError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,80}")
LOCK, MANIFEST = "lock", "manifest.json"
ASIDE, HALF, GONE = ".earlier", ".earlier-half", ".earlier-gone"  # see `earlier`
OURS = {
    LOCK,
    "config.yaml",
    "checkpoints",
    "samples",
    "maps",
    ASIDE,
    HALF,
    GONE,
}  # there before the manifest


class RunError(UserError):
    """A run directory that cannot be used as asked."""


def check_name(name: str) -> str:
    """The name, if it is one plain folder name on every system.

    Raises:
      RunError: it could lead out of its folder or mean something to a system.
    """
    plain = NAME.fullmatch(name) and not name.endswith(".")
    if not plain or RESERVED.fullmatch(name):
        raise RunError(
            f"run: {name[:80]!a} is not a run name;"
            " expected letters, digits, `_`, `.` and `-`, no slash."
        )
    return name


def inside(root: Path, name: str) -> Path:
    """The folder of that name below `root`, and nowhere else.

    Raises:
      RunError: the name is refused, or is a link to somewhere else.
    """
    path = root / check_name(name)
    if path.resolve().parent != root.resolve():
        raise RunError(f"{path}: is a link out of {root}; expected a folder.")
    return path


def lock(path: Path) -> BinaryIO:
    """Takes the lock of a run directory.

    Raises:
      RunError: another process has it.
    """
    try:
        return storage.take_lock(path / LOCK)
    except storage.Locked as error:
        who = f"process {error}" if str(error) else "another process"
        raise RunError(f"{path}: in use by {who}; wait for it or stop it.") from None


def check_contents(path: Path) -> None:
    """Refuses a folder that something else has filled.

    Raises:
      RunError: it names the first file that is not ours.
    """
    marks = (path, path / ASIDE, path / HALF)
    if not path.exists() or any((mark / MANIFEST).is_file() for mark in marks):
        return
    if not path.is_dir():
        raise RunError(f"{path}: is a file; move it away or choose another `name`.")
    names = sorted(each.name for each in path.iterdir())
    foreign = [x for x in names if x not in OURS and not x.endswith(storage.TEMPORARY)]
    if foreign:
        raise RunError(
            f"{path}: not a run directory (no manifest.json, but {foreign[0]!a});"
            " move it away or choose another `name`."
        )


def empty(path: Path) -> None:
    """Removes all of a run but its lock and a manifest that calls it new.

    The manifest changes first: stopped half way, it must not look done.
    """
    storage.write_atomic(path / MANIFEST, '{"status": "new"}\n')
    for each in path.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        elif each.name not in (LOCK, MANIFEST):
            each.unlink()


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object, or None if there is no file.

    Raises:
      RunError: the file holds something else.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise RunError(f"{path}: cannot be read as JSON; restore it or use --fresh.")
    return data
