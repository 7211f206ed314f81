"""One head of attention, pair by pair."""

import dataclasses
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Pair:
    """A query and a key: positions, storage indices and per-token data."""

    i: int
    j: int
    row: int
    col: int
    query: dict[str, Any] = dataclasses.field(default_factory=dict)
    key: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Result:
    """Output [T, E], weights [T, S], logits [T, S] and which count, and log-sum-exp."""

    output: np.ndarray
    weights: np.ndarray
    logits: np.ndarray
    allowed: np.ndarray
    log_sum_exp: np.ndarray


def pairs(t, s, query_pos=None, key_pos=None, query=None, key=None):
    """All pairs as a list of rows."""
    query_pos = range(t) if query_pos is None else query_pos
    key_pos = range(s) if key_pos is None else key_pos
    rows = []
    for row in range(t):
        line = []
        for col in range(s):
            here = {name: x[row] for name, x in (query or {}).items()}
            there = {name: x[col] for name, x in (key or {}).items()}
            pair = Pair(int(query_pos[row]), int(key_pos[col]), row, col, here, there)
            line.append(pair)
        rows.append(line)
    return rows


def attend(query, key, value, similarity, logits, mask, normalizer, where=None):
    """softmax(logits(similarity(query, key)) where mask) @ value, and its relatives.

    Args:
      query: [T, H].
      key: [S, H].
      value: [S, E].
      similarity: (query vector, key vector) -> number.
      logits: (number, Pair) -> number.
      mask: Pair -> bool.
      normalizer: (list of logits, list of bools) -> list of weights.
      where: query_pos, key_pos, query and key data, by name.
    """
    query, key, value = (np.asarray(x, np.float64) for x in (query, key, value))
    t, s = len(query), len(key)
    table = np.zeros((t, s))
    allowed = np.zeros((t, s), bool)
    for line in pairs(t, s, **(where or {})):
        for pair in line:
            allowed[pair.row, pair.col] = mask(pair)
            number = similarity(query[pair.row], key[pair.col])
            table[pair.row, pair.col] = logits(number, pair)
    weights = np.zeros((t, s))
    output = np.zeros((t, value.shape[1]))
    total = np.full(t, -np.inf)
    for row in range(t):
        weights[row] = normalizer(list(table[row]), list(allowed[row]))
        for col in range(s):
            if weights[row, col] != 0:
                output[row] += weights[row, col] * value[col]
        shown = [table[row, col] for col in range(s) if allowed[row, col]]
        if shown:
            top = max(shown)
            total[row] = top + np.log(sum(np.exp(x - top) for x in shown))
    return Result(output, weights, table, allowed, total)


def head_of(array, head, heads, key_heads):
    """The keys [S, H] that a query head reads, out of [S, K, H]."""
    return array[:, head // (heads // key_heads)]
