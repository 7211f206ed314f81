"""Transformations around the blockwise backend, and what it must not let through."""

import functools
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attn
from attn.backends.planner import Tiling

T, H, E = 7, 5, 3
STRIPS = Tiling(strip=4, step=4)
TABLE = Tiling(strip=0, rows=4, cols=3)
dense = functools.partial(attn.attend, backend="dense")
blockwise = functools.partial(attn.attend, backend="blockwise")
# The rule of its own in both plans, and the scan that JAX differentiates.
PATHS = {
    "strips": ("causal, alibi", STRIPS),
    "table": ("causal, softcap(2) >> alibi", TABLE),
    "scan": ("causal, alibi, sigmoid", TABLE),
}


def normal(*shape, seed=0, dtype="float32"):
    """Numbers from a normal distribution."""
    draw = np.random.default_rng(seed).normal(size=shape)
    return jnp.asarray(draw.astype(np.float32), dtype)


def arrays(seed=0, dtype="float64"):
    shapes = (T, H), (T, H), (T, E)
    return [normal(*x, seed=seed + n, dtype=dtype) for n, x in enumerate(shapes)]


def close(got, expected, by=1e-9):
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(x, y, rtol=by, atol=by)


@functools.partial(jax.jit, static_argnums=(0, 1))
def derivatives(attend, text, primals, tangents):
    """jvp, forward over reverse, reverse over reverse, of a curved loss."""
    spec = attn.parse(text)

    def output(slope, *arrays):
        parts = attn.spec.attention.as_attention(spec)
        parts = parts(logits=attn.alibi(slopes=slope) >> parts.logits)
        return attend(parts, *arrays).value

    def loss(*primals):
        return jnp.sum(jnp.sin(output(*primals)))

    every = tuple(range(4))
    gradient = jax.grad(loss, every)

    def along(*primals):
        pairs = zip(gradient(*primals), tangents, strict=True)
        return sum(jnp.vdot(x, y) for x, y in pairs)

    return {
        "forward": jax.jvp(output, primals, tangents),
        "forward over reverse": jax.jvp(gradient, primals, tangents),
        "reverse over reverse": jax.grad(along, every)(*primals),
    }


@pytest.mark.parametrize("path", PATHS)
def test_forward_mode_and_hessian_vector_products_equal_dense(path):
    text, tiling = PATHS[path]
    with jax.enable_x64(True):
        primals = (jnp.asarray(0.3, "float64"), *arrays())
        tangents = (jnp.asarray(0.7, "float64"), *arrays(seed=10))
        forced = functools.partial(blockwise, tiling=tiling)
        close(
            derivatives(forced, text, primals, tangents),
            derivatives(dense, text, primals, tangents),
        )


def test_vmap_over_a_batch_of_specs_equals_a_loop():
    slopes, caps = jnp.array([0.1, 0.5, 2.0]), jnp.array([1.0, 3.0, 9.0])
    specs = jax.vmap(lambda a, b: attn.alibi(slopes=a) >> attn.softcap(b))(slopes, caps)
    query, key, value = arrays(dtype="float32")

    @jax.jit
    @functools.partial(jax.vmap, in_axes=(0, None))
    def many(spec, query):
        def loss(spec, query):
            spec = attn.Attention(logits=spec, mask=attn.causal)
            output = blockwise(spec, query, key, value, tiling=TABLE).value
            return jnp.sum(jnp.sin(output)), output

        return jax.grad(loss, (0, 1), has_aux=True)(spec, query)

    @jax.jit
    def one(spec, query):
        def loss(spec, query):
            spec = attn.Attention(logits=spec, mask=attn.causal)
            output = dense(spec, query, key, value).value
            return jnp.sum(jnp.sin(output)), output

        return jax.grad(loss, (0, 1), has_aux=True)(spec, query)

    got = many(specs, query)
    for n in range(3):
        expected = one(jax.tree.map(lambda x, n=n: x[n], specs), query)
        close(jax.tree.map(lambda x, n=n: x[n], got), expected, by=1e-5)


def test_loops_and_checkpoints_change_nothing():
    """lax.map over heads, and a checkpoint around each, forward and backward."""
    three = (arrays(seed, dtype="float32") for seed in range(3))
    heads = [jnp.stack(x) for x in zip(*three, strict=True)]

    def head(attend, arrays):
        return attend("causal & window(back=3)", *arrays).value

    def loss(lift, arrays):
        return jnp.sum(jnp.sin(lift(arrays)))

    forced = functools.partial(head, functools.partial(blockwise, tiling=TABLE))
    lifts = [
        jax.vmap(functools.partial(head, dense)),
        functools.partial(jax.lax.map, forced),
        jax.vmap(jax.checkpoint(forced)),
    ]
    found = [
        jax.jit(jax.value_and_grad(functools.partial(loss, lift)))(heads)
        for lift in lifts
    ]
    close(found[1], found[0], by=1e-5)
    close(found[2], found[0], by=1e-5)


SHARDED = """
import functools, jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, PartitionSpec as P
import attn
assert len(jax.devices()) == 4
mesh = Mesh(np.array(jax.devices()), ("data",))
draw = np.random.default_rng(0)
arrays = [jnp.asarray(draw.normal(size=(4, 7, 2, n)), "float32") for n in (5, 5, 3)]

def loss(backend, *arrays):
    output = attn.attend_heads("causal, alibi", *arrays, backend=backend).value
    return jnp.sum(jnp.sin(output), axis=(1, 2, 3)), output

def both(backend, *arrays):
    total = lambda *x: (loss(backend, *x)[0].sum(), loss(backend, *x)[1])
    return jax.grad(total, (0, 1, 2), has_aux=True)(*arrays)

def spread(run, **options):
    options |= {"mesh": mesh, "in_specs": P("data"), "out_specs": P("data")}
    return jax.jit(jax.shard_map(functools.partial(run, "blockwise"), **options))

expected = jax.jit(functools.partial(both, "dense"))(*arrays)
output = spread(lambda *x: loss(*x)[1])(*arrays)
np.testing.assert_allclose(output, expected[1], rtol=1e-5, atol=1e-5)
# JAX forgets which axes an array varies over when it transposes a checkpoint, so its
# check is off for the gradients, as its message asks for.
got = spread(both, check_vma=False)(*arrays)
for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
    assert len(x.sharding.device_set) == 4
    np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5)

# Of arrays whose types say how they are cut, heads are mapped and not looped over.
with jax.set_mesh(jax.make_mesh((4,), ("data",))):
    typed = [jax.reshard(x, P("data")) for x in arrays]
    got = jax.jit(functools.partial(both, "blockwise"))(*typed)
assert got[1].aval.sharding.spec[0] == "data"
for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
    np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5)
print("same on", len(jax.devices()))
"""


def test_shard_map_over_four_devices_equals_one():
    flags = "--xla_force_host_platform_device_count=4"
    done = subprocess.run(
        [sys.executable, "-c", SHARDED],
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout == "same on 4\n", done.stderr[-2000:]


# Backend, tiling, mask; keys 3 and later are hidden from rows 0 to 2.
ISOLATED = {
    "strips-causal": ("blockwise", STRIPS, "causal"),
    "table-causal": ("blockwise", TABLE, "causal"),
    "table-segments": ("blockwise", TABLE, "causal & segments"),
    "scan-segments": ("blockwise", TABLE, "causal & segments, sigmoid"),
    "fused-causal": ("fused", None, "causal"),
}


@pytest.mark.parametrize("name", ISOLATED)
def test_hidden_keys_have_gradient_zero_and_no_influence(name):
    """1e4 leaves outputs and gradients bitwise the same, NaN and infinity outputs."""
    backend, tiling, text = ISOLATED[name]
    options = {} if tiling is None else {"tiling": tiling}
    at = None
    if "segments" in text:
        at = attn.at(segment=jnp.array([0, 0, 0, 1, 1, 1, 1]))

    @jax.jit
    def run(query, key, value):
        def loss(*arrays):
            output = attn.attend(text, *arrays, at=at, backend=backend, **options).value
            return jnp.sum(jnp.sin(output[:3])), output[:3]

        return jax.grad(loss, (0, 1, 2), has_aux=True)(query, key, value)

    query, key, value = (normal(T, H, seed=seed) for seed in range(3))
    gradients, output = run(query, key, value)
    for gradient in gradients[1:]:
        assert not np.asarray(gradient)[3:].any()
        assert np.asarray(gradient)[:3].any()
    for poison in (1e4, np.nan, np.inf, -np.inf):
        if backend == "fused" and poison != 1e4:
            continue
        changed, same = run(query, *(x.at[3:].set(poison) for x in (key, value)))
        np.testing.assert_array_equal(same, output)
        if poison == 1e4:
            for got, expected in zip(changed, gradients, strict=True):
                np.testing.assert_array_equal(got, expected)


LENGTH = 160  # auto folds blocks from here on
HEADS = [normal(1, LENGTH, 2, 4, seed=seed) for seed in range(3)]


def _gradients(loss, *arrays):
    return jax.grad(lambda *x: jnp.sum(jnp.square(loss(*x).astype("f"))), range(3))(
        *arrays
    )


def _both(loss, *arrays):
    """Gradients by blocks and by the definition."""
    return [
        _gradients(lambda *x, b=b: loss(*x, b).value, *arrays)
        for b in ("blockwise", "dense")
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("notation", ["causal", "sigmoid, alibi", "softmax(sink=0.5)"])
def test_heads_where_jax_counts_in_64_bits(notation, dtype):
    with jax.enable_x64(True):
        arrays = [x.astype(dtype) for x in HEADS]
        run = lambda *x: attn.attend_heads(notation, *x[:3], backend=x[3])  # noqa: E731
        for found, expected in zip(*_both(run, *arrays), strict=True):
            assert found.dtype == dtype
            np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


LEARNED = {
    "sink": (jnp.ones(2), lambda x: attn.softmax(sink=attn.per_head(x))),
    "scale": (jnp.ones(2), lambda x: attn.scale(attn.per_head(x))),
    "slopes": (jnp.ones(2), lambda x: attn.alibi(slopes=attn.per_head(x))),
    "decay": (jnp.linspace(0.0, -3.0, LENGTH), lambda x: attn.decay(x, x)),
    "temperature": (jnp.ones(2), lambda x: attn.cosine(attn.per_head(x))),
}


@pytest.mark.parametrize("name", LEARNED)
def test_wide_arrays_beside_narrow_ones_get_gradients(name):
    array, piece = LEARNED[name]
    query, key, value = (x.astype("bfloat16") for x in HEADS)

    def run(array, query, key, backend):
        spec = piece(array), attn.causal
        return attn.attend_heads(spec, query, key, value, backend=backend)

    for found, expected in zip(*_both(run, array, query, key), strict=True):
        assert found.dtype == expected.dtype
        found, expected = (np.asarray(x, np.float32) for x in (found, expected))
        np.testing.assert_allclose(found, expected, rtol=0.02, atol=0.02)


def test_queries_keys_and_values_of_three_dtypes_get_gradients():
    arrays = HEADS[0].astype("bfloat16"), HEADS[1], HEADS[2].astype("float16")
    run = lambda *x: attn.attend_heads("causal", *x[:3], backend=x[3])  # noqa: E731
    for found, expected, given in zip(*_both(run, *arrays), arrays, strict=True):
        assert found.dtype == given.dtype
        found, expected = (np.asarray(x, np.float32) for x in (found, expected))
        np.testing.assert_allclose(found, expected, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_what_a_function_closes_over_keeps_its_gradient(wrap):
    def loss(table, backend="auto"):
        bent = attn.fn(lambda logits, site: logits + table[site.key_pos])
        spec = bent, attn.causal
        return jnp.sum(attn.attend_heads(spec, *HEADS, backend=backend).value ** 2)

    table = jnp.linspace(0.0, 1.0, LENGTH)
    found = wrap(jax.grad(loss))(table)
    expected = jax.grad(lambda x: loss(x, "dense"))(table)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="closes over an array that is traced, whose"):
        jax.grad(lambda x: loss(x, "blockwise"))(table)


@pytest.mark.parametrize("normalizer", ["softmax", "sigmoid", "relu2"])
def test_probes_have_the_gradients_of_the_definition(normalizer):
    probes = ("log_sum_exp", "max_logit", "entropy")
    spec = attn.parse(normalizer), attn.causal
    query, key, value = (normal(30, 4, seed=seed) for seed in range(3))

    def loss(query, key, backend):
        aux = attn.attend(spec, query, key, value, probes=probes, backend=backend).aux
        return sum(jnp.sum(jnp.sin(aux[name])) for name in probes)

    for n in (0, 1):
        found, expected = (
            jax.grad(loss, n)(query, key, b) for b in ("blockwise", "dense")
        )
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_data_named_pos_are_no_positions():
    at = attn.at(
        segment=jnp.zeros(LENGTH, int),
        query={"pos": jnp.zeros(LENGTH, int)},
        key={"pos": jnp.full(LENGTH, 5)},
    )
    spec = "causal & segments, sigmoid"
    found, expected = (
        attn.attend_heads(spec, *HEADS, at=at, backend=b).value
        for b in ("blockwise", "dense")
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("backend", ["dense", "blockwise"])
def test_a_sink_that_takes_nothing_leaves_an_empty_row_zero(backend):
    def run(sink):
        spec = attn.softmax(sink=attn.per_head(sink)), attn.causal & ~attn.first(3)
        return attn.attend_heads(spec, *HEADS, backend=backend).value

    sink = jnp.full(2, -jnp.inf)
    assert not np.asarray(run(sink)[0, :3]).any()
    assert np.isfinite(run(sink)).all()
    gradient = jax.grad(lambda x: jnp.sum(run(x) ** 2))(sink)
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("tiling", [STRIPS, TABLE], ids=["strips", "table"])
def test_no_rule_keeps_an_array_of_its_spec_alive(tiling):
    """JAX's check of leaks: a rule stays in the caches as long as its program."""
    query, key, value = arrays(dtype="float32")

    def loss(slope, query):
        spec = attn.causal, attn.alibi(slopes=slope)
        return jnp.sum(blockwise(spec, query, key, value, tiling=tiling).value)

    with jax.checking_leaks():
        jax.jit(jax.grad(loss, (0, 1)))(jnp.float32(0.5), query)
