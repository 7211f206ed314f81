"""The attention layer: wiring, sizes, dtypes, and what learned pieces get."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import attn
from attn.modules import AttentionConfig, MultiHeadAttention, Precision

B, T, S, D = 2, 5, 7, 12


def inputs(length=T, width=D, seed=0):
    return jax.random.normal(jax.random.key(seed), (B, length, width))


def layer(**options):
    return MultiHeadAttention(
        **{"width": D, "heads": 4, "rngs": nnx.Rngs(0), **options}
    )


def by_hand(module, x, context, mask, heads, key_heads):
    """The layer in NumPy, float64, one head at a time."""
    kernel = lambda linear: np.asarray(linear.kernel[...], np.float64)  # noqa: E731
    query, key, value = (
        np.asarray(z, np.float64) @ kernel(m)
        for z, m in ((x, module.query), (context, module.key), (context, module.value))
    )
    h, e = query.shape[-1] // heads, value.shape[-1] // key_heads
    merged = np.zeros((*query.shape[:2], heads * e))
    for b in range(len(query)):
        for n in range(heads):
            k = n // (heads // key_heads)
            logits = query[b, :, n * h : n * h + h] @ key[b, :, k * h : k * h + h].T
            logits = np.where(mask, logits / np.sqrt(h), -np.inf)
            weights = np.exp(logits - logits.max(-1, keepdims=True))
            weights /= weights.sum(-1, keepdims=True)
            merged[b, :, n * e : n * e + e] = weights @ value[b, :, k * e : k * e + e]
    return merged @ kernel(module.output)


@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_self_attention_equals_numpy(key_heads):
    module = layer(key_heads=key_heads, value_width=5, spec="causal")
    x, mask = inputs(), np.tril(np.ones((T, T), bool))
    expected = by_hand(module, x, x, mask, 4, key_heads)
    np.testing.assert_allclose(module(x), expected, rtol=1e-5, atol=1e-5)


def test_cross_attention_equals_numpy():
    module = layer(context_width=11)
    x, context = inputs(), inputs(S, 11, seed=1)
    mask = np.ones((T, S), bool)
    expected = by_hand(module, x, context, mask, 4, 4)
    np.testing.assert_allclose(module(x, context), expected, rtol=1e-5, atol=1e-5)


def test_the_worked_example_of_three_words():
    x = jnp.array([[[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]]])
    module = MultiHeadAttention(width=3, heads=1, rngs=nnx.Rngs(7))
    expected = by_hand(module, x, x, np.ones((3, 3), bool), 1, 1)
    np.testing.assert_allclose(module(x), expected, rtol=1e-5, atol=1e-6)


def test_rotary_logits_depend_on_distance_only():
    module = layer(position="rotary", head_width=4)
    x = inputs()
    shifted = attn.at(positions=jnp.arange(T) + 1000)
    np.testing.assert_allclose(module(x, at=shifted), module(x), rtol=2e-3, atol=2e-4)
    assert np.abs(module(x) - layer(head_width=4)(x)).max() > 1e-3


def test_query_key_norm_ignores_the_size_of_queries():
    module = layer(query_key_norm=True, init_std=1.0)
    before = module(inputs())
    module.query.kernel[...] = module.query.kernel[...] * 100
    np.testing.assert_allclose(module(inputs()), before, rtol=1e-3, atol=1e-4)


def test_segments_isolate_documents():
    module = layer(spec="causal & segments")
    segment = jnp.array([0, 0, 0, 1, 1])
    x = inputs()
    base = module(x, at=attn.at(segment=segment))
    changed = module(x.at[:, :3].set(1e4), at=attn.at(segment=segment))
    np.testing.assert_array_equal(base[:, 3:], changed[:, 3:])


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ("alibi(slopes='learned')", 1),
        ("t5(buckets=8)", 1),
        ("softmax(sink='learned')", 1),
        ("alibi", 0),
    ],
)
def test_learned_pieces_become_parameters_with_gradients(spec, count):
    module = layer(spec=spec)
    kernels = 4
    leaves = jax.tree.leaves(nnx.state(module, nnx.Param))
    assert len(leaves) == kernels + count
    if not count:
        return
    graph, state = nnx.split(module)
    cotangent = inputs(seed=3)
    loss = lambda state: jnp.sum(nnx.merge(graph, state)(inputs()) * cotangent)  # noqa: E731
    gradient = jax.grad(loss)(state)["spec"]["parameters"]
    for leaf in jax.tree.leaves(gradient):
        assert np.abs(leaf).max() > 0


def test_arrays_of_a_spec_are_data_not_parameters():
    module = layer(spec=attn.alibi(slopes=attn.per_head([0.1, 0.2, 0.3, 0.4])))
    kernels = 4
    assert len(jax.tree.leaves(nnx.state(module, nnx.Param))) == kernels
    assert len(jax.tree.leaves(nnx.state(module))) == kernels + 1


def test_precision_keeps_its_three_dtypes_apart():
    precision = Precision(parameters="float32", compute="bfloat16")
    module = layer(precision=precision)
    x = inputs().astype(jnp.bfloat16)
    assert module(x).dtype == jnp.bfloat16
    assert module.query.kernel[...].dtype == jnp.float32
    wide = layer()(inputs())
    assert np.abs(module(x).astype(jnp.float32) - wide).max() < 0.05


def test_dropout_acts_only_with_an_rng_and_differs_between_rngs():
    module = layer(dropout=0.5)
    x = inputs()
    still = module(x)
    np.testing.assert_array_equal(still, layer()(x))
    one, two = (module(x, rng=jax.random.key(seed)) for seed in (0, 1))
    assert np.abs(one - still).max() > 1e-3
    assert np.abs(one - two).max() > 1e-3


def test_probes_come_with_the_layer():
    output = layer().attend(inputs(), probes=("entropy",))
    chex.assert_shape(output.aux["entropy"], (B, T, 4))


def test_is_made_from_a_config_or_from_keywords():
    config = AttentionConfig(width=D, heads=4)
    one = MultiHeadAttention(config, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(one(inputs()), layer()(inputs()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 5}, r"heads must divide width, got heads=5, width=12"),
        ({"key_heads": 3}, r"key_heads must divide heads, got key_heads=3, heads=4"),
        ({"spec": "casual"}, r"causal"),
        ({"position": "learned"}, r"position must be rotary\(...\) or none"),
    ],
)
def test_wrong_choices_say_which(options, message):
    with pytest.raises(ValueError, match=message):
        layer(**options)


def test_an_unknown_dtype_names_the_known_ones():
    with pytest.raises(ValueError, match=r"compute must be one of .*float32.*'f8'"):
        Precision(compute="f8")


@pytest.mark.parametrize(
    ("compute", "accumulate"),
    [("float64", "float32"), ("float32", "bfloat16"), ("float32", "float16")],
)
def test_sums_are_no_narrower_than_what_is_summed(compute, accumulate):
    message = f"got accumulate='{accumulate}', compute='{compute}'; leave it out"
    with pytest.raises(ValueError, match=message) as error:
        Precision(compute=compute, accumulate=accumulate)
    assert "\n" not in str(error.value)


def test_sums_in_float16_would_overflow():
    with pytest.raises(ValueError, match="must not be float16, in which sums overflow"):
        Precision(compute="float16", accumulate="float16")


def test_sums_may_be_wider_than_what_is_summed():
    assert Precision(compute="bfloat16", accumulate="bfloat16").compute == "bfloat16"
    x = inputs()
    with jax.enable_x64(True):
        model = layer(precision=Precision(accumulate="float64"))
        assert model(x).dtype == jnp.float32
