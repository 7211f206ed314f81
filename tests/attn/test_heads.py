"""Three vmaps: the lifted call is a loop over heads and batch, and costs no more."""

import functools
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attn
from tests.cases import CASES, Draw

B, T, H, E = 2, 7, 5, 3
attend_heads = functools.partial(attn.attend_heads, backend="dense")


def inputs(heads=6, key_heads=3, s=T, seed=0):
    draw = Draw(seed=seed)
    shapes = (B, T, heads, H), (B, s, key_heads, H), (B, s, key_heads, E)
    return [jnp.asarray(draw.normal(*shape)) for shape in shapes]


def loop(spec_of, query, key, value, **at_of):
    """The definition: one call a batch element and head; head n reads n // G."""
    groups = query.shape[2] // key.shape[2]
    rows = [
        [
            attn.attend(
                spec_of(b, n),
                query[b, :, n],
                key[b, :, n // groups],
                value[b, :, n // groups],
                backend="dense",
                at=at_of["at"](b) if at_of else None,
            ).value
            for n in range(query.shape[2])
        ]
        for b in range(len(query))
    ]
    return np.moveaxis(np.asarray(rows), 1, 2)


close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("heads", "key_heads"), [(3, 3), (6, 3), (6, 2), (6, 1), (1, 1)]
)
def test_multi_head_grouped_and_multi_query_are_one_function(heads, key_heads):
    arrays = inputs(heads, key_heads)
    got = attend_heads(attn.causal, *arrays).value
    assert got.shape == (B, T, heads, E)
    close(got, loop(lambda b, n: attn.causal, *arrays))


def test_query_head_n_reads_key_head_n_over_g():
    """Each key head carries its own number; heads stand in order, not interleaved."""
    query, key, _ = inputs(6, 3)
    value = jnp.broadcast_to(jnp.arange(3.0)[None, None, :, None], (B, T, 3, E))
    got = attend_heads(attn.everything, query, key, value).value
    close(got, np.broadcast_to(np.arange(6)[:, None] // 2, (B, T, 6, E)))


def test_cross_attention_is_the_same_function():
    arrays = inputs(6, 3, s=11)
    got = attend_heads(attn.everything, *arrays).value
    close(got, loop(lambda b, n: attn.everything, *arrays))


@pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])
def test_shared_arrays_are_the_same_for_every_head(case):
    """Eagerly, so that nothing is compiled: only the axes are in question here."""
    arrays = inputs(2, 1)
    draw = Draw(T, T)
    piece = case.piece(draw)
    at = attn.at(segment=jnp.arange(T) // 4)
    with jax.disable_jit():
        got = attend_heads(piece, *arrays, at=at).value
    specs = [attn.as_attention(piece).for_heads(2)]
    one = lambda b, n: attn.heads.of_head(specs[0], n)  # noqa: E731
    close(got, loop(one, *arrays, at=lambda b: at))


def test_windows_slopes_and_sinks_per_head():
    arrays = inputs(6, 3)
    back, slopes = [0, 1, 2, 3, 4, 5], [0.1 * n for n in range(6)]
    spec = attn.Attention(
        mask=attn.causal & attn.window(back=attn.per_head(back)),
        logits=attn.alibi(slopes=attn.per_head(slopes)),
        normalizer=attn.softmax(sink=attn.per_head(slopes)),
    )
    one = lambda b, n: attn.Attention(  # noqa: E731
        mask=attn.causal & attn.window(back=back[n]),
        logits=attn.alibi(slopes=slopes[n]),
        normalizer=attn.softmax(sink=slopes[n]),
    )
    close(attend_heads(spec, *arrays).value, loop(one, *arrays))


def test_masks_per_batch_and_per_batch_and_head():
    arrays = inputs(6, 3)
    tables = Draw().coins(B, 6, T, T)
    for wrap, one in (
        (attn.per_batch(attn.per_head(tables)), lambda b, n: tables[b, n]),
        (attn.per_batch(tables[:, 0]), lambda b, n: tables[b, 0]),
        (attn.per_head(tables[0]), lambda b, n: tables[0, n]),
    ):
        got = attend_heads(attn.dense(wrap), *arrays).value
        close(got, loop(lambda b, n, one=one: attn.dense(one(b, n)), *arrays))


def test_positions_and_segments_per_batch_element():
    arrays = inputs(6, 3)
    spec = attn.parse("causal & segments & window(back=3)")
    positions = jnp.array([[0, 1, 2, 0, 1, 2, 3], [0, 1, 2, 3, 4, 5, 6]])
    segment = jnp.array([[0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0, 9]])
    at = attn.at(positions=positions, segment=segment)
    one = lambda b: attn.at(positions=positions[b], segment=segment[b])  # noqa: E731
    expected = loop(lambda b, n: spec, *arrays, at=one)
    close(attend_heads(spec, *arrays, at=at).value, expected)
    mixed = attn.at(positions=positions[0], segment=segment)
    one = lambda b: attn.at(positions=positions[0], segment=segment[b])  # noqa: E731
    expected = loop(lambda b, n: spec, *arrays, at=one)
    close(attend_heads(spec, *arrays, at=mixed).value, expected)


def test_queries_at_the_end_of_the_keys_equal_the_last_rows():
    """Decoding n tokens at a time: the same numbers as the whole sequence."""
    query, key, value = inputs(6, 3)
    whole = attend_heads("causal, alibi", query, key, value).value
    part = attend_heads(
        "causal, alibi", query[:, 4:], key, value, at=attn.at(jnp.arange(4, 7))
    ).value
    close(part, whole[:, 4:])


def test_gradients_reach_arrays_per_head():
    arrays = inputs(6, 3)
    slopes = jnp.linspace(0.1, 0.9, 6)

    def loss(slopes):
        spec = attn.causal, attn.alibi(slopes=attn.per_head(slopes))
        return jnp.sum(attend_heads(spec, *arrays).value ** 2)

    gradient = jax.grad(loss)(slopes)
    assert gradient.shape == (6,)
    assert (np.asarray(gradient) != 0).all()


def test_probes_have_a_head_axis():
    arrays = inputs(6, 3)
    probes = ("log_sum_exp", "weights", "logits")
    got = attend_heads(attn.causal, *arrays, probes=probes)
    assert got.aux["log_sum_exp"].shape == (B, T, 6)
    assert got.aux["weights"].shape == got.aux["logits"].shape == (B, 6, T, T)
    one = attn.attend(
        attn.causal, arrays[0][1, :, 4], arrays[1][1, :, 2], arrays[2][1, :, 2],
        probes=probes, backend="dense",
    )  # fmt: skip
    close(got.aux["log_sum_exp"][1, :, 4], one.aux["log_sum_exp"])
    close(got.aux["weights"][1, 4], one.aux["weights"])
    assert attend_heads(attn.causal, *arrays).aux == {}


def test_vmap_and_jit_around_the_lifted_call():
    arrays = inputs(6, 3)
    stacked = [jnp.stack([x, 2 * x]) for x in arrays]
    got = jax.jit(jax.vmap(lambda *x: attend_heads(attn.causal, *x).value))(*stacked)
    close(got[0], attend_heads(attn.causal, *arrays).value)
    close(got[1], attend_heads(attn.causal, *[2 * x for x in arrays]).value)


def test_a_second_call_does_not_retrace():
    traces = []

    def note(logits, site, by):
        traces.append(1)
        return logits * by

    arrays = inputs()
    for by in (1.0, 2.0):
        spec = attn.causal, attn.fn(note, by=jnp.float32(by))
        attend_heads(spec, *arrays)
        attend_heads(spec, *[x + 1 for x in arrays])
    assert len(traces) == 1


def moves(compiled):
    """Elements of each copy and transpose of an optimised program, fused or not."""
    found = re.findall(r"= \w+\[([\d,]*)\]\S* (?:copy|transpose)\(", compiled.as_text())
    return [math.prod(int(n) for n in shape.split(",") if n) for shape in found]


def batched_by_hand(query, key, value, mask):
    """The same function, of all heads at once by einsum."""
    batch, t, heads, h = query.shape
    query = query.reshape(batch, t, key.shape[2], -1, h)
    logits = jnp.einsum("btkgh,bskh->bkgts", query, key) * h**-0.5
    if mask is not None:  # a NaN in a hidden value stays hidden
        zeros = jnp.zeros(value.shape[-1])
        flags = jnp.einsum("bske,e->bks", jax.lax.stop_gradient(value), zeros)
        value = jnp.where(jnp.isfinite(value), value, 0.0)
        logits = jnp.where(mask, logits + flags[:, :, None, None], -jnp.inf)
    weights = jax.nn.softmax(logits, axis=-1)
    output = jnp.einsum("bkgts,bske->btkge", weights, value)
    return output.reshape(batch, t, heads, -1)


def forms(spec, t, heads):
    """The lifted form, the form by hand, and their arguments."""
    mask = jnp.tri(t, dtype=bool) if spec == attn.causal else None
    lifted = lambda *x: attend_heads(spec, *x).value  # noqa: E731
    by_hand = lambda *x: batched_by_hand(*x, mask)  # noqa: E731
    arrays = [jnp.zeros((2, t, heads, 32)), *[jnp.zeros((2, t, 4, 32))] * 2]
    return lifted, by_hand, arrays


@pytest.mark.parametrize("t", [64, 256])
@pytest.mark.parametrize("spec", [attn.everything, attn.causal], ids=repr)
def test_the_lifted_form_moves_no_more_than_the_batched_einsum(spec, t):
    lifted, by_hand, arrays = forms(spec, t, 8)
    ours, theirs = (
        moves(jax.jit(f).lower(*arrays).compile()) for f in (lifted, by_hand)
    )
    assert len(ours) <= len(theirs)
    assert sum(ours) <= sum(theirs)
    wrong = lambda q, k, v: jnp.transpose(lifted(q, k, v), (0, 2, 3, 1))  # noqa: E731
    assert sum(moves(jax.jit(wrong).lower(*arrays).compile())) > sum(ours)


@pytest.mark.parametrize("t", [64, 256])
@pytest.mark.parametrize("spec", [attn.everything, attn.causal], ids=repr)
def test_so_does_its_derivative(spec, t):
    """In elements: a loop has code for each head of a step, each with its own moves."""
    *both, arrays = forms(spec, t, 4)
    ours, theirs = (
        moves(
            jax.jit(jax.grad(lambda *x, f=f: jnp.sum(f(*x) ** 2), (0, 1, 2)))
            .lower(*arrays)
            .compile()
        )
        for f in both
    )
    assert sum(ours) <= sum(theirs)


Q, K, V = (jnp.ones((B, T, n, w)) for n, w in ((6, H), (3, H), (3, E)))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ((Q[0], K, V), "attend_heads: `query` must be [B, T, N, H], got (7, 6, 5)."),
        (
            (Q, K[..., :4], V),
            "attend_heads: axis H is 5 in `query` but 4 in `key` (exp",
        ),
        (
            (Q, K, V[:, :6]),
            "attend_heads: axis S is 7 in `key` but 6 in `value` (expec",
        ),
        ((Q, K, V[:, :, :2]), "attend_heads: axis K is 3 in `key` but 2 in `value`"),
        ((Q, K[:1], V[:1]), "attend_heads: axis B is 2 in `query` but 1 in `key`"),
        ((Q[:, :, :4], K, V), "attend_heads: N must be a multiple of K, got N=4, K=3."),
        (
            (Q.astype(int), K, V),
            "attend_heads: `query` must be floating point, got int",
        ),
        ((Q, [1.0], V), "attend_heads: `key` must be [B, S, K, H], got list."),
    ],
)
def test_arrays_that_do_not_fit_are_named(arrays, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the message is compared
        attend_heads(attn.everything, *arrays)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "at", "message"),
    [
        (attn.scale(attn.per_head([1.0, 2.0])), None, "must be [N, ...] with N=6, got"),
        (
            attn.scale(attn.per_batch([1.0])),
            None,
            "must be [B, ...] with B=2, got (1,)",
        ),
        (
            attn.scale(attn.per_batch(attn.per_head([1.0]))),
            None,
            "[B, N, ...] with B=2",
        ),
        (
            attn.causal,
            attn.at(jnp.arange(5)),
            "must be [T, ...] or [B, T, ...] with B=2",
        ),
        (attn.causal, attn.at(positions=jnp.zeros((3, T), int)), "got (3, 7)"),
        (attn.window, None, "`window` needs arguments; write window(...)"),
        ("causl", None, "unknown name `causl`; did you mean `causal`?"),
    ],
)
def test_specs_that_do_not_fit_are_refused(spec, at, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the message is compared
        attend_heads(spec, Q, K, V, at=at)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_rotary_bases_per_batch_and_per_head():
    x = jax.random.normal(jax.random.key(0), (2, 5, 3, 4))
    bases = jnp.array([[10.0, 20.0, 30.0], [40.0, 50.0, 60.0]])
    of_batch = attn.rotate_heads(attn.rotary(base=attn.per_batch(bases[:, 0])), x)
    of_both = attn.rotate_heads(
        attn.rotary(base=attn.per_batch(attn.per_head(bases))), x
    )
    for b, n in np.ndindex(2, 3):
        one = attn.rotary(base=bases[b, 0]).rotate(x[b, :, n], jnp.arange(5))
        np.testing.assert_allclose(of_batch[b, :, n], one, rtol=1e-6)
        one = attn.rotary(base=bases[b, n]).rotate(x[b, :, n], jnp.arange(5))
        np.testing.assert_allclose(of_both[b, :, n], one, rtol=1e-6)
    with pytest.raises(ValueError, match=r"rotate_heads: a per_head array must be \[N"):
        attn.rotate_heads(attn.rotary(base=attn.per_head(bases[:, 0])), x)


def test_positions_that_are_added_know_of_no_heads():
    position = attn.learned(table=attn.per_head(jnp.ones((2, 5, 8))))
    with pytest.raises(ValueError, match="embed_positions: `learned` is added to emb"):
        attn.embed_positions(position, jnp.ones((2, 5, 8)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: attn.rotate_heads(attn.causal, Q), "rotate_heads: expected a position "
            "piece such as attn.rotary, got causal."),
        (lambda: attn.rotate_heads("rotary", Q[0]), "rotate_heads: `x` must be [B, T, "
            f"N, H], got {Q.shape[1:]}."),
        (lambda: attn.embed_positions("sinusoidal", Q), "embed_positions: `x` must be "
            f"[B, T, D], got {Q.shape}."),
        (lambda: attend_heads("causal", Q[:, :, :0], K, V), "attend_heads: there must "
            "be at least one head, got N=0, K=3."),
    ],
)  # fmt: skip
def test_what_is_turned_or_embedded_is_checked_in_one_line(call, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the message is compared
        call()
    assert str(caught.value) == message


def test_positions_may_be_notation_and_a_list():
    got = attn.rotate_heads("rotary(width=2)", Q, list(range(T)))
    expected = attn.rotate_heads(attn.rotary(width=2), Q, jnp.arange(T))
    np.testing.assert_array_equal(got, expected)


def test_explain_takes_the_dtype_that_a_call_would():
    """Without 64 bits JAX computes NumPy's float64 in float32."""
    wide = np.zeros(Q.shape), np.zeros(K.shape), np.zeros(V.shape)
    assert attn.explain("causal", *wide).shapes.dtype == jnp.float32


def test_a_key_that_many_queries_share_sums_its_gradient_wide():
    """One of 16 bits would be rounded by every head that adds to it."""
    draw, heads = Draw(seed=3), 32
    shapes = ((1, 16, heads, 8), (1, 16, 1, 8), (1, 16, 1, 8))
    narrow = [jnp.asarray(draw.normal(*x), jnp.bfloat16) for x in shapes]

    def gradient(arrays, backend):
        loss = lambda *x: jnp.sum(  # noqa: E731
            jnp.sin(
                attn.attend_heads("causal", *x, backend=backend).value.astype("float32")
            )
        )
        found = jax.grad(loss, (1, 2))(*arrays)
        return [np.asarray(x, np.float64) for x in found]

    exact = gradient([x.astype(jnp.float32) for x in narrow], "dense")
    errors = [
        [np.linalg.norm(x - y) for x, y in zip(gradient(narrow, b), exact, strict=True)]
        for b in ("blockwise", "dense")
    ]
    assert np.all(np.array(errors[0]) <= 1.5 * np.array(errors[1])), errors
