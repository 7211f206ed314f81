"""The blockwise backend equals the dense definition: values, gradients, every order."""

import itertools
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attn
from attn.backends import blockwise, dense
from attn.backends.planner import Tiling
from attn.spec.attention import as_attention
from tests.cases import CASES, Draw, where

STRIPS = Tiling(strip=8, step=4)
TABLE = Tiling(strip=0, rows=8, cols=4)
TILINGS = {"strips": STRIPS, "table": TABLE}
SIZES = {"self": (19, 19), "cross": (7, 19), "one-key": (5, 1)}
TOLERANCE = {"float32": 2e-5, "bfloat16": 5e-2, "float64": 1e-12}
MERGEABLE = [case for case in CASES if "max" not in case.name or "soft" in case.name]
MATRIX = list(itertools.product(MERGEABLE, TILINGS, SIZES, TOLERANCE))
SAMPLED = 41  # one in so many rows of the matrix runs by default


def _chosen(row) -> bool:
    name = "/".join([row[0].name, *row[1:]])
    return zlib.crc32(name.encode()) % SAMPLED == 0


def _rows():
    for row in MATRIX:
        marks = () if _chosen(row) else (pytest.mark.slow,)
        identity = "-".join([row[0].name, *row[1:]])
        yield pytest.param(*row, marks=marks, id=identity)


def _arrays(t, s, h=5, e=3, dtype="float32"):
    random = np.random.default_rng(1)
    shapes = ((t, h), (s, h), (s, e))
    return [jnp.asarray(random.normal(size=x), dtype) for x in shapes]


def _close(a, b, tolerance):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        scale = max(1.0, float(np.abs(y[np.isfinite(y)]).max(initial=0)))
        np.testing.assert_allclose(x / scale, y / scale, atol=tolerance, rtol=0)


@pytest.mark.parametrize(("case", "tiling", "size", "dtype"), list(_rows()))
def test_equals_dense(case, tiling, size, dtype):
    t, s = SIZES[size]
    draw = Draw(t=t, s=s)
    at, _ = where(draw)
    spec = as_attention(case.piece(draw))
    with jax.enable_x64(dtype == "float64"):
        arrays = _arrays(t, s, dtype=dtype)
        one = jax.jit(
            lambda *x: blockwise.attend(spec, *x, at=at, tiling=TILINGS[tiling])
        )
        two = jax.jit(lambda *x: dense.attend(spec, *x, at=at))
        _close(one(*arrays), two(*arrays), TOLERANCE[dtype])
        gradients = [
            jax.jit(jax.grad(lambda *x, f=f: jnp.sum(f(*x)[0] ** 2), (0, 1, 2)))(
                *arrays
            )
            for f in (one, two)
        ]
        _close(*gradients, 4 * TOLERANCE[dtype])


LEARNED = {
    "alibi": (attn.alibi(slopes=jnp.float32(0.3)), attn.causal),
    "t5": (attn.t5(table=jnp.arange(32.0) / 9.0), attn.causal),
    "bias": (attn.bias(jnp.outer(jnp.ones(19), jnp.arange(19.0))),),
    "decay": (attn.decay(jnp.arange(19.0) / 9, jnp.arange(19.0) / 9), attn.causal),
    "sink": (attn.softmax(sink=jnp.float32(0.2)), attn.causal),
    "temperature": (attn.cosine(temperature=jnp.float32(0.4)),),
    "bilinear": (attn.bilinear(jnp.eye(5) + 0.1),),
    "sigmoid": (attn.sigmoid(bias=jnp.float32(0.2)), attn.causal),
}


@pytest.mark.parametrize("tiling", TILINGS)
@pytest.mark.parametrize("name", LEARNED)
def test_learned_arrays_get_gradients(name, tiling):
    spec = as_attention(LEARNED[name])
    arrays = _arrays(19, 19)
    leaves, structure = jax.tree.flatten(spec)

    def loss(backend, **options):
        def total(leaves, *arrays):
            spec = jax.tree.unflatten(structure, leaves)
            return jnp.sum(backend.attend(spec, *arrays, **options)[0] ** 2)

        return jax.jit(jax.grad(total, (0, 1, 2, 3)))(leaves, *arrays)

    mine, theirs = loss(blockwise, tiling=TILINGS[tiling]), loss(dense)
    # Softmax does not see what is added to a whole row: decay's query side gets 0.
    assert any(np.abs(x).max() > 1e-4 for x in jax.tree.leaves(theirs[0]))
    _close(mine, theirs, 5e-5)


def _jvp(f, x):
    return jax.jvp(f, x, x)[1]


def _gradient(f):
    return jax.grad(lambda *x: jnp.sum(f(*x) ** 2), (0, 1, 2))


def _inner(f):
    return lambda *x: sum(
        jnp.vdot(a, b) for a, b in zip(_gradient(f)(*x), x, strict=True)
    )


ORDERS = {
    "forward": lambda f, x: _jvp(f, x),
    "forward over reverse": lambda f, x: _jvp(_gradient(f), x),
    "reverse over reverse": lambda f, x: jax.grad(_inner(f), (0, 1, 2))(*x),
    "reverse over forward": lambda f, x: jax.grad(
        lambda *y: jnp.sum(_jvp(lambda *z: f(*z) ** 2, y)), (0, 1, 2)
    )(*x),
    "one input": lambda f, x: jax.hessian(lambda q: jnp.sum(f(q, *x[1:]) ** 2))(x[0]),
    "vmap": lambda f, x: jax.vmap(_gradient(f), (0, None, None))(
        jnp.stack([x[0], -x[0]]), *x[1:]
    ),
    "lax.map": lambda f, x: jax.lax.map(
        lambda q: _gradient(f)(q, *x[1:]), jnp.stack([x[0], -x[0]])
    ),
    "checkpoint": lambda f, x: _gradient(jax.checkpoint(f))(*x),
}


@pytest.mark.parametrize("tiling", TILINGS)
@pytest.mark.parametrize("order", ORDERS)
def test_transformations(order, tiling):
    spec = as_attention((attn.softcap(3.0) >> attn.alibi, attn.causal))
    arrays = tuple(_arrays(11, 11))
    mine = lambda *x: blockwise.attend(spec, *x, tiling=TILINGS[tiling])[0]  # noqa: E731
    theirs = lambda *x: dense.attend(spec, *x)[0]  # noqa: E731
    transform = ORDERS[order]
    results = [
        jax.jit(lambda *x, f=f: transform(f, x))(*arrays) for f in (mine, theirs)
    ]
    _close(*results, 1e-4)


@pytest.mark.parametrize(
    "notation", ["causal", "everything", "window(back=3)", "causal, dropout(0.5)"]
)
def test_inside_shard_map(notation):
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("data",))
    spec = jax.sharding.PartitionSpec("data")
    arrays = [jnp.stack([x, -x]) for x in _arrays(11, 11)]

    def one(backend, **options):
        def run(*arrays):
            single = lambda *x: backend.attend(  # noqa: E731
                as_attention(notation), *x, rng=jax.random.key(0), **options
            )[0]
            mapped = jax.shard_map(
                jax.vmap(single), mesh=mesh, in_specs=(spec,) * 3, out_specs=spec
            )
            return jnp.sum(mapped(*arrays) ** 2)

        return jax.jit(jax.grad(run, (0, 1, 2)))(*arrays)

    for tiling in TILINGS.values():
        _close(one(blockwise, tiling=tiling), one(dense), 1e-4)


def test_dropout_does_not_depend_on_the_tiling():
    spec = as_attention((attn.dropout(0.4), attn.causal))
    arrays, rng = _arrays(19, 19), jax.random.key(3)
    expected = dense.attend(spec, *arrays, rng=rng)[0]
    for tiling in (STRIPS, TABLE, Tiling(strip=0, rows=19, cols=19), Tiling()):
        _close(
            blockwise.attend(spec, *arrays, rng=rng, tiling=tiling)[0], expected, 2e-6
        )
    assert np.abs(expected - dense.attend(spec, *arrays)[0]).max() > 0.1


@pytest.mark.parametrize("tiling", TILINGS)
def test_empty_rows_are_exactly_zero(tiling):
    allowed = np.ones((19, 19), bool)
    allowed[3:12] = False
    spec = as_attention(attn.dense(allowed))
    options = {"probes": ("log_sum_exp",), "tiling": TILINGS[tiling]}
    call = lambda *x: blockwise.attend(spec, *x, **options)  # noqa: E731
    arrays = _arrays(19, 19)
    output, aux = call(*arrays)
    assert np.all(np.asarray(output[3:12]) == 0)
    assert np.all(np.asarray(output[:3]) != 0)
    assert np.all(np.asarray(aux["log_sum_exp"][3:12]) == -np.inf)
    query, key, value = jax.grad(lambda *x: jnp.sum(call(*x)[0] ** 2), (0, 1, 2))(
        *arrays
    )
    assert np.all(np.asarray(query[3:12]) == 0)
    assert np.all(np.isfinite(key))
    assert np.all(np.isfinite(value))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("tiling", TILINGS)
def test_a_hidden_bad_key_changes_nothing(tiling, bad):
    spec = as_attention(attn.causal)
    call = lambda *x: blockwise.attend(spec, *x, tiling=TILINGS[tiling])[0]  # noqa: E731
    query, key, value = _arrays(19, 19)
    clean = call(query, key, value)
    for poisoned in ((key.at[15].set(bad), value), (key, value.at[15].set(bad))):
        output = call(query, *poisoned)
        assert np.array_equal(output[:15], clean[:15])
        assert np.all(np.isnan(output[15:]))


def _derivatives(way, spec, arrays, at=None):
    """Gradients and a directional derivative of one way to compute."""
    call = {
        "dense": lambda *x: dense.attend(spec, *x, at=at),
        "scan": lambda *x: blockwise.attend(
            spec, *x, at=at, probes=("entropy",), tiling=TABLE
        ),
        "table": lambda *x: blockwise.attend(spec, *x, at=at, tiling=TABLE),
        "strips": lambda *x: blockwise.attend(spec, *x, at=at, tiling=STRIPS),
    }[way]
    loss = lambda *x: jnp.sum(jnp.sin(call(*x)[0]))  # noqa: E731
    both = lambda *x: (jax.grad(loss, (0, 1, 2))(*x), jax.jvp(loss, x, x)[1])  # noqa: E731
    return jax.jit(both)(*arrays)


@pytest.mark.parametrize(
    "logits",
    [
        attn.fn(lambda logits, site: logits + 100.0),  # exp(100) is infinite
        # At position 0, where no query is, the distance is large, or log(0).
        attn.alibi(slopes=-20.0),
        attn.fn(lambda logits, site: logits * jnp.log(site.query_pos * 1.0)),
    ],
    ids=["large", "far", "log of a position"],
)
def test_padding_reaches_no_derivative(logits):
    """Without a mask, which would hide the padding's queries."""
    spec, arrays = as_attention(logits), _arrays(19, 19)
    at = attn.at(positions=jnp.arange(1, 20))
    with jax.numpy_dtype_promotion("standard"):
        expected = _derivatives("dense", spec, arrays, at)
        for way in ("table", "scan"):
            _close(_derivatives(way, spec, arrays, at), expected, 2e-4)


@pytest.mark.parametrize("way", ["dense", "table", "strips", "scan"])
def test_a_hidden_product_that_overflows_reaches_no_gradient(way):
    """Query 17 with key 18 is infinity less infinity, as is its slope in a cap."""
    spec = as_attention((attn.softcap(5) >> attn.alibi, attn.causal))
    query, key, value = _arrays(19, 19)
    signs = jnp.array([1.0, -1.0, 1.0, -1.0, 1.0])
    arrays = query.at[17].set(1e20), key.at[18].set(1e20 * signs), value
    gradients, _ = _derivatives(way, spec, arrays)
    for gradient in gradients:
        assert np.all(np.isfinite(gradient))


PROBES = ("log_sum_exp", "entropy", "max_logit", "mean_distance")


@pytest.mark.parametrize(
    "normalizer", ["softmax", "softmax(sink=0.5)", "sigmoid", "relu2"]
)
def test_probes_equal_dense(normalizer):
    spec = as_attention((attn.parse(normalizer), attn.causal & attn.window(back=6)))
    arrays = _arrays(19, 19)
    results = [
        jax.jit(lambda *x, f=f: f(*x))(*arrays)
        for f in (
            lambda *x: blockwise.attend(spec, *x, probes=PROBES, tiling=TABLE),
            lambda *x: dense.attend(spec, *x, probes=PROBES),
        )
    ]
    _close(*results, 1e-5)


def test_log_sum_exp_is_differentiable():
    spec = as_attention(attn.causal)
    arrays = _arrays(11, 11)

    def gradient(backend, **options):
        def total(*x):
            output, aux = backend.attend(spec, *x, probes=("log_sum_exp",), **options)
            return jnp.sum(output) + jnp.sum(aux["log_sum_exp"] ** 2)

        return jax.jit(jax.grad(total, (0, 1, 2)))(*arrays)

    _close(gradient(blockwise, tiling=TABLE), gradient(dense), 1e-5)


def test_segments_skip_what_lies_outside_of_a_document():
    from attn.backends.blockwise import plan
    from attn.spec.site import resolve

    segment = jnp.repeat(jnp.arange(4), 16)
    given = attn.at(segment=segment)
    mask = attn.causal & attn.segments
    resolved = resolve(given, 64, 64, mask)
    table = plan.make(mask, resolved, given, Tiling(strip=0, rows=16, cols=16))
    assert np.array_equal(np.asarray(table.kept), [1, 1, 1, 1])
    assert np.array_equal(np.asarray(table.order)[:, 0], [0, 1, 2, 3])
