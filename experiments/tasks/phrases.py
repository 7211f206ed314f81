"""Texts put together on the device: words are rows of a table, lengths vary.

A form is written as in a format string, `{day} {month} {year}`; `Phrases` cuts it into
pieces, each a row of one table, so that a text is a few numbers until `write` joins
the rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from experiments.tasks.lazy import jnp, np, task

if TYPE_CHECKING:
    from jax import Array

    from experiments.tasks.task import Labelled, Translation

PIECE = re.compile(r"\{\w+\}|(?:[^{]|\{(?!\w+\}))+")  # a field, or what is between
END_SYMBOL = "~"  # token 0; no text has it


class Text(NamedTuple):
    """A text of varying length: tokens [S] int32, END beyond `length`."""

    tokens: Array
    length: Array


class Phrases:
    """Forms with fields, and the words that fields are filled with.

    Args:
      forms: the texts with `{field}`s.
      fields: field to its words; in a text it stands for one of them.
      split: cuts a text into symbols: `list` for characters, `str.split` for words.
      also: further words, for an answer that has symbols of its own.
    """

    def __init__(
        self,
        forms: Sequence[str],
        fields: Mapping[str, Sequence[str]],
        split=list,
        also: Sequence[str] = (),
    ):
        self.forms, self.names = tuple(forms), tuple(fields)
        pieces = [PIECE.findall(form) for form in forms]
        self.marks = {"{" + name + "}" for name in fields}
        literals = {p for form in pieces for p in form} - self.marks
        words = ["", *sorted(literals), *also]
        self.base = {word: row for row, word in enumerate(words)}
        for name, listed in fields.items():
            self.base["{" + name + "}"] = len(words)
            words += listed
        self.rows = [split(word) for word in words]
        self.symbols = (END_SYMBOL, *sorted({x for row in self.rows for x in row}))
        self.pieces = pieces
        widths = [sum(self._widest(p, fields) for p in form) for form in pieces]
        self.most = max(widths, default=0)

    def _widest(self, piece: str, fields: Mapping[str, Sequence[str]]) -> int:
        first = self.base[piece]
        count = len(fields[piece[1:-1]]) if piece in self.marks else 1
        return max(len(row) for row in self.rows[first : first + count])

    def table(self) -> tuple[Array, Array]:
        """Rows [R, W] of tokens, and their lengths [R]."""
        number = {symbol: i for i, symbol in enumerate(self.symbols)}
        width = max(map(len, self.rows))
        rows = np.zeros((len(self.rows), width), np.int32)
        for i, row in enumerate(self.rows):
            rows[i, : len(row)] = [number[symbol] for symbol in row]
        return jnp.asarray(rows), jnp.asarray(
            [len(row) for row in self.rows], jnp.int32
        )

    def picks(self, form: Array, values: Mapping[str, Array]) -> Array:
        """The rows [P] of a form whose fields have these values."""
        most = max(map(len, self.pieces))
        base, which = np.zeros((2, len(self.pieces), most), np.int32)
        for i, pieces in enumerate(self.pieces):
            for j, piece in enumerate(pieces):
                base[i, j] = self.base[piece]
                if piece in self.marks:
                    which[i, j] = 1 + self.names.index(piece[1:-1])
        given = jnp.stack([jnp.int32(0), *(values[name] for name in self.names)])
        return jnp.asarray(base)[form] + given[jnp.asarray(which)[form]]

    def row(self, field: str, value: Array | int = 0) -> Array:
        """The row of a field's value, or of a word."""
        return self.base.get("{" + field + "}", self.base.get(field)) + jnp.int32(value)

    def write(self, picks: Array, size: int) -> Text:
        """Joins rows [P] to a text of at most `size` tokens."""
        return join(*self.table(), picks, size)


def join(rows: Array, lengths: Array, picks: Array, size: int) -> Text:
    """Writes rows one behind the other, by gathering.

    Args:
      rows: [R, W] int32.
      lengths: [R], how much of each row counts.
      picks: [P], which rows, in order.
      size: of the text.
    """
    ends = jnp.cumsum(lengths[picks], dtype=jnp.int32)
    places = jnp.arange(size, dtype=jnp.int32)
    piece = (places[:, None] >= ends[None]).sum(1, dtype=jnp.int32)
    piece = jnp.minimum(piece, picks.size - 1)
    inside = places - (ends - lengths[picks])[piece]
    text = rows[picks[piece], jnp.clip(inside, 0, rows.shape[1] - 1)]
    return Text(jnp.where(places < ends[-1], text, task.END), ends[-1])


def translation(
    source: Text, answer: Text, slices: Mapping[str, Array] | None = None
) -> Translation:
    """One source and its answer, as a decoder is taught: [END, a, b] to [a, b, END].

    Args:
      source: [S].
      answer: [T - 1].
      slices: name to bool, said of the whole example.
    """
    end = jnp.full(1, task.END, jnp.int32)
    counts = jnp.arange(answer.tokens.size + 1) <= answer.length
    parts = {
        name: jnp.broadcast_to(x, counts.shape) for name, x in (slices or {}).items()
    }
    return task.Translation(
        jnp.concatenate([end, answer.tokens]),
        jnp.concatenate([answer.tokens, end]),
        counts.astype(jnp.float32),
        parts,
        source=source.tokens,
        source_present=jnp.arange(source.tokens.size) < source.length,
    )


def labelled(
    text: Text, label: Array, slices: Mapping[str, Array] | None = None
) -> Labelled:
    """One text and its class."""
    return task.Labelled(
        text.tokens,
        label.astype(jnp.int32),
        jnp.float32(1),
        dict(slices or {}),
        present=jnp.arange(text.tokens.size) < text.length,
    )
