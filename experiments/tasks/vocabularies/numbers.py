"""Token numbers as they are, for token files whose vocabulary nobody has."""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from experiments.config.errors import show
from experiments.config.fields import LARGEST
from experiments.tasks.vocabularies.vocabulary import UnknownCharacter, Vocabulary

NUMBER = re.compile("[0-9]{1,10}")


class NumberVocabulary(Vocabulary):
    """A token is its number; in a text, blanks stand between them.

    Args:
      size: numbers are 0 to size - 1.
    """

    kind = "numbers"
    is_text = False

    def __init__(self, size: int):
        if not isinstance(size, int) or size < 1:
            raise ValueError("size: expected at least 1")
        self._size = size

    @property
    def size(self) -> int:
        return self._size

    def tokens(self, text: str) -> np.ndarray:
        found = [self._number(*each) for each in enumerate(text.split(), 1)]
        return np.array(found, np.int32)

    def _number(self, place: int, word: str) -> int:
        if NUMBER.fullmatch(word) and int(word) < self.size:
            return int(word)
        raise UnknownCharacter(
            f"word {place} is {show(word)}; expected numbers from 0 to {self.size - 1},"
            " with blanks between them."
        )

    def decode(self, ids: Iterable[int]) -> str:
        return " ".join(str(int(i)) for i in ids)

    def record(self) -> dict[str, Any]:
        return {"size": self.size}


def fit(train: str, validation: str, size: int | None) -> NumberVocabulary:
    """The numbers up to the largest in a text of numbers."""
    del size
    reader = NumberVocabulary(LARGEST)
    found = [reader.tokens(part) for part in (train, validation)]
    return NumberVocabulary(1 + max(int(x.max(initial=0)) for x in found))


def load(record: dict[str, Any]) -> NumberVocabulary:
    """The vocabulary of a record."""
    return NumberVocabulary(record["size"])
