"""Files that are whole or not there: atomic writes, JSON lines, an exclusive lock."""

import fcntl
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

TEMPORARY = ".tmp"
PAUSES = (0.01, 0.05)  # seconds; far longer than a reader looks at a lock


def write_atomic(path: Path, text: str | bytes) -> None:
    """Replaces a file at once: readers see the old text or the new, never a part.

    The temporary file lies in the same folder, since a rename is atomic only there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        with temporary.open("wb") as file:
            file.write(text.encode() if isinstance(text, str) else text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(path)  # which the user knows
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Makes a file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_stale(folder: Path) -> None:
    """Removes what writers left that died before their rename."""
    for each in folder.glob(f".*{TEMPORARY}"):
        each.unlink(missing_ok=True)


def to_json(record: Mapping[str, Any], indent: int | None = None) -> str:
    """JSON that every reader accepts: a number that is not finite becomes null."""
    return json.dumps(_finite(record), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def append_line(path: Path, record: Mapping[str, Any]) -> None:
    """Adds one record to a file of JSON lines, in a single write."""
    line = (to_json(record) + "\n").encode()
    with path.open("ab", buffering=0) as file:
        start = file.tell()
        try:
            if file.write(line) != len(line):
                raise OSError(28, os.strerror(28), str(path))
        except OSError:
            file.truncate(start)  # a half line would spoil the next one
            raise


def read_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(line, record) of every whole record; what follows a torn line is dropped."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                record = json.loads(line) if line.endswith("\n") else None
            except ValueError:
                record = None
            if not isinstance(record, dict):
                return
            yield line, record


class Locked(Exception):
    """Another process holds the lock; the text is its process id, or empty."""


def take_lock(path: Path) -> BinaryIO:
    """Takes the exclusive lock that the system releases when this process ends.

    Raises:
      Locked: another process has it.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        file = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            _lock(file)
        except BlockingIOError:
            holder = file.read(20).decode(errors="replace").strip()
            file.close()
            raise Locked(holder if holder.isdigit() else "") from None
        if _still_there(file, path):
            break
        file.close()  # removed between open and lock: another may have a new one
    file.truncate(0)
    file.write(f"{os.getpid()}\n".encode())
    return file


def _lock(file: BinaryIO) -> None:
    """Tries a few times: `is_locked` holds a shared lock for a moment."""
    for pause in PAUSES:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(pause)
    return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock; nothing is created or changed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        # Shared, so that readers do not meet each other; given back by the close.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _still_there(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
