"""The symbols of a generated task; tasks make it, no config names it."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from experiments.config.errors import nearest
from experiments.tasks.vocabularies.vocabulary import UnknownCharacter, Vocabulary

SHOWN = 16  # symbols, or ranges of them, in a message
NAMED = {" ": "space", "\n": "newline", "\t": "tab"}


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
                    f" does not have. {self._hint(word)}"
                )
        return np.array([self._numbers[word] for word in parts], np.int32)

    def decode(self, ids: Iterable[int]) -> str:
        return self.separator.join(self.words[int(i)] for i in ids)

    def record(self) -> dict[str, Any]:
        return {"words": list(self.words)}

    def _hint(self, word: str) -> str:
        """The nearest symbol, or a short list of all."""
        if close := nearest(word, self.words):
            return f"Did you mean `{close}`?"
        listed = list(self.words) if self.separator else ranges(self.words)
        more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
        return f"Known: {' '.join(listed[:SHOWN])}{more}."


def ranges(characters: Sequence[str]) -> list[str]:
    """Letters and digits, three and more in a row as `a-z`; then the others."""
    found: list[str] = []
    plain = sorted(each for each in characters if each.isalnum())
    others = [NAMED.get(each, each) for each in characters if not each.isalnum()]
    for _, run in groupby(enumerate(plain), lambda pair: ord(pair[1]) - pair[0]):
        signs = [sign for _, sign in run]
        found += signs if len(signs) < 3 else [f"{signs[0]}-{signs[-1]}"]
    return [*found, *others]


def load(record: dict[str, Any]) -> Symbols:
    """The vocabulary of a record."""
    return Symbols(record["words"])
