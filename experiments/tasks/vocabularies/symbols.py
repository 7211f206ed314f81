"""The symbols of a generated task; tasks make it, no config names it."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from experiments.config.errors import did_you_mean
from experiments.tasks.vocabularies.vocabulary import UnknownCharacter, Vocabulary


class Symbols(Vocabulary):
    """A token is a symbol: one character, or a word where one symbol is longer.

    Words are written with spaces between them, characters without.

    Args:
      words: the symbols, each once; a token is a place among them.
    """

    kind = "symbols"

    def __init__(self, words: Sequence[str]):
        self.words = tuple(words)
        self.separator = " " if max(map(len, self.words)) > 1 else ""
        self._numbers = {word: number for number, word in enumerate(self.words)}
        if len(self._numbers) != len(self.words) or "" in self._numbers:
            raise ValueError("words: expected each once, and none empty")
        if self.separator and any(set(word) & set(" \n\t") for word in self.words):
            raise ValueError("words: expected no blanks in them")

    @property
    def size(self) -> int:
        return len(self.words)

    def tokens(self, text: str) -> np.ndarray:
        parts = text.split() if self.separator else list(text)
        for place, word in enumerate(parts):
            if word not in self._numbers:
                raise UnknownCharacter(
                    f"symbol {place + 1} is `{ascii(word)[1:-1]:.20}`, which the task"
                    f" does not have. {did_you_mean(word, self._some())}"
                )
        return np.array([self._numbers[word] for word in parts], np.int32)

    def decode(self, ids: Iterable[int]) -> str:
        return self.separator.join(self.words[int(i)] for i in ids)

    def record(self) -> dict[str, Any]:
        return {"words": list(self.words)}

    def _some(self) -> list[str]:
        shown = 80  # all that a reader wants to see of a long list
        return list(self.words[:shown])


def load(record: dict[str, Any]) -> Symbols:
    """The vocabulary of a record."""
    return Symbols(record["words"])
