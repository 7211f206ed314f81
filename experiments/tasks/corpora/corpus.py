"""A text with its origin."""

import codecs
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from experiments.config.errors import visible

# The whole text is held in memory and on the device, at 1 to 4 bytes a character.
MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class Corpus:
    """A text.

    Args:
      text: all of it.
      fingerprint: SHA-256 of its bytes in hexadecimal; that of a file as it lies on
        the disk if the text is one file.
      title: what it is, for people.
      ends: where each file ends, in characters of the text.
    """

    text: str
    fingerprint: str
    title: str
    ends: tuple[int, ...]


class NotText(ValueError):
    """Why some bytes are no text."""


def decode(raw: bytes) -> str:
    """UTF-8 bytes as text.

    Raises:
      NotText: with the first offending byte.
    """
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise NotText("UTF-16 text; expected UTF-8, convert it with iconv")
    if (at := raw.find(b"\0")) >= 0:
        raise NotText(f"a binary file (byte {at} is 0); expected UTF-8 text")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        bad = raw[error.start]
        raise NotText(
            f"not UTF-8 text (byte {error.start} is 0x{bad:02X}); convert it with iconv"
        ) from None


def printable(path: object) -> str:
    """A path that cannot break a line or a terminal."""
    return visible(str(path))


def join(files: Sequence[bytes], title: str) -> Corpus:
    """Files of UTF-8 as one text."""
    whole = b"".join(files)
    ends = accumulate(len(raw.decode("utf-8")) for raw in files)
    return Corpus(whole.decode("utf-8"), fingerprint(whole), title, tuple(ends))


def lines(files: Iterable[bytes]) -> list[bytes]:
    """Files as they can be joined: each ends its last line, an empty one vanishes."""
    return [raw if raw.endswith(b"\n") else raw + b"\n" for raw in files if raw]


def fingerprint(raw: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(raw).hexdigest()
