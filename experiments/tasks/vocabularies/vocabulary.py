"""What every vocabulary does."""

import json
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from experiments.errors import UserError


class VocabularyError(UserError, ValueError):
    """A record that is no vocabulary."""


class UnknownCharacter(VocabularyError):
    """A text that a vocabulary cannot express."""


class Vocabulary(ABC):
    """A pair of maps between text and tokens: decode(encode(text)) == text."""

    kind: ClassVar[str]
    is_text: ClassVar[bool] = True  # whether tokens are written as a text

    @property
    @abstractmethod
    def size(self) -> int:
        """V: tokens are 0 ... V - 1."""

    @abstractmethod
    def tokens(self, text: str) -> np.ndarray:
        """A text as an array [n] of integers, of any length in little time.

        Raises:
          UnknownCharacter: naming the first character that has no token.
        """

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """Tokens as text; bytes that make up no character become U+FFFD."""

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """What `load` needs, beside the kind; plain JSON values."""

    def encode(self, text: str) -> list[int]:
        """A text as a list of token numbers; raises as `tokens` does."""
        return self.tokens(text).tolist()

    def to_json(self) -> str:
        """The vocabulary as a text that `vocabularies.from_json` reads."""
        return json.dumps({"kind": self.kind, **self.record()})


def utf8(text: str) -> bytes:
    """The bytes of a text.

    Raises:
      UnknownCharacter: it has half a character, as arguments of a command line have
        that are no valid text.
    """
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UnknownCharacter(
            f"character {error.start + 1} is {name(text[error.start])},"
            " which is no valid UTF-8; leave it out."
        ) from None


def name(character: str) -> str:
    """A character as a reader can find it: itself if that is visible, code, name."""
    shown = f"`{character}` " if character.isprintable() else ""
    title = unicodedata.name(character, "")
    return f"{shown}U+{ord(character):04X}{' ' + title if title else ''}"
