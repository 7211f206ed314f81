"""Logits pieces: a number and a pair to a number."""

import math

import numpy as np

__all__ = [
    "alibi", "bias", "decay", "identity", "log_length", "scale", "softcap", "t5", "then"
]  # fmt: skip


def identity():
    return lambda x, pair: x


def then(*steps):
    def apply(x, pair):
        for step in steps:
            x = step(x, pair)
        return x

    return apply


def scale(by):
    return lambda x, pair: x * float(by)


def log_length(by):
    return lambda x, pair: x * float(by) * math.log(pair.i + 1)


def softcap(cap):
    return lambda x, pair: float(cap) * math.tanh(x / float(cap))


def alibi(slope):
    return lambda x, pair: x - float(slope) * abs(pair.i - pair.j)


def t5(table, max_distance, bidirectional):
    """Buckets as in section 2.1 of Raffel et al. 2020, one pair at a time."""
    table = np.asarray(table, np.float64)

    def bucket(ahead):
        buckets, base = len(table), 0
        if bidirectional:
            buckets //= 2
            base = buckets if ahead > 0 else 0
            back = abs(ahead)
        else:
            back = max(-ahead, 0)
        exact = buckets // 2
        if back < exact:
            return base + back
        share = math.log(back / exact) / math.log(max_distance / exact)
        return base + min(exact + int(share * (buckets - exact)), buckets - 1)

    return lambda x, pair: x + table[bucket(pair.j - pair.i)]


def decay(query, key):
    query, key = np.asarray(query, np.float64), np.asarray(key, np.float64)
    return lambda x, pair: x + query[pair.row] - key[pair.col]


def bias(array):
    array = np.asarray(array, np.float64)
    rows, cols = array.shape
    return lambda x, pair: x + array[pair.row % rows, pair.col % cols]
