"""Faults in a config: where it is, what is wrong, what to write instead."""

import difflib
import json
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from experiments.errors import UserError

SHOWN = 60  # longer values are cut: a fault has to stay one readable line


@dataclass(frozen=True)
class Fault:
    """One mistake on one line: `place: path: message`."""

    message: str
    place: str = "config"
    path: str = ""
    order: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        names_itself = not self.path or self.place.startswith(f"override `{self.path}=")
        path = printable(self.path)
        where = self.place if names_itself else f"{self.place}: {path}"
        return f"{where}: {self.message}"


class ConfigError(UserError):
    """A user's mistake in a config, one line a fault.

    Args:
      faults: the mistakes; kept in the order of the files and lines they stand on.
    """

    def __init__(self, faults: Iterable[Fault]):
        self.faults = tuple(sorted(faults, key=lambda fault: fault.order))
        super().__init__("\n".join(str(fault) for fault in self.faults))


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that `name` was probably meant to be, or None."""
    by_folded = {fold(each): each for each in known}
    close = difflib.get_close_matches(fold(name), by_folded, n=1, cutoff=cutoff)
    return by_folded[close[0]] if close else None


def fold(name: str) -> str:
    """A name without case, separators and width, to compare what was meant."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return plain.replace("-", "").replace("_", "").replace(" ", "")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: its nearest, or all names."""
    known = list(known)
    close = nearest(name, known)
    return f"Did you mean `{close}`?" if close else f"Known: {', '.join(known)}."


def show(value: object) -> str:
    """A bad value, as a reader would have written it, safe for any terminal."""
    if value is None:
        return "nothing (null)"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = text.replace('"', "") if isinstance(value, (dict, list)) else text
    return f"`{printable(text)}`" if text else "an empty text"


def printable(text: str) -> str:
    """At most `SHOWN` characters, none of which can drive a terminal."""
    return visible(text if len(text) <= SHOWN else text[: SHOWN - 3] + "...")


def visible(text: str) -> str:
    """A text that cannot break a line or drive a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def strange_letters(name: str) -> str:
    """A remark on letters that only look like ASCII ones, or an empty text."""
    strange = [c for c in name if not c.isascii()]
    if not strange:
        return ""
    c = strange[0]
    return (
        f" (it contains {unicodedata.name(c, 'a strange character')}, U+{ord(c):04X})"
    )
