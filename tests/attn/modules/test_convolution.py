"""Where a block may mix neighbours, and what that may not show."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import attn
from attn.modules import Decoder, DecoderConfig
from attn.modules.attention import MultiHeadAttention
from attn.modules.convolution import PLACES, ShortConvolution

SIZES = {"vocabulary": 11, "context": 8, "layers": 2, "heads": 2, "width": 16}
# Nothing else lets a token see another, so that what is seen came by a convolution.
ALONE = DecoderConfig(
    **SIZES, mask="window(back=0, ahead=0)", output_scale=1.0, init_std=0.3
)
TOKENS = jax.random.randint(jax.random.key(0), (2, 8), 0, 11)


def drawn(config):
    """A decoder whose convolutions do something, as after some training."""
    model = Decoder(config, rngs=nnx.Rngs(0))
    for _, part in nnx.iter_modules(model):
        if isinstance(part, ShortConvolution):
            shape = part.taps.shape
            part.taps[...] = 0.5 * jax.random.normal(jax.random.key(1), shape)
    return model


def reach(model, tokens, at=None):
    """Which positions' outputs a change of token 3 moves."""
    other = tokens.at[:, 3].set((tokens[:, 3] + 1) % 11)
    moved = np.abs(model(tokens, at=at) - model(other, at=at)).max((0, 2))
    return np.flatnonzero(moved).tolist()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("activation", ["gelu", "swiglu"])
def test_a_place_reaches_so_many_tokens_back_a_layer(place, activation):
    # Values at distance 0 are all that attention passes on here, mixed or not.
    options = {"activation": activation, "convolve": (place,), "taps": 2}
    model = drawn(dataclasses.replace(ALONE, **options))
    assert reach(model, TOKENS) == [3, 4, 5]  # one more for each of two layers


@pytest.mark.parametrize("place", PLACES)
def test_documents_stay_apart(place):
    model = drawn(dataclasses.replace(ALONE, convolve=(place,)))
    segment = jnp.array([0, 0, 1, 1, 1, 2, 2, 2])
    assert reach(model, TOKENS, attn.at(segment=segment)) == [3, 4]


def test_documents_may_be_said_by_per_batch_but_not_by_head():
    model = drawn(dataclasses.replace(ALONE, convolve=tuple(PLACES)))
    segment = jnp.array([[0, 0, 1, 1, 1, 2, 2, 2], [0, 1, 1, 1, 1, 1, 2, 2]])
    expected = model(TOKENS, at=attn.at(segment=segment))
    got = model(TOKENS, at=attn.at(segment=attn.per_batch(segment)))
    np.testing.assert_array_equal(got, expected)
    message = "^convolution: `segment` is of tokens, which all heads share; got per_"
    with pytest.raises(ValueError, match=message):
        model(TOKENS, at=attn.at(segment=attn.per_head(segment)))


def test_it_starts_as_nothing():
    base = Decoder(ALONE, rngs=nnx.Rngs(0))
    mixed = Decoder(
        dataclasses.replace(ALONE, convolve=tuple(PLACES)), rngs=nnx.Rngs(0)
    )
    np.testing.assert_array_equal(base(TOKENS), mixed(TOKENS))


def test_scanned_layers_mix_alike():
    options = {"convolve": tuple(PLACES), "mask": "causal"}
    one, other = (
        drawn(dataclasses.replace(ALONE, **options, scan=scan)) for scan in (0, 1)
    )
    for block, scanned in zip(one.layers(), other.layers(), strict=True):
        nnx.update(block, nnx.state(scanned, nnx.Param))
    np.testing.assert_allclose(one(TOKENS), other(TOKENS), rtol=1e-5, atol=1e-5)


def test_cross_attention_mixes_each_side():
    layer = MultiHeadAttention(width=16, heads=2, head_taps=3, rngs=nnx.Rngs(0))
    for mix in (layer.query_mix, layer.key_mix, layer.value_mix):
        mix.taps[...] = jnp.ones_like(mix.taps[...])
    x, context = (
        jax.random.normal(jax.random.key(i), (1, n, 16)) for i, n in [(0, 4), (1, 6)]
    )
    query, key, value = layer.project(x, context)
    assert query.shape[1] == 4
    assert key.shape[1] == value.shape[1] == 6
    plain = MultiHeadAttention(width=16, heads=2, rngs=nnx.Rngs(0))
    before = plain.project(x, context)[0]
    want = 2 * before[:, 3] + before[:, 2] + before[:, 1]
    np.testing.assert_allclose(query[:, 3], want, rtol=1e-5, atol=1e-5)


def test_what_it_costs():
    base, mixed = (
        Decoder(dataclasses.replace(ALONE, convolve=where), rngs=nnx.Rngs(0))
        for where in ((), tuple(PLACES))
    )
    features = 16 + 3 * 16 + 16 + 64
    assert mixed.flops(8) - base.flops(8) == 2 * 8 * 2 * 4 * features
    assert mixed.state_bytes(8) - base.state_bytes(8) == 2 * 3 * 4 * features
    assert mixed.state_bytes(2) - base.state_bytes(2) == 2 * 2 * 4 * features


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"convolve": ("mpl",)}, "convolve must be a tuple of attention, heads, mlp"),
        ({"convolve": "mlp"}, "convolve must be a tuple of attention, heads, mlp"),
        ({"convolve": ["mlp"]}, r"convolve must be a tuple .*, got \['mlp'\]\."),
        ({"taps": 3}, "taps=3 means nothing without a convolution"),
        ({"convolve": ("mlp",), "taps": 0}, "taps must be at least 1, got 0"),
    ],
)
def test_bad_input_gets_one_line(options, said):
    with pytest.raises(ValueError, match=said) as error:
        Decoder(dataclasses.replace(ALONE, **options), rngs=nnx.Rngs(0))
    assert "\n" not in str(error.value)
