"""The characters of a text."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from experiments.tasks.vocabularies.vocabulary import UnknownCharacter, Vocabulary, name

CODE_POINTS = 0x110000


class CharVocabulary(Vocabulary):
    """A token is a character.

    Args:
      characters: the alphabet, each once; a token is a place in it.
    """

    kind = "char"

    def __init__(self, characters: str):
        if not characters or len(set(characters)) != len(characters):
            raise ValueError("characters: expected at least one, each once")
        self.characters = characters
        codes = _codes(characters)
        self._numbers = np.full(CODE_POINTS, -1, np.int32)
        self._numbers[codes] = np.arange(len(codes), dtype=np.int32)

    @property
    def size(self) -> int:
        return len(self.characters)

    def tokens(self, text: str) -> np.ndarray:
        found = self._numbers[_codes(text)]
        unknown = np.flatnonzero(found < 0)
        if unknown.size:
            at = int(unknown[0])
            raise UnknownCharacter(
                f"character {at + 1} is {name(text[at])}, which is not among the"
                f" {self.size} characters the model learned; leave it out, or train"
                " with data.vocabulary=byte."
            )
        return found

    def decode(self, ids: Iterable[int]) -> str:
        return "".join(self.characters[int(i)] for i in ids)

    def record(self) -> dict[str, Any]:
        return {"characters": self.characters}


def _codes(text: str) -> np.ndarray:
    # Half characters pass through here, to be named by the lookup.
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def fit(train: str, validation: str, size: int | None) -> CharVocabulary:
    """The characters of both parts, in the order of their codes.

    Both parts, since a character that is only in the validation text must have a
    number; that it exists is all that is learned from there.
    """
    del size
    # A set of a text is quick; sorting makes it independent of the hash seed.
    return CharVocabulary("".join(sorted(set(train) | set(validation))))


def load(record: dict[str, Any]) -> CharVocabulary:
    """The vocabulary of a record."""
    return CharVocabulary(record["characters"])
