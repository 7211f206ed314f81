"""The parity matrix: every row and 300 compositions x backend x precision x lengths.

Each entry forces a backend and holds its output and its gradients, by query, key, value
and every array in the spec, against float64 oracles under the error rule. A default run
draws a fixed sample; `-m "slow or not slow"` runs it whole (about an hour of CPU).
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attn
from attn.backends.dispatch import BACKENDS
from attn.backends.planner import Tiling
from attn.shapes import Shapes
from attn.spec.site import resolve, whole
from tests.cases import CASES
from tests.compositions import COUNT, SIZES, build, floats, refill, rounded

DTYPES = ("float32", "bfloat16", "float64")
LENGTHS = tuple(name for name in SIZES if name != "one-width")
# Tiles that divide no length of the matrix: strips of code, and loops over a table.
TILINGS = (
    Tiling(strip=6, step=4, reach=8, rows=3, cols=2),
    Tiling(strip=0, rows=4, cols=3),
)
NARROW = "causal + window(back=2)"
ROWS = [*(case.name for case in CASES), NARROW, "segments + t5"]
MIXES = [f"random-{number:03d}" for number in range(COUNT)]

# What refuses what. Dense refuses nothing, pallas everything.
JAX_NN = (
    "dot",
    "dot(scale=0.7)",
    "identity",
    "everything",
    "causal",
    NARROW,
    "softmax",
)
REFUSED = {"dense": 0, "blockwise": 171, "fused": 1306, "pallas": 1320}

# RMS distance to the oracle, over that of the plain reference in the same precision,
# which is the root mean square of its draws.
OUTPUT, GRADIENT = 2.0, 2.5
# Rounding of one number: the plain reference is sometimes exact by luck, and more often
# so the fewer numbers there are.
FLOOR, FEW = 2.0 * float(np.finfo(np.float32).eps), 16


class Entry(NamedTuple):
    """A cell of the matrix, without its backend."""

    name: str
    size: str
    dtype: str


def entries() -> list[Entry]:
    """Rows at every length in float32 and at one in the others; mixes in all three."""
    found = [Entry(name, "one-width", d) for name in JAX_NN for d in DTYPES]
    for index, name in enumerate(ROWS):
        found += [Entry(name, size, "float32") for size in LENGTHS]
        for step, dtype in enumerate(DTYPES[1:]):
            found.append(Entry(name, LENGTHS[(index + 2 * step) % 5], dtype))
    for index, name in enumerate(MIXES):
        found += [Entry(name, LENGTHS[index % 5], dtype) for dtype in DTYPES]
    return found


def refuses(backend: str, entry: Entry) -> bool:
    """Which cells have no parity to check, stated without asking the backend."""
    if backend == "blockwise":
        mix = mix_of(entry.name, entry.size)
        return mix.spec.normalizer.name in ("entmax", "sparsemax")
    return backend == "pallas" or (backend == "fused" and not may_fuse(entry))


def is_sample(backend: str, entry: Entry) -> bool:
    """The default run: blockwise for most rows, all lengths and precisions in turn."""
    if backend == "fused":
        return entry.dtype == "float32"
    if entry.name in MIXES:
        number = MIXES.index(entry.name)
        drawn = number % 30 == 0 and DTYPES[number // 30 % 3] == entry.dtype
        return drawn and backend == ("blockwise", "dense")[number % 60 == 0]
    if entry.name not in ROWS or entry.size == "one-width":
        return False
    index = ROWS.index(entry.name)
    drawn = Entry(entry.name, LENGTHS[index // 3 % 5], "float32")
    if index % 3:
        step = index % 3 - 1
        drawn = Entry(entry.name, LENGTHS[(index + 2 * step) % 5], DTYPES[1 + step])
    masks = ROWS.index("everything"), ROWS.index("softmax")
    every = 1 + (masks[0] <= index < masks[1])  # half of the masks: one code, no pieces
    return entry == drawn and backend == "blockwise" and index % every == 0


@functools.lru_cache(maxsize=2048)
def mix_of(name, size):
    return build(name, SIZES[size])


def cells():
    """Every cell that is not refused whatever the spec, marked slow or not."""
    found = []
    for entry in entries():
        for backend in ("dense", "blockwise", *["fused"] * may_fuse(entry)):
            marks = [] if is_sample(backend, entry) else [pytest.mark.slow]
            name = "-".join((*entry, backend))
            found.append(pytest.param(backend, entry, marks=marks, id=name))
    return found


def may_fuse(entry: Entry) -> bool:
    """jax.nn wants keys and values of one width, and has no float64."""
    return entry.size == "one-width" and entry.dtype != "float64"


def plain(spec, query, key, value, at, rng):
    """The definition and nothing else: no hiding, no shielding, no tiles."""
    site = whole(resolve(at, len(query), len(key), spec))
    logits = spec.logits.apply(spec.similarity.compare(query, key), site)
    allowed = jnp.broadcast_to(spec.mask.allows(site), logits.shape)
    weights = spec.normalizer.weights(logits, allowed)
    return spec.dropout.apply(weights, rng, site) @ value.astype(logits.dtype)


def forced(backend, entry):
    """The function under test; its name decides the tiling of blockwise."""
    options = {"backend": backend}
    if backend == "blockwise":
        options["tiling"] = TILINGS[sum(map(ord, entry.name)) % 2]

    def run(spec, query, key, value, at, rng):
        return attn.attend(spec, query, key, value, at=at, rng=rng, **options).value

    return run


def differentiate(function, mix, dtype, *, jit=True, quick=False):
    """Output and gradients [query, key, value, *arrays of the spec].

    `quick` leaves out optimization, half of the time of compiling.
    """
    wide = "float64" if dtype == "float64" else "float32"
    arrays = [jnp.asarray(x, dtype) for x in mix.arrays]
    learned = [jnp.asarray(x, wide) for x in floats(mix.spec)]
    cotangent = jnp.asarray(cotangent_of(mix), dtype)

    def run(arrays, learned, cotangent, rest):
        def output(arrays, learned):
            spec, at = rest
            return function(refill(spec, learned), *arrays, at, mix.rng)

        value, pull = jax.vjp(output, arrays, learned)
        return value, pull(cotangent.astype(value.dtype))

    args = arrays, learned, cotangent, (mix.spec, mix.at)
    if jit:
        level = {"xla_backend_optimization_level": 0} if quick else {}
        run = jax.jit(run).lower(*args).compile(compiler_options=level)
    value, (by_array, by_learned) = run(*args)
    return value, [*by_array, *by_learned]


def cotangent_of(mix) -> np.ndarray:
    shape = len(mix.arrays[0]), mix.arrays[2].shape[1]
    return rounded(np.random.default_rng(5).normal(size=shape).astype(np.float32))


class Target(NamedTuple):
    """What a cell is compared with: first the output, then the gradients."""

    exact: list[np.ndarray]  # float64
    plain: list[list[np.ndarray]]  # draws of the plain reference in float32


@functools.lru_cache(maxsize=64)
def target(name, size) -> Target:
    """The oracles of an entry, one for all precisions.

    The error of the plain reference is a draw of rounding, and now and then a lucky
    one: it is drawn op by op and compiled. On average neither is larger (the ratio of
    the two over a third of the matrix: geometric mean 1.008, 98% within 0.45 to 2.9).
    """
    mix = mix_of(name, size)
    with jax.enable_x64(True):
        value, gradients = differentiate(plain, mix, "float64", jit=False)
        exact = [np.asarray(x) for x in (value, *gradients)]
    output = mix.oracle(*mix.arrays)
    np.testing.assert_allclose(exact[0], output, rtol=1e-12, atol=1e-12)
    draws = []
    for jit in (False, True):
        value, gradients = differentiate(plain, mix, "float32", jit=jit, quick=True)
        draws.append([np.asarray(x) for x in (value, *gradients)])
    return Target([output, *exact[1:]], draws)


def rms(x) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(x, np.float64)))))


@pytest.mark.parametrize(("backend", "entry"), cells())
def test_parity(backend, entry):
    mix, expected = mix_of(entry.name, entry.size), target(entry.name, entry.size)
    if refuses(backend, entry):
        with pytest.raises(ValueError, match=f"'{backend}' refuses: .* whole row"):
            differentiate(forced(backend, entry), mix, "float32")
        return
    # Float32 is compiled as users compile it; the others only where quick code, whose
    # exponentials are coarser, misses the bound.
    quick = entry.dtype != "float32"
    missed = misses(backend, entry, mix, expected, quick=quick)
    if quick and missed:
        missed = misses(backend, entry, mix, expected, quick=False)
    assert not missed, f"{missed} of {mix.spec!r}"


def misses(backend, entry, mix, expected, *, quick) -> list[str]:
    """What is further from the oracle than the error rule allows."""
    # jax.nn itself mixes bfloat16 and float32, forward and backward.
    promotion = "standard" if backend == "fused" else "strict"
    with jax.enable_x64(entry.dtype == "float64"):
        with jax.numpy_dtype_promotion(promotion):
            run = forced(backend, entry)
            value, gradients = differentiate(run, mix, entry.dtype, quick=quick)
        got = [value, *gradients]
        assert [x.dtype.name for x in got[:4]] == [entry.dtype] * 4
        near = [
            [in_dtype(x, like) for x, like in zip(draw, got, strict=True)]
            for draw in expected.plain
        ]
        got = [np.asarray(x, np.float64) for x in got]
    missed = []
    for index, (x, exact) in enumerate(zip(got, expected.exact, strict=True)):
        scale = max(1.0, rms(exact))
        bound = 1e-12 * scale
        if entry.dtype != "float64":
            floor = FLOOR * scale * max(1, FEW // exact.size)
            error = rms([rms(draw[index] - exact) for draw in near])
            bound = (GRADIENT if index else OUTPUT) * error + floor
        what = f"gradient {index - 1}" if index else "output"
        assert x.shape == exact.shape, what
        if not rms(x - exact) <= bound:
            missed.append(f"{what}: {rms(x - exact):.2e} over {bound:.2e}")
    return missed


def in_dtype(plain, like) -> np.ndarray:
    """The plain reference rounded once to the dtype of a result."""
    return np.asarray(jnp.asarray(plain).astype(like.dtype), np.float64)


def test_what_refuses_gives_a_reason_and_the_rest_does_not():
    count = dict.fromkeys(BACKENDS, 0)
    for entry in entries():
        mix = mix_of(entry.name, entry.size)
        (t, h), (s, e) = mix.arrays[0].shape, mix.arrays[2].shape
        shapes = Shapes(t, s, h, e, dtype=entry.dtype)
        for name, backend in BACKENDS.items():
            reason = backend.supports(mix.spec, shapes, "cpu")
            assert (reason is not None) == refuses(name, entry), (name, entry, reason)
            if reason is not None:
                count[name] += 1
                assert len(reason) > 10
    assert count == REFUSED


@pytest.mark.parametrize("name", ["causal", "random-000", "random-007", "random-021"])
def test_the_oracle_of_gradients_equals_differences_of_the_numpy_oracle(name):
    """Along a random direction in query, key and value."""
    mix, gradients = mix_of(name, "decoding"), target(name, "decoding").exact[1:4]
    cotangent = cotangent_of(mix)
    for index, gradient in enumerate(gradients):
        step = np.random.default_rng(index).normal(size=gradient.shape)
        totals = []
        for size in (1e-6, -1e-6):
            moved = [np.asarray(x, np.float64) for x in mix.arrays]
            moved[index] = moved[index] + size * step
            totals.append(np.vdot(cotangent, mix.oracle(*moved)))
        expected = (totals[0] - totals[1]) / 2e-6
        np.testing.assert_allclose(np.vdot(gradient, step), expected, 1e-5, 1e-7)
