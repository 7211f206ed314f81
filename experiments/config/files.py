"""Reading one config file, or saying in one line why it cannot be read."""

import os
import stat
from pathlib import Path

from experiments.config.errors import nearest
from experiments.shipped import configs_folder

LARGEST = 64 * 1024  # bytes; a long config has 4 KB, and YAML is slow to read
LONGEST = 200  # characters of a path that are shown


class Unreadable(Exception):
    """Why a file gives no text; one line without a full stop."""


def read_text(path: Path) -> str:
    """The text of a config file.

    Raises:
      Unreadable: it is missing, not a file, too large or not UTF-8.
    """
    try:
        # Before opening: opening a pipe would wait for its writer.
        if not stat.S_ISREG(path.stat().st_mode):
            raise Unreadable("a folder or a device, not a config file")
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise Unreadable(f"no such file{_similar(path)}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Unreadable(f"cannot be read: {reason}") from None
    if len(raw) > LARGEST:
        raise Unreadable(f"larger than {LARGEST} bytes, not a config file")
    return _decoded(raw)


def _decoded(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"not UTF-8 text (line {line})") from None
    return text


def _similar(path: Path) -> str:
    """The nearest name, beside it or among the shipped configs."""
    try:
        beside = {each.stem: display(each) for each in path.parent.glob("*.y*ml")}
    except OSError:
        beside = {}
    known = {each.stem: each.stem for each in configs_folder().glob("*.yaml")} | beside
    close = nearest(path.stem, known)
    if close is not None:
        return f". Did you mean `{known[close]}`?"
    return "; `attn list configs` shows the shipped ones"


def display(path: Path) -> str:
    """The path as a reader at the current folder would write it."""
    try:
        text = str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        text = str(path)
    shorter = os.path.relpath(text) if ".." in path.parts else text
    text = min(text, shorter, key=len)
    text = text if len(text) <= LONGEST else "..." + text[-LONGEST:]
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
