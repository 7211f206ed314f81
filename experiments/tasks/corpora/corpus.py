"""A text with its origin."""

import codecs
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

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
    """

    text: str
    fingerprint: str
    title: str


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
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(path))


def join(parts: Iterable[bytes]) -> bytes:
    """Files as one text: each ends its last line, an empty one vanishes."""
    ended = [part if part.endswith(b"\n") else part + b"\n" for part in parts if part]
    return b"".join(ended)


def fingerprint(raw: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(raw).hexdigest()
