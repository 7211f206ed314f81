"""Encoder and decoder together: padding, causality, what reads what, gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import attn
from attn.modules import (
    DecoderConfig,
    Encoder,
    EncoderConfig,
    Precision,
    Seq2Seq,
)

B, S, T, V = 2, 7, 5, 11
SIZES = {"vocabulary": V, "layers": 1, "heads": 4, "width": 24, "init_std": 0.3}
LENGTHS = jnp.array([4, 6])
PRESENT = jnp.arange(S)[None] < LENGTHS[:, None]
PADDED = attn.at(segment=PRESENT.astype(jnp.int32))


def made(source=None, **options):
    encoder = EncoderConfig(**{**SIZES, "context": S, **(source or {})})
    decoder = DecoderConfig(**{**SIZES, "context": T, "hidden": 40, **options})
    return Seq2Seq(encoder=encoder, decoder=decoder, rngs=nnx.Rngs(0))


def tokens(length, seed):
    return jax.random.randint(jax.random.key(seed), (B, length), 0, V)


SOURCE, TARGET = tokens(S, 0), tokens(T, 1)
VARIANTS = {
    "plain": ({}, {}),
    "grouped": ({"key_heads": 2}, {"key_heads": 1}),
    "turned": ({"position": "sinusoidal"}, {"cross_position": "rotary"}),
    "learned": ({"position": "learned"}, {"position": "learned"}),
    "other pieces": (
        {"logits": "alibi", "mask": "window(back=2, ahead=2)"},
        {"cross": "window(back=3, ahead=3)", "normalizer": "sigmoid"},
    ),
    "relative cross": ({"normalizer": "entmax"}, {"cross": "t5(buckets=8)"}),
    "blockwise": ({"backend": "blockwise"}, {"backend": "blockwise"}),
}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_padding_has_no_influence_at_all(variant):
    """Bit for bit: other tokens in the padding leave every logit as it was."""
    model = made(variant[0], **variant[1])
    other = jnp.where(PRESENT, SOURCE, (SOURCE + 3) % V)
    assert not np.array_equal(other, SOURCE)
    before = model(SOURCE, TARGET, source_at=PADDED)
    np.testing.assert_array_equal(before, model(other, TARGET, source_at=PADDED))
    seen = model(other, TARGET)  # and without segments it would have been seen
    assert np.abs(np.asarray(before) - seen).max() > 1e-4


def test_padding_equals_a_shorter_source():
    model, short = made(), int(LENGTHS[0])
    alone = model(SOURCE[:1, :short], TARGET[:1])
    padded = model(SOURCE, TARGET, source_at=PADDED)[:1]
    np.testing.assert_allclose(padded, alone, rtol=1e-5, atol=1e-5)


def test_encoded_once_and_decoded_is_teacher_forcing():
    model = made()
    encoded = model.encode(SOURCE, at=PADDED)
    whole = model(SOURCE, TARGET, source_at=PADDED)
    np.testing.assert_allclose(
        model.decode(TARGET, encoded), whole, rtol=1e-6, atol=1e-6
    )
    for length in (1, 3):  # each position reads earlier targets only
        part = model.decode(TARGET[:, :length], encoded)
        np.testing.assert_allclose(part, whole[:, :length], rtol=1e-5, atol=1e-5)


def test_every_real_source_token_reaches_every_logit():
    model = made()
    score = jax.jit(lambda source: model(source, TARGET, source_at=PADDED))
    before = np.asarray(score(SOURCE))
    for place in range(S):
        after = score(SOURCE.at[:, place].set((SOURCE[:, place] + 1) % V))
        moved = np.abs(after - before).max(-1) > 1e-5
        expected = np.broadcast_to(PRESENT[:, place : place + 1], (B, T))
        np.testing.assert_array_equal(moved, expected)


def test_an_encoder_sees_both_ways_and_a_packed_text_sees_itself():
    encoder = Encoder(**SIZES, context=S, rngs=nnx.Rngs(0))
    changed = SOURCE.at[:, -1].add(1) % V
    delta = np.abs(np.asarray(encoder(SOURCE).value) - encoder(changed).value)
    assert (delta.max((0, 2)) > 1e-4).all()
    packed = attn.at(segment=jnp.array([1, 1, 1, 2, 2, 2, 2]))
    same = [encoder(x, at=packed).value[:, :3] for x in (SOURCE, changed)]
    np.testing.assert_array_equal(*same)


def test_targets_packed_with_their_sources():
    """Two pairs in one row: each target reads its own source."""
    model = made(mask="causal & segments")
    source_at = attn.at(segment=jnp.array([1, 1, 1, 2, 2, 2, 2]))
    at = attn.at(segment=jnp.array([1, 1, 2, 2, 2]))
    changed = SOURCE.at[:, :3].add(1) % V
    one, other = (
        model(x, TARGET, source_at=source_at, at=at) for x in (SOURCE, changed)
    )
    np.testing.assert_array_equal(one[:, 2:], other[:, 2:])
    assert np.abs(one[:, :2] - other[:, :2]).max() > 1e-4


def test_gradients_reach_every_parameter():
    model = made({"key_heads": 2}, key_heads=2, tie=False, bias=True, remat=True)
    graph, params = nnx.split(model)

    def loss(params):
        logits = nnx.merge(graph, params)(SOURCE, TARGET, rng=jax.random.key(0))
        return -jax.nn.log_softmax(logits)[..., 3].mean()

    gradient = jax.tree_util.tree_leaves_with_path(jax.jit(jax.grad(loss))(params))
    for path, leaf in gradient:
        if "['key']['bias']" in jax.tree_util.keystr(path):
            continue  # a constant added to every key moves all logits of a row alike
        assert np.abs(leaf).max() > 0, jax.tree_util.keystr(path)


def test_flax_tabulates_a_model_and_what_it_learns():
    """Flax calls every method of every module, and prints what goes in and out."""
    model = made(logits="scale('learned')", cross="alibi")
    options = {"width": 400, "force_terminal": False}
    told = nnx.tabulate(model, SOURCE, TARGET, console_kwargs=options)
    assert " decoder/blocks/0/attention " in told
    count = sum(x.size for x in jax.tree.leaves(nnx.state(model)))
    assert f"Total Parameters: {count:,} " in told


def test_remat_changes_nothing_but_memory():
    rng, made_with = jax.random.key(0), {"dropout": 0.1}
    plain = made(made_with, **made_with)
    remat = made({**made_with, "remat": True}, **made_with, remat=True)
    one, other = (
        jax.jit(lambda m, rng: m(SOURCE, TARGET, source_at=PADDED, rng=rng))(m, rng)
        for m in (plain, remat)
    )
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    assert np.abs(one - plain(SOURCE, TARGET, source_at=PADDED)).max() > 1e-3


def test_computes_in_bfloat16_and_scores_in_float32():
    precision = {"precision": Precision(compute="bfloat16"), "init_std": 0.1}
    model = made(precision, **precision)
    assert model.encode(SOURCE).value.dtype == jnp.bfloat16
    logits = model(SOURCE, TARGET, source_at=PADDED)
    assert logits.dtype == jnp.float32
    wide = made({"init_std": 0.1}, init_std=0.1)(SOURCE, TARGET, source_at=PADDED)
    assert np.abs(logits - wide).max() < 0.1
