"""The Python standard library's own source text: always there, code and English."""

import os
import platform
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from experiments.config.schema import Data
from experiments.tasks.corpora.corpus import Corpus, join, lines

# Tests are full of broken text on purpose; `encodings` are generated number tables.
LEFT_OUT = {"test", "tests", "idle_test", "encodings", "__pycache__", "site-packages"}


def read(config: Data) -> Corpus:
    """The sources of the running interpreter, in the order of their names.

    The text is that of one Python version; another version gives another fingerprint.

    Raises:
      ConfigError: this Python came without its sources.
    """
    root = Path(sysconfig.get_path("stdlib"))
    files = list(sources(root))
    raw = lines(_contents(path) for path in files)
    if not raw:
        raise config.fault(
            "source",
            f"this Python has no library sources in {root};"
            " set data.path to a text file of yours.",
        )
    title = f"the Python {platform.python_version()} library ({len(files)} files)"
    return join(raw, title)


def sources(root: Path) -> Iterator[Path]:
    """The library's own files under its folder; installed packages are none of it."""
    names = os.listdir(root) if root.is_dir() else []
    own = (x for x in names if x.removesuffix(".py") in sys.stdlib_module_names)
    for name in sorted(own):
        if name.endswith(".py"):
            yield root / name
        elif name not in LEFT_OUT:
            yield from _walk(root / name)


def _walk(folder: Path) -> Iterator[Path]:
    """Python files below a folder, sorted by name, the folder's own ones first."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT)
        for name in sorted(files):
            if name.endswith(".py"):
                yield Path(place, name)


def _contents(path: Path) -> bytes:
    """A source as UTF-8 with plain line ends; nothing if it cannot be read as that."""
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return b""
    return text.replace("\r\n", "\n").encode("utf-8")
