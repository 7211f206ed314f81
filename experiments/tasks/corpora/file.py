"""Your own text: a file, a folder or a glob."""

import codecs
import difflib
import glob
import os
import stat
from pathlib import Path

from experiments.config import ConfigError
from experiments.config.schema import Data
from experiments.tasks.corpora.corpus import (
    MOST_BYTES,
    Corpus,
    NotText,
    decode,
    join,
    lines,
    printable,
)

MOST_FILES = 100_000


def read(config: Data) -> Corpus:
    """The text of `data.path`.

    Files are joined in the order of their names. A folder is read with all its
    folders; names that start with a dot are left out.

    Raises:
      ConfigError: missing, unreadable, empty, too large or no UTF-8 text.
    """
    assert config.path is not None
    name = printable(config.path)
    files = find(config, config.path)
    raw = [_contents(config, path) for path in files]
    if not any(raw):
        raise config.fault("path", f"{name} is empty; expected UTF-8 text.")
    if len(files) == 1:
        return join(raw, name)
    return join(lines(raw), f"{name} ({len(files)} files)")


def find(config: Data, pattern: str) -> list[Path]:
    """The files that a path, folder or glob means, sorted, at least one.

    Raises:
      ConfigError: there are none, or too many, or they cannot be looked at.
    """
    try:
        path = Path(pattern).expanduser()
        if path.is_dir():
            files = _below(path)
        elif path.exists() or not glob.has_magic(pattern):
            files = [path]
        else:
            files = _matches(str(path))
        sizes = [_size(config, file) for file in files]
    except OSError as error:
        raise _refused(config, Path(error.filename or pattern), error) from None
    except RuntimeError:
        raise config.fault("path", "no such user; write the path in full.") from None
    if not files:
        kind = "the folder has no file" if path.is_dir() else "no file matches"
        raise config.fault(
            "path", f"{kind}: {printable(pattern)}; expected UTF-8 text."
        )
    if len(files) > MOST_FILES or sum(sizes) > MOST_BYTES:
        raise config.fault(
            "path",
            f"{printable(pattern)} is too much, {len(files):,} files of"
            f" {sum(sizes):,} bytes; at most {MOST_FILES:,} of {MOST_BYTES:,} fit.",
        )
    return files


def _below(folder: Path) -> list[Path]:
    """Regular files of a folder and its folders, sorted by their path in it."""

    def stop(error: OSError) -> None:
        raise error

    found: list[Path] = []
    for place, folders, files in os.walk(folder, onerror=stop):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(place, name) for name in files if not name.startswith("."))
        found += [path for path in paths if path.is_file()]
        if len(found) > MOST_FILES:
            break  # somebody said `/`; do not walk a disk to its end
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def _matches(pattern: str) -> list[Path]:
    found = (Path(name) for name in glob.iglob(pattern, recursive=True))
    return sorted(path for path in found if path.is_file())


def _size(config: Data, path: Path) -> int:
    """Bytes of a regular file; a pipe or a device could be read forever."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise config.fault(
            "path", f"{printable(path)} is no regular file; expected text."
        )
    return status.st_size


def _contents(config: Data, path: Path) -> bytes:
    """The bytes of a file that is text, without a byte order mark."""
    try:
        raw = path.read_bytes().removeprefix(codecs.BOM_UTF8)
        decode(raw)
    except OSError as error:
        raise _refused(config, path, error) from None
    except NotText as error:
        narrow = _narrower(config.path, path)
        raise config.fault("path", f"{printable(path)} is {error}{narrow}.") from None
    return raw


def _narrower(asked: str | None, path: Path) -> str:
    """The remedy for one bad file among many: a glob."""
    if str(path) == asked or asked is None or not Path(asked).is_dir():
        return ""
    return (
        f", or choose files by a glob such as {printable(Path(asked, '**', '*.txt'))}"
    )


def _refused(config: Data, path: Path, error: OSError) -> ConfigError:
    if isinstance(error, FileNotFoundError):
        message = f"no such file: {printable(path)}{similar(path)}"
        return config.fault("path", f"{message}; expected a file, a folder or a glob.")
    reason = (error.strerror or str(error)).lower()
    return config.fault("path", f"{printable(path)} cannot be read: {reason}.")


def similar(path: Path) -> str:
    """The nearest name beside a missing one."""
    try:
        there = os.listdir(path.parent)
    except OSError:
        return ""
    close = difflib.get_close_matches(path.name, there, n=1)
    return f" (did you mean {printable(path.parent / close[0])}?)" if close else ""
