"""The shared table: one row a piece and option, with its notation and its oracle.

A row buys: equality with the oracle, eager and jitted, by every backend; dtypes; empty
rows; gradients; causality; a repr that parses back. `build(draw)` gives the piece and
the oracle, made of the same numbers.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

import attn
from tests import oracles


@dataclasses.dataclass
class Draw:
    """Sizes of a call, and random float32 arrays for the pieces that want some."""

    t: int = 7
    s: int = 7
    h: int = 5
    seed: int = 0

    def __post_init__(self):
        self.random = np.random.default_rng(self.seed)

    def normal(self, *shape: int) -> np.ndarray:
        return self.random.normal(size=shape).astype(np.float32)

    def coins(self, *shape: int) -> np.ndarray:
        return self.random.random(shape) < 0.6


@dataclasses.dataclass(frozen=True)
class Case:
    """A row. `heads` says that a field is filled in or learned for several heads."""

    name: str
    kind: str
    build: Callable[[Draw], tuple[Any, Callable]]
    notation: str = ""

    def piece(self, draw: Draw | None = None) -> Any:
        return self.build(draw or Draw())[0]


def _fixed(notation: str, kind: str, oracle: Callable) -> Case:
    """A row whose piece has no arrays: its notation says everything."""
    return Case(notation, kind, lambda d: (attn.parse(notation), oracle), notation)


def _bent(logits, site, slope):
    """A user's logits function of its own array."""
    slope, distance = (x.astype(logits.dtype) for x in (slope, site.distance))
    return logits * (1 + slope) + slope * jnp.log1p(jnp.abs(distance))


def _far(site, gap):
    return site.distance * site.distance >= gap * gap


def _same_flag(site):
    return site.query["flag"] == site.key["flag"]


def _bilinear(d):
    matrix = d.normal(d.h, d.h)
    return attn.bilinear(matrix), oracles.bilinear(matrix)


def _additive(d):
    arrays = d.normal(d.h, 3), d.normal(d.h, 3), d.normal(3)
    return attn.additive(*arrays), oracles.additive(*arrays)


def _learned(word: str, field: str) -> Callable:
    """A piece with a number in one field that is an array, as a learned one is."""

    def build(d):
        array = np.abs(d.normal()) + np.float32(0.5)
        return getattr(attn, word)(**{field: array}), getattr(oracles, word)(array)

    return build


def _t5(bidirectional):
    def build(d):
        table = d.normal(8)
        options = {"buckets": 8, "max_distance": 16, "bidirectional": bidirectional}
        piece = attn.t5(table=table, **options)
        return piece, oracles.t5(table, 16, bidirectional)

    return build


def _decay(d):
    total = np.cumsum(-np.abs(d.normal(max(d.t, d.s)))).astype(np.float32)
    query, key = total[-d.t :], total[: d.s]
    return attn.decay(query, key), oracles.decay(query, key)


def _bias(*axes):
    def build(d):
        sizes = {"t": d.t, "s": d.s, "1": 1}
        array = d.normal(*(sizes[a] for a in axes))
        return attn.bias(array), oracles.bias(array)

    return build


def _dense(*axes):
    def build(d):
        sizes = {"t": d.t, "s": d.s, "1": 1}
        array = d.coins(*(sizes[a] for a in axes))
        return attn.dense(array), oracles.dense(array)

    return build


def _fn(d):
    slope = np.float32(0.3)

    def oracle(x, pair):
        return x * (1 + float(slope)) + float(slope) * math.log1p(abs(pair.i - pair.j))

    return attn.fn(_bent, slope=slope), oracle


def _blocks(static):
    def build(d):
        table = [[1, 0, 1], [1, 1, 0], [0, 1, 1]]
        rows = tuple(map(tuple, table)) if static else table
        return attn.blocks(rows, 3), oracles.blocks(table, 3)

    return build


def _window_array(d):
    return attn.window(back=np.int32(2)), oracles.window(back=2)


SIMILARITIES = [
    _fixed("dot", "similarity", oracles.dot()),
    _fixed("dot(scale=0.7)", "similarity", oracles.dot(0.7)),
    _fixed("cosine", "similarity", oracles.cosine(0.1)),
    Case("cosine-learned", "similarity", _learned("cosine", "temperature")),
    Case("bilinear", "similarity", _bilinear),
    Case("additive", "similarity", _additive),
    _fixed("l2", "similarity", oracles.l2()),
    Case("l2-learned", "similarity", _learned("l2", "scale")),
]

LOGITS = [
    _fixed("identity", "logits", oracles.identity()),
    _fixed("scale(0.5)", "logits", oracles.scale(0.5)),
    Case("scale-learned", "logits", _learned("scale", "by")),
    _fixed("log_length", "logits", oracles.log_length(1.0)),
    Case("log_length-learned", "logits", _learned("log_length", "by")),
    _fixed("softcap(2)", "logits", oracles.softcap(2)),
    Case("softcap-learned", "logits", _learned("softcap", "cap")),
    _fixed("alibi", "logits", oracles.alibi(2.0**-8)),
    _fixed("alibi(slopes=0.25)", "logits", oracles.alibi(0.25)),
    Case("alibi-learned", "logits", _learned("alibi", "slopes")),
    Case("t5", "logits", _t5(False)),
    Case("t5-both-ways", "logits", _t5(True)),
    Case("decay", "logits", _decay),
    Case("bias", "logits", _bias("t", "s")),
    Case("bias-keys", "logits", _bias("1", "s")),
    Case("fn", "logits", _fn),
]

MASKS = [
    _fixed("everything", "mask", oracles.everything()),
    _fixed("causal", "mask", oracles.causal()),
    _fixed("window(back=2)", "mask", oracles.window(back=2)),
    _fixed("window(ahead=1)", "mask", oracles.window(ahead=1)),
    _fixed("window(back=3, ahead=2)", "mask", oracles.window(3, 2)),
    _fixed("window(back=0, ahead=0)", "mask", oracles.window(0, 0)),
    Case("window-array", "mask", _window_array),
    _fixed("prefix(3)", "mask", oracles.prefix(3)),
    _fixed("segments", "mask", oracles.segments()),
    _fixed("first(2)", "mask", oracles.first(2)),
    _fixed("dilated(3)", "mask", oracles.dilated(3)),
    _fixed("chunked(3)", "mask", oracles.chunked(3)),
    _fixed("global_tokens(2)", "mask", oracles.global_tokens(2)),
    _fixed(
        "random_blocks(0.5, size=2, seed=3)", "mask", oracles.random_blocks(0.5, 2, 3)
    ),
    Case("blocks-static", "mask", _blocks(True)),
    Case("blocks-array", "mask", _blocks(False)),
    Case("dense", "mask", _dense("t", "s")),
    Case("dense-keys", "mask", _dense("1", "s")),
    Case(
        "predicate",
        "mask",
        lambda d: (attn.predicate(_far, gap=2), lambda p: abs(p.i - p.j) >= 2),
    ),
]

NORMALIZERS = [
    _fixed("softmax", "normalizer", oracles.softmax()),
    _fixed("softmax(sink=0.5)", "normalizer", oracles.softmax(0.5)),
    Case("softmax-learned", "normalizer", _learned("softmax", "sink")),
    _fixed("softmax_one", "normalizer", oracles.softmax(0.0)),
    _fixed("sigmoid", "normalizer", oracles.sigmoid()),
    _fixed("sigmoid(bias=-2.0)", "normalizer", oracles.sigmoid(-2.0)),
    Case("sigmoid-learned", "normalizer", _learned("sigmoid", "bias")),
    _fixed("relu2", "normalizer", oracles.relu2()),
    _fixed("stick_breaking", "normalizer", oracles.stick_breaking()),
    _fixed("entmax", "normalizer", oracles.entmax(1.5)),
    _fixed("entmax(alpha=1.25)", "normalizer", oracles.entmax(1.25)),
    _fixed("sparsemax", "normalizer", oracles.sparsemax()),
]

CASES = [*SIMILARITIES, *LOGITS, *MASKS, *NORMALIZERS]
IDS = [case.name for case in CASES]

# What an Attention takes where a row says nothing of a kind.
DEFAULTS = {
    "similarity": oracles.dot(),
    "logits": oracles.identity(),
    "mask": oracles.everything(),
    "normalizer": oracles.softmax(),
}


def where(draw: Draw) -> tuple[Any, dict[str, Any]]:
    """The `at` of a call and the same for the oracle: positions, two documents, flags.

    The queries are the last T positions of the S keys, as in decoding.
    """
    query_pos = np.arange(draw.t) + max(draw.s - draw.t, 0)
    key_pos = np.arange(draw.s)
    documents = np.arange(max(draw.t, draw.s)) * 2 // max(draw.t, draw.s)
    query = {"segment": documents[-draw.t :]}
    key = {"segment": documents[: draw.s]}
    oracle = {"query_pos": query_pos, "key_pos": key_pos, "query": query, "key": key}
    return attn.at(query_pos, key_pos, query=query, key=key), oracle
