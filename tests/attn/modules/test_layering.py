"""Blocks as one loop: the same numbers, and a program that does not grow with them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from attn.modules import Decoder, Encoder, Seq2Seq
from attn.modules.decoder import DecoderConfig
from attn.modules.encoder import EncoderConfig
from attn.modules.watch import watch

SIZES = {"vocabulary": 13, "context": 11, "heads": 2, "width": 8, "layers": 2}
TOKENS = jnp.arange(22).reshape(2, 11) % 13
CASES = {
    "learned pieces": {"logits": "t5(buckets=4, max_distance=8)", "norm": "layer"},
    "remat and dropout": {"remat": True, "dropout": 0.25},
}


def decoder(scan, **options):
    return Decoder(**SIZES | options, scan=scan, rngs=nnx.Rngs(5))


def loss(model):
    logits = model(TOKENS, rng=jax.random.key(3))
    return jnp.square(logits - 1).mean()


def valued(model):
    """The loss and its gradient, a nested dict."""
    graph, state = nnx.split(model)
    call = jax.value_and_grad(lambda state: loss(nnx.merge(graph, state)))
    value, slopes = jax.jit(call)(state)
    return value, nnx.to_pure_dict(slopes)


@pytest.mark.parametrize(
    "name",
    ["learned pieces", pytest.param("remat and dropout", marks=pytest.mark.slow)],
)
def test_a_loop_computes_what_the_blocks_do_one_by_one(name):
    plain, scanned = (decoder(scan, **CASES[name]) for scan in (False, True))
    (found, slopes), (expected, wanted) = map(valued, (scanned, plain))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    rows, blocks = slopes["blocks"], wanted["blocks"]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *blocks.values())
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
        rows,
        stacked,
    )
    assert scanned.flops(11) == plain.flops(11)
    assert scanned.state_bytes(11) == plain.state_bytes(11)


def test_what_is_drawn_does_not_depend_on_it():
    """Nor what is drawn after the blocks, as an untied head is."""
    plain, scanned = (decoder(scan, tie=False) for scan in (False, True))
    scanned.unroll()
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7),
        nnx.to_pure_dict(nnx.state(scanned)),
        nnx.to_pure_dict(nnx.state(plain)),
    )


def test_a_program_does_not_grow_with_its_layers():
    def size(layers):
        model = decoder(True, layers=layers)
        graph, state = nnx.split(model)
        call = jax.jit(
            lambda state: jax.grad(lambda s: loss(nnx.merge(graph, s)))(state)
        )
        return call.lower(state).as_text().count("\n")

    assert size(24) == size(4)


def test_who_watches_sees_every_layer():
    (logits, seen), (expected, plain) = (
        watch(decoder(scan), lambda model: model(TOKENS)) for scan in (True, False)
    )
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-6)
    assert list(seen) == list(plain)
    weights = seen["blocks.1.attention"]["weights"]
    np.testing.assert_allclose(
        weights, plain["blocks.1.attention"]["weights"], rtol=1e-5, atol=1e-6
    )


def test_encoders_and_halves_of_other_depth_scan_too():
    encoder = EncoderConfig(**SIZES | {"layers": 3}, scan=True)
    model = Seq2Seq(
        encoder=encoder, decoder=DecoderConfig(**SIZES, scan=True), rngs=nnx.Rngs(0)
    )
    assert model(TOKENS, TOKENS).shape == (2, 11, 13)
    assert len(model.encoder.layers()) == 3
    assert Encoder(encoder, rngs=nnx.Rngs(0))(TOKENS).value.shape == (2, 11, 8)
