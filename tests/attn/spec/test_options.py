"""Every option changes the result; none is accepted and ignored.

The table is enumerated: a new field of any piece without a row here is a failure.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attn
from attn.spec.notation import PIECES
from attn.spec.positions import Position
from attn.spec.scaling import Scaling
from tests.cases import Draw

T, H = 9, 4
DRAW = Draw(T, T, H)
X = [jnp.asarray(DRAW.normal(T, H)) for _ in range(3)]
MATRIX, MAPS = DRAW.normal(2, H, H), DRAW.normal(4, H, 2)
SUMS = -np.abs(DRAW.normal(2, T)).cumsum(1)
COINS, TABLE = DRAW.coins(2, T, T), DRAW.normal(2, 8)
VECTORS = DRAW.normal(2, 2)


def near(site):
    return abs(site.distance) < 2


def far(site, gap=2):
    return abs(site.distance) >= gap


def half(logits, site, by=0.5):
    return logits * by


def third(logits, site):
    return logits / 3


def t5(**options):
    return attn.t5(**{"table": TABLE[0], "buckets": 8, "max_distance": 9, **options})


# (piece, field): two pieces that differ in the field alone.
OPTIONS = {
    ("dot", "scale"): (attn.dot, attn.dot(scale=1.0)),
    ("cosine", "temperature"): (attn.cosine, attn.cosine(temperature=0.3)),
    ("bilinear", "matrix"): tuple(map(attn.bilinear, MATRIX)),
    ("additive", "query_map"): (
        attn.additive(MAPS[0], MAPS[1], VECTORS[0]),
        attn.additive(MAPS[2], MAPS[1], VECTORS[0]),
    ),
    ("additive", "key_map"): (
        attn.additive(MAPS[0], MAPS[1], VECTORS[0]),
        attn.additive(MAPS[0], MAPS[2], VECTORS[0]),
    ),
    ("additive", "vector"): (
        attn.additive(MAPS[0], MAPS[1], VECTORS[0]),
        attn.additive(MAPS[0], MAPS[1], VECTORS[1]),
    ),
    ("l2", "scale"): (attn.l2, attn.l2(scale=1.0)),
    ("scale", "by"): (attn.scale(0.5), attn.scale(2.0)),
    ("log_length", "by"): (attn.log_length, attn.log_length(0.5)),
    ("softcap", "cap"): (attn.softcap(1.0), attn.softcap(2.0)),
    ("alibi", "slopes"): (attn.alibi, attn.alibi(slopes=0.5)),
    ("t5", "table"): (t5(), t5(table=TABLE[1])),
    ("t5", "buckets"): (t5(), t5(table=TABLE[0, :6], buckets=6)),
    ("t5", "max_distance"): (t5(), t5(max_distance=100)),
    ("t5", "bidirectional"): (t5(), t5(bidirectional=True)),
    ("decay", "query"): (  # differs where a gate of a query is shut
        (attn.decay(SUMS[0], SUMS[0]), attn.softmax_one),
        (attn.decay(SUMS[1], SUMS[0]), attn.softmax_one),
    ),
    ("decay", "key"): (attn.decay(SUMS[0], SUMS[0]), attn.decay(SUMS[0], SUMS[1])),
    ("bias", "array"): (attn.bias(SUMS[:1]), attn.bias(SUMS[1:])),
    ("fn", "function"): (attn.fn(half), attn.fn(third)),
    ("fn", "arrays"): (attn.fn(half), attn.fn(half, by=np.float32(2.0))),
    ("window", "back"): (attn.window(back=1), attn.window(back=2)),
    ("window", "ahead"): (attn.window(back=1), attn.window(back=1, ahead=1)),
    ("prefix", "length"): (attn.prefix(3), attn.prefix(4)),
    ("first", "count"): (attn.first(1), attn.first(2)),
    ("dilated", "step"): (attn.dilated(2), attn.dilated(3)),
    ("chunked", "size"): (attn.chunked(2), attn.chunked(3)),
    ("global_tokens", "count"): (attn.global_tokens(1), attn.global_tokens(2)),
    ("random_blocks", "rate"): tuple(attn.random_blocks(r, size=2) for r in (0.2, 0.7)),
    ("random_blocks", "size"): tuple(attn.random_blocks(0.5, size=n) for n in (1, 2)),
    ("random_blocks", "seed"): tuple(
        attn.random_blocks(0.5, size=2, seed=n) for n in (0, 1)
    ),
    ("blocks", "table"): (attn.blocks(((1,),), 4), attn.blocks(((1, 1),), 4)),
    ("blocks", "size"): (attn.blocks(((1, 1),), 2), attn.blocks(((1, 1),), 4)),
    ("dense", "array"): tuple(map(attn.dense, COINS)),
    ("predicate", "function"): (attn.predicate(near), attn.predicate(far)),
    ("predicate", "arrays"): (attn.predicate(far), attn.predicate(far, gap=4)),
    ("softmax", "sink"): (attn.softmax, attn.softmax(sink=0.0)),
    ("softmax_one", "sink"): (attn.softmax_one, attn.softmax_one(sink=1.0)),
    ("sigmoid", "bias"): (attn.sigmoid, attn.sigmoid(bias=-1.0)),
    ("entmax", "alpha"): (attn.entmax, attn.entmax(alpha=1.2)),
    ("sinusoidal", "base"): (attn.sinusoidal, attn.sinusoidal(base=10.0)),
    ("learned", "table"): tuple(attn.learned(table=DRAW.normal(T, H)) for _ in "ab"),
    ("rotary", "base"): (attn.rotary, attn.rotary(base=10.0)),
    ("rotary", "width"): (attn.rotary, attn.rotary(width=2)),
    ("rotary", "scaling"): (attn.rotary, attn.rotary(scaling=attn.linear(2.0))),
    ("linear", "factor"): (attn.linear(2.0), attn.linear(3.0)),
    ("ntk", "factor"): (attn.ntk(2.0), attn.ntk(3.0)),
    ("yarn", "factor"): (attn.yarn(2.0, 9), attn.yarn(3.0, 9)),
    ("yarn", "context"): (attn.yarn(2.0, 9), attn.yarn(2.0, 40)),
    ("yarn", "slow"): (attn.yarn(2.0, 9), attn.yarn(2.0, 9, slow=0.1)),
    ("yarn", "fast"): (attn.yarn(2.0, 40), attn.yarn(2.0, 40, fast=7.0)),
    ("dropout", "rate"): (attn.dropout(0.1), attn.dropout(0.6)),
    ("Attention", "similarity"): (attn.Attention(), attn.Attention(similarity=attn.l2)),
    ("Attention", "logits"): (attn.Attention(), attn.Attention(logits=attn.alibi)),
    ("Attention", "mask"): (attn.Attention(), attn.Attention(mask=attn.causal)),
    ("Attention", "normalizer"): (
        attn.Attention(),
        attn.Attention(normalizer=attn.relu2),
    ),
    ("Attention", "dropout"): (
        attn.Attention(),
        attn.Attention(dropout=attn.dropout(0.5)),
    ),
}
# Fields that cannot differ, or say only how large something is that has no value yet.
FIXED = {("sparsemax", "alpha"), ("learned", "size")}


def result(piece):
    positions = jnp.arange(T)
    if isinstance(piece, Scaling):
        piece = attn.rotary(scaling=piece)
    if isinstance(piece, Position):
        return piece.rotate(piece.embed(X[0], positions), positions)
    return attn.attend(piece, *X, rng=jax.random.key(0), backend="dense").value


def test_every_field_of_every_piece_has_a_row():
    classes = {x if isinstance(x, type) else type(x) for x in PIECES.values()}
    fields = {(c.name, f.name) for c in classes for f in dataclasses.fields(c)}
    assert fields == set(OPTIONS) | FIXED


@pytest.mark.parametrize(("piece", "field"), OPTIONS)
def test_the_option_changes_the_result(piece, field):
    one, other = map(result, OPTIONS[piece, field])
    assert np.abs(one - other).max() > 1e-4
    assert np.isfinite(one).all()


def test_every_piece_changes_the_result():
    """Against the neutral piece of its kind."""
    plain = result(attn.Attention())
    neutral = {"dot", "identity", "everything", "softmax"}
    finished = {n: p for n, p in PIECES.items() if not isinstance(p, type)}
    assert neutral <= set(finished)
    for name, piece in finished.items():
        if piece.kind not in ("similarity", "logits", "mask", "normalizer"):
            continue
        piece = t5() if name == "t5" else piece
        if name == "segments":
            at = attn.at(segment=jnp.arange(T) // 3)
            got = attn.attend(piece, *X, at=at, backend="dense").value
        else:
            got = result(piece)
        assert bool(np.abs(got - plain).max() > 1e-4) == (name not in neutral), name
