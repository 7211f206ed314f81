"""Which backend runs, why the others refuse, and what a wrong name is told."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attn
from attn.backends import dispatch
from attn.backends.explain import explain
from attn.backends.planner import Steps
from attn.shapes import Shapes
from attn.spec.attention import as_attention

LONG = Shapes(1024, 1024, 64, 64, 8, 8, 1, "float32")
HALF = Shapes(1024, 1024, 64, 64, 8, 8, 1, "bfloat16")
SHORT = Shapes(64, 64, 64, 64, 8, 8, 1, "float32")


@pytest.mark.parametrize(
    ("spec", "shapes", "platform", "expected"),
    [
        ("causal", LONG, "cpu", "blockwise"),
        ("causal", SHORT, "cpu", "dense"),
        ("entmax", LONG, "cpu", "dense"),
        ("causal", HALF, "gpu", "fused"),
        ("alibi", HALF, "gpu", "blockwise"),
        ("causal", LONG, "tpu", "blockwise"),
    ],
)
def test_auto(spec, shapes, platform, expected):
    spec = as_attention(spec)
    assert dispatch.choose(spec, shapes, platform=platform) == expected


def test_who_asks_hears_what_was_chosen_and_not_what_would_be():
    spec = as_attention("causal")
    heard = []
    token = dispatch.choices.set(heard)
    dispatch.choose(spec, LONG, backend="dense")
    explain(spec, LONG)
    dispatch.choices.reset(token)
    dispatch.choose(spec, LONG)
    assert heard == [dispatch.Choice(spec, LONG, (), "dense", "dense")]


def test_whole_weights_come_from_dense():
    spec = as_attention("causal")
    assert dispatch.choose(spec, LONG, probes=("weights",)) == "dense"


@pytest.mark.parametrize(
    ("spec", "backend", "message"),
    [
        ("entmax", "blockwise", "'blockwise' refuses: `entmax` needs a whole row"),
        ("alibi", "fused", "'fused' refuses: it has no logits piece such as `alibi`"),
        ("sigmoid", "fused", "'fused' refuses: its normalizer is a plain softmax"),
        ("causal & dilated(2)", "fused", "'fused' refuses: it has no mask such as"),
        ("causal", "pallas", "'pallas' refuses: Pallas has no compiled kernels on CPU"),
        ("causal", "flash", "unknown backend 'flash'; one of auto, dense, blockwise"),
    ],
)
def test_a_named_backend_raises_its_reason(spec, backend, message):
    x = jnp.zeros((1, 4, 2, 8))
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        attn.attend_heads(spec, x, x, x, backend=backend)


@pytest.mark.parametrize("spec", ["everything", "causal", "causal & window(back=3)"])
def test_fused_equals_dense(spec):
    random = np.random.default_rng(0)
    arrays = [
        jnp.asarray(random.normal(size=(2, 13, 4, 8)), jnp.float32) for _ in "qkv"
    ]
    one, two = (
        attn.attend_heads(spec, *arrays, backend=name).value
        for name in ("fused", "dense")
    )
    np.testing.assert_allclose(one, two, atol=2e-6)


def test_explain_says_who_runs_and_why_others_do_not():
    told = explain("alibi", LONG, platform="cpu")
    assert told.runs == "blockwise"
    text = str(told)
    assert "blockwise" in text
    assert "it has no logits piece such as `alibi`" in text
    assert len(text.splitlines()) == 2 + len(dispatch.BACKENDS)


def test_looped_heads_equal_heads_side_by_side():
    random = np.random.default_rng(0)
    draw = lambda n: jnp.asarray(random.normal(size=(2, 17, n, 8)), jnp.float32)  # noqa: E731
    arrays = draw(6), draw(3), draw(3)
    from attn import heads

    results = []
    for step in (None, Steps(1, 1, 1), Steps(2, 1, 1), Steps(2, 3, 1), Steps(2, 3, 2)):
        shapes = Shapes(17, 17, 8, 8, 6, 3, 2)
        spec = as_attention(attn.alibi).for_heads(6)
        one = lambda *x: heads._one_head(*x, probes=(), backend="blockwise")  # noqa: E731
        lifted = heads._lift(one, (spec, None), shapes, step)
        both = lambda *x, f=lifted: jax.vjp(lambda *y: f(None, *y)[0], *x)  # noqa: E731
        results.append(jax.jit(lambda *x, f=both: (f(*x)[0], f(*x)[1](x[0])))(*arrays))
    for other in results[1:]:
        for mine, expected in zip(
            *map(jax.tree.leaves, (other, results[0])), strict=True
        ):
            np.testing.assert_allclose(mine, expected, atol=2e-5)
