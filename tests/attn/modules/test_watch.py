"""Watching a call: the weights are the definition's, and nothing else changes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import attn
from attn.modules import (
    Decoder,
    DecoderConfig,
    EncoderConfig,
    MultiHeadAttention,
    Seq2Seq,
    watch,
)

TOKENS = jnp.array([[3, 1, 4, 1, 5, 9, 2], [6, 5, 3, 5, 8, 9, 7]])
SIZES = {"vocabulary": 11, "context": 7, "layers": 2, "heads": 6, "width": 12}
SIZES["head_width"] = 4

CHOICES = {
    "grouped": {"key_heads": 2},
    "blockwise": {"backend": "blockwise", "mask": "causal & window(back=3)"},
    "remat": {"remat": True},
    "sigmoid": {"normalizer": "sigmoid", "logits": "alibi(slopes='learned')"},
    "sink": {"normalizer": "softmax(sink='learned')"},
    "relu2": {"normalizer": "relu2"},
    "stick breaking": {"normalizer": "stick_breaking"},
    "entmax": {"normalizer": "entmax(1.5)", "mask": "everything"},
    "half": {"precision": attn.modules.Precision(compute="bfloat16")},
}


def decoder(**options):
    return Decoder(**SIZES | options, rngs=nnx.Rngs(0))


@pytest.mark.parametrize("options", CHOICES.values(), ids=CHOICES)
def test_every_layer_shows_its_weights_and_the_logits_agree(options):
    model = decoder(**options)
    call = jax.jit(lambda state: watch(nnx.merge(graph, state), read))
    read = lambda model: model(TOKENS)  # noqa: E731
    graph, state = nnx.split(model)
    logits, seen = call(state)

    half = options.keys() & {"precision"}
    np.testing.assert_allclose(
        logits, model(TOKENS), rtol=1e-4, atol=3e-2 if half else 1e-5
    )
    layers = [path for path in seen if path.endswith("attention")]
    assert layers == ["blocks.0.attention", "blocks.1.attention"]
    for path in layers:
        weights = np.asarray(seen[path]["weights"], np.float32)
        assert weights.shape == (2, 6, 7, 7)
        assert np.isfinite(weights).all()
        assert weights.max() > 0


def test_weights_times_values_is_what_the_layer_passes_on():
    layer = MultiHeadAttention(
        width=12, heads=3, value_width=5, spec="sigmoid", rngs=nnx.Rngs(1)
    )
    x = jax.random.normal(jax.random.key(0), (2, 5, 12))
    output, seen = watch(layer, lambda layer: layer(x))
    value = layer.project(x)[2]
    mixed = jnp.einsum("bnts,bsne->btne", seen[""]["weights"], value)
    np.testing.assert_allclose(
        layer.output(mixed.reshape(2, 5, 15)), output, rtol=1e-5, atol=1e-6
    )


def test_cross_attention_shows_weights_over_the_context():
    layer = MultiHeadAttention(width=12, heads=3, rngs=nnx.Rngs(1))
    x, context = jnp.ones((1, 5, 12)), jnp.ones((1, 7, 12))
    _, seen = watch(layer, lambda layer: layer(x, context))
    assert seen[""]["weights"].shape == (1, 3, 5, 7)


def test_blocks_show_the_residual_stream_from_embedding_to_features():
    model = decoder()
    logits, seen = watch(model, lambda model: model(TOKENS))
    first, last = seen["blocks.0"], seen["blocks.1"]
    np.testing.assert_array_equal(first["before"], model.embed(TOKENS))
    np.testing.assert_array_equal(first["after"], last["before"])
    np.testing.assert_allclose(
        model.score(model.norm(last["after"])), logits, rtol=1e-5, atol=1e-6
    )


def test_a_seq2seq_shows_both_stacks_and_what_one_reads_of_the_other():
    sizes = {"vocabulary": 11, "layers": 1, "heads": 2, "width": 8}
    model = Seq2Seq(
        encoder=EncoderConfig(context=7, **sizes),
        decoder=DecoderConfig(context=5, **sizes),
        rngs=nnx.Rngs(0),
    )
    _, seen = watch(model, lambda model: model(TOKENS, TOKENS[:, :5]))
    shapes = {k: v["weights"].shape[2:] for k, v in seen.items() if "weights" in v}
    assert shapes == {
        "encoder.blocks.0.attention": (7, 7),
        "decoder.blocks.0.attention": (5, 5),
        "decoder.blocks.0.cross": (5, 7),
    }


def test_neither_a_watched_nor_a_plain_call_changes_the_model():
    model = decoder()
    before = nnx.split(model)
    watch(model, lambda model: model(TOKENS))
    model(TOKENS)
    after = nnx.split(model)
    assert before[0] == after[0]
    assert jax.tree.structure(before[1]) == jax.tree.structure(after[1])
