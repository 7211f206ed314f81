"""What modules say that they cost, against counting."""

import jax.numpy as jnp
import pytest
from flax import nnx

from attn.modules import Classifier, Decoder, EncoderConfig, Seq2Seq
from attn.modules.decoder import DecoderConfig
from tests.attn.counted import dot_flops

SIZES = {"vocabulary": 29, "layers": 2, "heads": 4, "key_heads": 2, "width": 24}
T, S = 7, 11


def tokens(length):
    return jnp.ones((1, length), jnp.int32)


@pytest.mark.parametrize("activation", ["gelu", "swiglu"])
@pytest.mark.parametrize("tie", [True, False])
def test_a_decoder_costs_what_is_counted(activation, tie):
    made = Decoder(
        **SIZES,
        context=T,
        mask="everything",
        activation=activation,
        tie=tie,
        backend="dense",
        rngs=nnx.Rngs(0),
    )
    assert made.flops(T) == dot_flops(lambda x: made(x), tokens(T))


def test_a_mask_saves_what_it_hides():
    options = {**SIZES, "context": T, "rngs": nnx.Rngs(0)}
    everything, causal = (
        Decoder(mask=mask, **options).flops(T) for mask in ("everything", "causal")
    )
    hidden = T * (T - 1) // 2
    assert everything - causal == 2 * 4 * hidden * 2 * (6 + 6)  # layers, heads, H + E


def test_both_halves_of_a_seq2seq_cost_what_is_counted():
    encoder = EncoderConfig(**SIZES, context=S, backend="dense")
    decoder = DecoderConfig(**SIZES, context=T, mask="everything", backend="dense")
    made = Seq2Seq(encoder=encoder, decoder=decoder, rngs=nnx.Rngs(0))
    counted = dot_flops(lambda x, y: made(x, y), tokens(S), tokens(T))
    assert made.flops(T, S) == counted


@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_a_classifier_costs_what_is_counted(pooling):
    made = Classifier(
        **SIZES,
        context=T,
        classes=3,
        pooling=pooling,
        backend="dense",
        rngs=nnx.Rngs(0),
    )
    assert made.flops(T) == dot_flops(lambda x: made(x), tokens(T))


def test_a_decoder_remembers_keys_and_values_that_may_be_seen():
    """2 layers x 2 key heads x (6 + 6) numbers of 4 bytes, for each token in reach."""
    options = {**SIZES, "context": 32, "rngs": nnx.Rngs(0)}
    token = 2 * 2 * (6 + 6) * 4
    assert Decoder(mask="causal", **options).state_bytes(32) == 32 * token
    window = Decoder(mask="causal & window(back=4)", **options)
    assert window.state_bytes(32) == 4 * token
    encoder = EncoderConfig(**SIZES, context=S)
    decoder = DecoderConfig(**SIZES, context=T)
    both = Seq2Seq(encoder=encoder, decoder=decoder, rngs=nnx.Rngs(0))
    assert both.state_bytes(T, S) == (T + S) * token
