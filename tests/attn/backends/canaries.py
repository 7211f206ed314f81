"""Run in a fresh process by test_canaries: compiled results against op by op.

`python -m tests.attn.backends.canaries T S` prints a line for each piece that differs,
and how many were compared.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

import attn
from tests.cases import CASES, Draw, where
from tests.compositions import floats, refill

# Fused and reordered sums differ by rounding, a wrong result by its own size.
CLOSE = 2e-5


def derivatives(mix, rest):
    """Output and gradients; the loss is a plain sum, whose cotangent is a broadcast."""
    spec, at, backend = rest

    def loss(arrays, learned):
        output = attn.attend(refill(spec, learned), *arrays, at=at, backend=backend)
        return jnp.sum(output.value), output.value

    return jax.grad(loss, (0, 1), has_aux=True)(*mix)


def differs(case, t, s) -> str:
    """What differs for a piece, or nothing."""
    draw = Draw(t, s)
    spec = attn.spec.attention.as_attention(case.piece(draw))
    at = where(draw)[0]
    shapes = (t, draw.h), (s, draw.h), (s, 3)
    mix = [jnp.asarray(draw.normal(*shape)) for shape in shapes], floats(spec)
    with jax.disable_jit():
        expected = jax.tree.leaves(derivatives(mix, (spec, at, "dense")))
    for backend in ("dense", "blockwise"):
        if backend == "blockwise" and not spec.normalizer.mergeable:
            continue
        compiled = jax.jit(lambda mix, b=backend: derivatives(mix, (spec, at, b)))
        for index, (x, y) in enumerate(
            zip(jax.tree.leaves(compiled(mix)), expected, strict=True)
        ):
            scale = max(1.0, float(jnp.max(jnp.abs(y))))
            if not np.allclose(x, y, rtol=0, atol=CLOSE * scale):
                return f"{case.name}: {backend}, result {index}"
    return ""


def main(t: int, s: int, part: int, parts: int) -> int:
    found = [differs(case, t, s) for case in CASES[part::parts]]
    for line in filter(None, found):
        print(line)
    print(len(found), "compared")
    return int(any(found))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
