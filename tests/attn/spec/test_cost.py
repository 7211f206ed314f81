"""What pieces say that they cost, against counting."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attn
from attn.heads import attend_heads
from attn.spec.attention import as_attention
from attn.spec.cost import attention_flops, pairs, remembered
from attn.spec.notation import parse
from tests.attn.counted import dot_flops

B, T, S, N, K, H, E, A = 1, 7, 11, 6, 3, 5, 13, 17


def ones(*shape):
    return jnp.ones(shape, jnp.float32)


def dense(spec, *arrays):
    return attend_heads(spec, *arrays, backend="dense").value


SIMILARITIES = {
    "dot": lambda: attn.dot,
    "cosine": lambda: attn.cosine,
    "l2": lambda: attn.l2,
    "bilinear": lambda: attn.bilinear(ones(H, H)),
    "additive": lambda: attn.additive(ones(H, A), ones(H, A), ones(A)),
}


@pytest.mark.parametrize("name", SIMILARITIES)
def test_a_call_costs_what_is_counted(name):
    spec = as_attention(SIMILARITIES[name]())
    arrays = ones(B, T, N, H), ones(B, S, N, H), ones(B, S, N, E)
    counted = dot_flops(
        lambda *x: attend_heads(spec, *x, backend="dense").value, *arrays
    )
    said = attention_flops(spec, T, S, heads=N, width=H, value_width=E)
    assert said == counted


@pytest.mark.parametrize("normalizer", ["sigmoid", "relu2", "softmax_one"])
def test_a_normalizer_adds_no_product(normalizer):
    spec = as_attention(parse(normalizer))
    arrays = ones(B, T, N, H), ones(B, T, N, H), ones(B, T, N, E)
    counted = dot_flops(
        lambda *x: attend_heads(spec, *x, backend="dense").value, *arrays
    )
    said = attention_flops(spec, T, T, heads=N, width=H, value_width=E)
    assert said == counted


@pytest.mark.parametrize(
    "notation",
    [
        "everything",
        "causal",
        "causal & window(back=3)",
        "causal & (window(back=2) | first(2))",
        "segments",
        "~causal",
    ],
)
def test_pairs_are_those_that_the_mask_permits(notation):
    mask = parse(notation)
    segment = jnp.ones(T, jnp.int32)
    where = attn.at(segment=segment) if "segments" in notation else None
    weights = attn.attend(
        mask, ones(T, H), ones(T, H), ones(T, E), at=where, probes=("weights",)
    ).aux["weights"]
    assert pairs(mask, T, T) == int((np.asarray(weights) > 0).sum())


def test_what_is_remembered_is_what_later_queries_see():
    assert remembered(parse("causal"), 32) == 32
    assert remembered(parse("causal & window(back=5)"), 32) == 5
    assert remembered(parse("causal & window(back=50)"), 32) == 32
    assert remembered(parse("causal & (window(back=5) | first(3))"), 32) == 8
    assert pairs(parse("causal"), 1, 9) == 9  # one query at the end, as in decoding


def test_long_sequences_are_counted_by_some_of_their_queries(monkeypatch):
    exact = pairs(parse("causal & window(back=100)"), 997, 997)
    monkeypatch.setattr("attn.spec.cost.MOST", 20_000)
    assert pairs(parse("causal & window(back=100)"), 997, 997) == pytest.approx(
        exact, rel=0.02
    )
    assert remembered(parse("causal & window(back=100)"), 997) == 100
    assert pairs(parse("causal"), 1, 30_000) == 30_000


def test_a_mask_of_arrays_or_data_counts_as_open():
    mask = attn.fn(lambda site, limit: site.key_pos < limit, limit=jnp.int32(3))
    assert pairs(mask, T, S) == T * S
    assert jax.tree.leaves(mask)


def test_no_queries_or_no_keys_cost_nothing():
    mask = parse("causal")
    assert pairs(mask, 0, 9) == pairs(mask, 9, 0) == remembered(mask, 0) == 0
    said = attention_flops(
        as_attention("causal"), 5, 0, heads=N, width=H, value_width=E
    )
    assert said == 0
