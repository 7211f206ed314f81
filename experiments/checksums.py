"""The checksums of a folder's files, as `sha256sum -c checksums.txt` reads them."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from experiments.arrays import CheckpointError

CHECKSUMS = "checksums.txt"


def write(path: Path) -> list[Path]:
    """Writes the checksums of all files below a folder.

    Returns:
      The files, the new one last.
    """
    files = sorted(files_of(path))
    lines = [f"{digest_of(file)}  {file.relative_to(path)}\n" for file in files]
    (path / CHECKSUMS).write_text("".join(lines))
    return [*files, path / CHECKSUMS]


def read(path: Path) -> dict[str, str]:
    """Checksums by name.

    Raises:
      CheckpointError: there are none, or not whole ones.
    """
    try:
        *lines, end = (path / CHECKSUMS).read_text().split("\n")
        pairs = [line.split("  ", 1) for line in lines]
        if end:
            raise ValueError("the last line is torn")
        return {name: digest for digest, name in pairs}
    except (OSError, ValueError):
        raise CheckpointError(damaged(path, CHECKSUMS)) from None


def verify(path: Path) -> None:
    """Compares every file of a checkpoint with its checksum.

    Raises:
      CheckpointError: a file is missing, damaged, unlisted, or no plain file.
    """
    expected = read(path)
    found = {str(file.relative_to(path)) for file in files_of(path)}
    for name in sorted(set(expected) ^ (found - {CHECKSUMS})):
        raise CheckpointError(damaged(path, name))
    for name, known in expected.items():
        if digest_of(path / name) != known:
            raise CheckpointError(damaged(path, name))


def is_whole(path: Path) -> bool:
    """Whether every file of a checkpoint matches its checksum."""
    try:
        verify(path)
    except CheckpointError:
        return False
    return True


def files_of(path: Path) -> Iterator[Path]:
    """The files below a folder; refuses links, which could lead anywhere."""
    with os.scandir(path) as entries:
        found = list(entries)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from files_of(Path(entry.path))
        elif entry.is_file(follow_symlinks=False) and entry.stat().st_nlink == 1:
            yield Path(entry.path)
        else:
            raise CheckpointError(f"{entry.path}: links have no place in a checkpoint.")


def digest_of(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal; of one that cannot be read, a word."""
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError:
        return "unreadable"


def damaged(path: Path, name: str) -> str:
    """One line on a file that is not what was written."""
    return f"{path}: `{name}` is missing or does not match its checksum."
