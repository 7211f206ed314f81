"""Documents: where each of a text ends, and of which one a token is.

A document ends where a file does, or with the text that `data.documents` names, which
is its last part. Documents stand one behind the other, and windows are cut from the
whole: a batch says of each token to which document of its window it belongs, and a mask
with `segments` keeps them apart.

The last token of a document is predicted as any other. The first is not: nothing before
it says what it is, and a prediction from the document before would be one that keeping
them apart is meant to rule out. So the loss of a document does not depend on what it is
packed with.
"""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from experiments.config.errors import show
from experiments.config.fields import FILES
from experiments.tasks.lazy import jnp, np
from experiments.tasks.parts import Tokens

if TYPE_CHECKING:
    from jax import Array

    from experiments.config.schema import Data
    from experiments.tasks.corpora.corpus import Corpus
    from experiments.tasks.vocabularies import Vocabulary


def ends(config: Data, corpus: Corpus) -> list[int]:
    """Where each document ends, in characters; nothing where none are asked for.

    Raises:
      ConfigError: there is only one.
    """
    if config.documents is None:
        return []
    separator = end(config)
    matches = re.finditer(re.escape(separator), corpus.text) if separator else ()
    found = sorted({*corpus.ends, *(match.end() for match in matches)})
    if len(found) < 2:
        raise config.fault("documents", single(config.documents, corpus.title))
    return found


def single(asked: str, title: str) -> str:
    """Why there is one document, and what to write."""
    if asked == FILES:
        return (
            f"{title} is one file, so one document; expected at least two, or the text"
            ' that ends a document, such as "\\n\\n".'
        )
    quoted = ' (in double quotes "\\n" ends a line)' if "\\" in asked else ""
    return (
        f"{show(asked)} ends no document but the last of {title}; expected a text that"
        f" stands in it{quoted}."
    )


def end(config: Data) -> str | None:
    """The text that ends a document; None where none does."""
    return None if config.documents == FILES else config.documents


def fingerprint(corpus: Corpus, ends: list[int]) -> str:
    """That of the text; with documents, of where they end too."""
    if not ends:
        return corpus.fingerprint
    text = json.dumps([corpus.fingerprint, ends])
    return hashlib.sha256(text.encode()).hexdigest()


def cut(length: int, fraction: float, ends: Sequence[int] = ()) -> int:
    """Where validation begins: about `fraction` before the end of a text.

    Args:
      length: of the text.
      fraction: of it.
      ends: of its documents, which are cut from each other at the nearest one.
    """
    # The number as it is written: 1 - 0.9 in floats is less than a tenth.
    place = int(length * (1 - Fraction(str(fraction))))
    return nearest(ends, place) if ends else place


def nearest(ends: Sequence[int], place: int) -> int:
    """The end nearest to a place, of all but the last: two documents at least."""
    inner = ends[:-1]
    at = bisect(inner, place)
    return min(inner[max(at - 1, 0) : at + 1], key=lambda end: abs(end - place))


def split(ends: list[int], cut: int) -> tuple[list[int], list[int]]:
    """The ends of both parts of a text, each counted from where its part begins."""
    at = bisect(ends, cut)
    return ends[:at], [end - cut for end in ends[at:]]


def ended(text: str, end: str, begun: int) -> int:
    """Where the document that a text goes on with is complete; 0 where it is not.

    Args:
      text: it begins with what was given, a prompt.
      end: what ends a document.
      begun: characters that were given.
    """
    found = text.find(end, max(0, begun - len(end) + 1))
    return found + len(end) if found >= 0 else 0


def tokens(vocabulary: Vocabulary, text: str, ends: list[int]) -> Tokens:
    """A text as tokens, none of which reaches from one document into the next."""
    if not ends:
        return Tokens(vocabulary.tokens(text), np.zeros(0, np.int32))
    parts = [vocabulary.tokens(text[a:b]) for a, b in pairwise([0, *ends])]
    sizes = [len(part) for part in parts]
    return Tokens(np.concatenate(parts), np.cumsum(sizes, dtype=np.int32))


def numbered(ends: Array, places: Array) -> Array:
    """Of which document of its window each token is.

    Args:
      ends: [D] int32, rising, where each document ends.
      places: [B, T] int32, windows of neighbouring places below the last end.

    Returns:
      [B, T] int32, from 0 at the begin of each window.
    """
    found = jnp.searchsorted(ends, places, side="right").astype(jnp.int32)
    return found - found[:, :1]
