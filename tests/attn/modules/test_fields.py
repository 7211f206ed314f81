"""Fields that take a piece or its notation: the same model, or one line of refusal."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import attn
from attn.modules import (
    ClassifierConfig,
    Decoder,
    DecoderConfig,
    Encoder,
    Seq2Seq,
    Seq2SeqConfig,
)
from attn.modules.classifier import Classifier
from attn.modules.encoder import EncoderConfig

B, T, V = 2, 7, 11
SIZES = {"vocabulary": V, "context": T, "layers": 2, "heads": 2, "width": 12}
TOKENS = jax.random.randint(jax.random.key(0), (B, T), 0, V)
LOWER = np.tril(np.ones((T, T), bool))


def decoder(**options):
    return Decoder(**{**SIZES, "init_std": 0.3, **options}, rngs=nnx.Rngs(0))


@pytest.mark.parametrize(
    "pieces",
    [
        {"position": attn.learned},
        {
            "position": attn.rotary(base=100.0),
            "mask": attn.causal & attn.window(back=2),
        },
        {"similarity": attn.cosine, "logits": attn.scale(3.0) >> attn.softcap(5)},
        {"normalizer": attn.sigmoid},
    ],
    ids=str,
)
def test_a_piece_is_as_good_as_its_notation(pieces):
    written = {name: repr(piece) for name, piece in pieces.items()}
    given, read = decoder(**pieces), decoder(**written)
    np.testing.assert_array_equal(given(TOKENS), read(TOKENS))


@pytest.mark.parametrize("scan", [False, True])
def test_arrays_of_a_piece_enter_a_model_as_data(scan):
    model, causal = decoder(mask=attn.dense(LOWER), scan=scan), decoder(scan=scan)
    np.testing.assert_allclose(model(TOKENS), causal(TOKENS), rtol=1e-5, atol=1e-5)
    learned = lambda model: jax.tree.leaves(nnx.state(model, nnx.Param))  # noqa: E731
    assert len(learned(model)) == len(learned(causal))


def test_models_that_differ_in_the_values_of_arrays_are_one_program():
    masks = LOWER, np.ones((T, T), bool)
    split = [nnx.split(decoder(mask=attn.dense(mask))) for mask in masks]
    (graph, _), (other, _) = split
    assert hash(graph) == hash(other)
    assert graph == other
    score = lambda graph, state: nnx.merge(graph, state)(TOKENS)  # noqa: E731
    call = jax.jit(score, static_argnums=0)
    causal, full = (call(*each) for each in split)
    assert call._cache_size() == 1
    assert np.abs(causal - full).max() > 1e-3


def test_the_configs_of_models_hash_though_arrays_do_not():
    mask = attn.dense(np.ones((T, T), bool))
    half = EncoderConfig(**SIZES, mask=mask)
    with pytest.raises(TypeError, match="unhashable"):
        hash(half)
    reader = DecoderConfig(**SIZES, cross=mask, mask=mask)
    classes = ClassifierConfig(**SIZES, classes=3, mask=mask)
    hash(Encoder(half, rngs=nnx.Rngs(0)).config)
    hash(Seq2Seq(encoder=half, decoder=reader, rngs=nnx.Rngs(0)).config)
    hash(Classifier(classes, rngs=nnx.Rngs(0)).config)
    text = Seq2SeqConfig(encoder=EncoderConfig(**SIZES), decoder=DecoderConfig(**SIZES))
    assert Seq2Seq(text, rngs=nnx.Rngs(0)).config == text


def test_a_config_without_its_arrays_builds_no_second_model():
    mask = attn.dense(LOWER)
    config = decoder(mask=mask, cross=mask).config
    masked = dataclasses.replace(config, cross=None)
    with pytest.raises(ValueError, match=r"mask is `dense\(array\(<bool\[7, 7\]>\)\)`"):
        Decoder(masked, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"cross is `Attention\(mask=dense\(array\(<"):
        Decoder(config, mask="causal", rngs=nnx.Rngs(0))
    again = dataclasses.replace(masked, mask="causal", layers=1)
    assert Decoder(again, rngs=nnx.Rngs(0))(TOKENS).shape == (B, T, V)


@pytest.mark.parametrize("given", [attn.none, "none"])
def test_no_position_of_no_cross_attention_is_no_choice(given):
    assert decoder(cross_position=given)(TOKENS).shape == (B, T, V)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"position": "causal"},
            "DecoderConfig: position must be a position piece, got `causal`, of kind "
            "mask; write mask=causal.",
        ),
        (
            {"mask": attn.softcap(5)},
            "DecoderConfig: mask must be a mask piece, got `softcap`, of kind logits; "
            "write logits=softcap.",
        ),
        (
            {"mask": "causal, softcap(5)"},
            "DecoderConfig: mask must be a mask piece, got `Attention`, of kind ",
        ),
        (
            {"mask": attn.window},
            "DecoderConfig: mask must be a mask piece, got `window` without its "
            "arguments; write window(...).",
        ),
        (
            {"logits": jnp.ones((T, T))},
            "DecoderConfig: logits must be a logits piece, got ArrayImpl; give a piece",
        ),
        (
            {"normalizer": 3},
            "DecoderConfig: normalizer must be a normalizer piece, got int; give a",
        ),
        (
            {"cross": "everything", "cross_position": attn.causal},
            "MultiHeadAttention: position must be a position piece, got `causal`",
        ),
    ],
)
def test_another_kind_is_refused_in_one_line(options, message):
    with pytest.raises(ValueError, match=r"must be a") as error:
        decoder(**options)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
