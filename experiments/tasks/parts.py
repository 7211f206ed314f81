"""What windows are cut from: the tokens of both parts of a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    from experiments.tasks.vocabularies import Vocabulary


class Tokens(NamedTuple):
    """A part of a text: its tokens [n], and where documents end among them, int32."""

    ids: np.ndarray
    ends: np.ndarray

    @property
    def count(self) -> int:
        """How many tokens."""
        return len(self.ids)


class Parts(NamedTuple):
    """A text as tokens.

    Args:
      vocabulary: what they mean.
      train, validation: its head and its tail.
      fingerprint: SHA-256 of what was read.
      title: what it is, for people.
      bytes_per_token: UTF-8 bytes of a validation token; None where tokens do not give
        their text back, or stand for none.
    """

    vocabulary: Vocabulary
    train: Tokens
    validation: Tokens
    fingerprint: str
    title: str
    bytes_per_token: float | None
