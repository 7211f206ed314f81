"""The decoder: causality by gradient, depth, tying, dtype, packing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import attn
from attn.modules import Decoder, DecoderConfig, Precision

B, T, V = 2, 7, 11
SMALL = {"vocabulary": V, "context": T, "layers": 2, "heads": 2, "width": 12}


def decoder(**options):
    return Decoder(**{**SMALL, **options}, rngs=nnx.Rngs(0))


def tokens(seed=0):
    return jax.random.randint(jax.random.key(seed), (B, T), 0, V)


@pytest.mark.parametrize("position", ["none", "sinusoidal", "learned", "rotary"])
@pytest.mark.parametrize("norm", ["rms", "layer"])
def test_scores_every_token_of_the_vocabulary(position, norm):
    logits = decoder(position=position, norm=norm)(tokens())
    assert logits.shape == (B, T, V)
    assert logits.dtype == jnp.float32
    assert np.isfinite(logits).all()


def test_no_logit_depends_on_a_later_token():
    model = decoder(position="learned", init_std=0.3)
    graph, state = nnx.split(model)
    x = model.embed(tokens())

    def logits(x):
        model = nnx.merge(graph, state)
        for block in model.blocks:
            x = block(x)
        return model.embedding.attend(model.norm(x))[0].sum(-1)

    jacobian = np.abs(jax.jacobian(logits)(x)[:, 0]).sum(-1)
    assert (jacobian[np.triu_indices(T, 1)] == 0).all()
    assert (jacobian[np.tril_indices(T)] > 0).all()


@pytest.mark.parametrize("position", ["sinusoidal", "learned", "rotary"])
def test_positions_matter(position):
    repeated = jnp.full((1, T), 3)
    with_positions = decoder(position=position, init_std=0.3)
    logits = np.asarray(with_positions(tokens()))
    moved = with_positions(tokens(), at=attn.at(positions=jnp.arange(T) * 3 % T))
    assert np.abs(logits - moved).max() > 1e-4
    without = np.asarray(decoder(position="none")(repeated))
    np.testing.assert_allclose(without[0], without[0, :1].repeat(T, 0), atol=1e-5)


def test_a_tied_head_has_no_parameters_of_its_own():
    count = lambda m: sum(x.size for x in jax.tree.leaves(nnx.state(m)))  # noqa: E731
    assert count(decoder(tie=False)) - count(decoder()) == V * 12


def test_packed_documents_do_not_see_each_other():
    model = decoder(mask="causal & segments", position="learned")
    packed = attn.at(
        positions=jnp.array([0, 1, 2, 0, 1, 2, 3]),
        segment=jnp.array([0, 0, 0, 1, 1, 1, 1]),
    )
    whole = model(tokens(), at=packed)
    alone = model(tokens()[:, 3:], at=attn.at(segment=jnp.zeros(4, jnp.int32)))
    np.testing.assert_allclose(whole[:, 3:], alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layers", [2, 32])
def test_the_residual_stream_stays_level_with_depth(layers):
    model = decoder(layers=layers, init_std=None, width=32, heads=2)
    x = model.embed(tokens()) * 50  # embeddings of unit size
    start = float(jnp.std(x))
    for block in model.blocks:
        x = block(x)
    assert 0.5 < float(jnp.std(x)) / start < 3


def test_a_deep_model_gets_gradients_of_one_size_in_every_layer():
    model = decoder(layers=16)
    graph, state = nnx.split(model)

    def loss(state):
        logits = nnx.merge(graph, state)(tokens())
        picked = jnp.take_along_axis(
            jax.nn.log_softmax(logits), tokens(1)[..., None], -1
        )
        return -picked.mean()

    gradient = jax.grad(loss)(state)
    norms = [
        float(jnp.linalg.norm(gradient["blocks"][i]["mlp"]["up"]["kernel"][...]))
        for i in range(16)
    ]
    assert max(norms) < 30 * min(norms)


def test_remat_changes_nothing_but_memory():
    plain, remat = decoder(dropout=0.1), decoder(dropout=0.1, remat=True)
    rng = jax.random.key(0)
    np.testing.assert_allclose(
        plain(tokens(), rng=rng), remat(tokens(), rng=rng), rtol=1e-6, atol=1e-6
    )


def test_computes_in_bfloat16_and_scores_in_float32():
    precision = Precision(compute="bfloat16")
    model = decoder(precision=precision)
    assert model.embed(tokens()).dtype == jnp.bfloat16
    logits = model(tokens())
    assert logits.dtype == jnp.float32
    assert np.abs(logits - decoder()(tokens())).max() < 0.05


def test_computes_and_scores_in_float64():
    read = tokens()
    narrow = decoder(init_std=0.3)(read)
    with jax.enable_x64(True):
        precision = Precision(parameters="float64", compute="float64")
        model = decoder(precision=precision, init_std=0.3)
        logits = model(read)
    assert logits.dtype == jnp.float64
    np.testing.assert_allclose(logits, narrow, rtol=1e-3, atol=1e-3)
    assert (np.asarray(logits) != np.float32(logits)).all()


def test_a_softcap_bounds_the_logits():
    logits = decoder(init_std=2.0, softcap=3.0)(tokens())
    assert np.abs(logits).max() <= 3.0


def test_dropout_needs_an_rng():
    model = decoder(dropout=0.4)
    np.testing.assert_array_equal(model(tokens()), decoder()(tokens()))
    one = model(tokens(), rng=jax.random.key(0))
    assert np.abs(one - model(tokens())).max() > 1e-4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norm": "batch"}, "norm must be one of rms, layer|layer, rms"),
        ({"activation": "gleu"}, "activation must be one of"),
        ({"norm": "rms", "norm_bias": True}, "has no bias"),
        ({"mask": "casual"}, "causal"),
        ({"position": "rotery"}, "rotary"),
    ],
)
def test_wrong_choices_name_the_right_ones(options, message):
    with pytest.raises(ValueError, match=message):
        decoder(**options)


def test_the_config_is_static():
    assert hash(DecoderConfig(**SMALL)) == hash(DecoderConfig(**SMALL))
