"""Memory is linear in the length, by XLA's own account of a compiled call."""

import itertools
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

import attn

HEADS, WIDTH = 8, 64


def _temporary(compute, length, backward, heads=HEADS):
    x = jax.ShapeDtypeStruct((1, length, heads, WIDTH), jnp.float32)

    def both(query, key, value, cotangent):
        output, pull = jax.vjp(compute, query, key, value)
        return output, pull(cotangent)

    step, arrays = (both, [x] * 4) if backward else (compute, [x] * 3)
    compiled = jax.jit(step).lower(*arrays).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def _ours(spec, **options):
    return lambda *x: attn.attend_heads(spec, *x, **options).value


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("heads", "lengths"),
    [
        (HEADS, (1024, 2048, 4096)),
        (2, (1024, 2048, 4096)),
        pytest.param(HEADS, (256, 512, 1024, 2048, 4096, 8192), marks=SLOW),
        pytest.param(2, (1024, 2048, 4096, 8192, 16384), marks=SLOW),
    ],
)
@pytest.mark.parametrize("backward", [False, True])
def test_memory_at_most_doubles_with_the_length(backward, heads, lengths):
    sizes = [_temporary(_ours("causal"), n, backward, heads) for n in lengths]
    growth = [b / a for a, b in itertools.pairwise(sizes)]
    assert max(growth) <= 2.1, f"{[x >> 20 for x in sizes]} MiB"


@pytest.mark.parametrize(("backward", "share"), [(False, 8), (True, 6)])
def test_memory_beside_jax_nn(backward, share):
    theirs = lambda *x: jax.nn.dot_product_attention(*x, is_causal=True)  # noqa: E731
    ours = _temporary(_ours("causal"), 4096, backward)
    assert ours * share <= _temporary(theirs, 4096, backward)


@pytest.mark.parametrize("spec", ["causal & window(back=255)", "causal & segments"])
def test_sparse_masks_never_hold_all_pairs(spec):
    length = 8192
    at = attn.at(segment=jnp.arange(length) // 1024)
    size = _temporary(_ours(spec, at=at), length, True, heads=1)
    assert size < length * length  # bytes: a quarter of one float32 array [T, T]


LONG = r"""
import re
import jax, jax.numpy as jnp
import attn
arrays = [jax.random.normal(jax.random.key(n), (1, 32768, 2, 64)) for n in range(3)]
loss = lambda *x: jnp.sum(jnp.sin(attn.attend_heads("causal", *x).value))
found = jax.jit(jax.grad(loss, (0, 1, 2)))(*arrays)
assert all(bool(jnp.isfinite(x).all()) for x in found)
# Linux hands `ru_maxrss` on from the process that started this one.
print(re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read())[1])
"""


@pytest.mark.slow
def test_a_long_sequence_stays_under_a_gibibyte():
    done = subprocess.run(
        [sys.executable, "-c", LONG], capture_output=True, text=True, timeout=280
    )
    assert int(done.stdout) < 1 << 20, f"{done.stdout} KiB {done.stderr[-2000:]}"
