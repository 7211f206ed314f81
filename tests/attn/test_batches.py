"""Which axis of per-token data is the batch: known, said, or asked for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import attn
import attn.modules
from tests.cases import Draw

B, N, H = 3, 2, 5


def heads(t, s=None, batch=B):
    draw = Draw(t)
    sizes = (t, s or t, s or t)
    return [jnp.asarray(draw.normal(batch, n, N, H)) for n in sizes]


def near(site, features=1):
    """Allows pairs by data of rank 1 or 2 a token."""
    one, other = site.query["x"], site.key["x"]
    if one.ndim == 2:
        return one >= other
    return (one >= other).any(-1)


def both(x):
    return attn.at(query={"x": x}, key={"x": x})


def each(data, arrays):
    """The definition: a call for every element of the batch, with its own data."""
    rows = [
        attn.attend_heads(
            attn.predicate(near),
            *[x[b : b + 1] for x in arrays],
            at=both(attn.per_batch(data[b][None])),
        ).value[0]
        for b in range(len(data))
    ]
    return np.stack(rows)


def test_data_of_every_token_are_read_as_they_are_meant():
    arrays = heads(B)
    x = jnp.asarray(Draw(7).normal(B, B))  # B == T == F
    for given, data in (
        (attn.per_batch(x), x),
        (x[None], jnp.stack([x] * B)),
    ):
        got = attn.attend_heads(attn.predicate(near), *arrays, at=both(given)).value
        np.testing.assert_allclose(got, each(data, arrays), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the message is compared
        attn.attend_heads(attn.predicate(near), *arrays, at=both(x))
    assert str(caught.value) == (
        "attend_heads: query data `x` of shape (3, 3) may be [B, T, ...] or [T, ...] "
        "with B=3, T=3: wrap it in attn.per_batch(...) for the first, or give "
        "array[None], [1, T, ...], that the batch shares."
    )


def test_features_as_many_as_the_other_sides_tokens_are_no_batch():
    arrays = heads(B, 4)  # B == T, F == S
    x = jnp.asarray(Draw(8).normal(B, 4)), jnp.asarray(Draw(9).normal(4, 4))
    at = attn.at(jnp.arange(B), query={"x": x[0]}, key={"x": x[1]})
    got = attn.attend_heads(attn.predicate(near), *arrays, at=at).value
    first = [a[:1] for a in arrays]
    one = attn.attend_heads(attn.predicate(near), *first, at=at).value
    np.testing.assert_allclose(got[0], one[0], rtol=1e-5, atol=1e-6)


def test_positions_and_segments_are_known_by_their_rank():
    arrays = heads(B)
    x = jnp.array([[0, 1, 2], [2, 1, 0], [0, 0, 1]])
    spec = "causal & segments"
    got = attn.attend_heads(spec, *arrays, at=attn.at(positions=x, segment=x)).value
    for b in range(B):
        element = [a[b : b + 1] for a in arrays]
        for same in (x[b], x[b : b + 1]):
            at = attn.at(positions=same, segment=same)
            one = attn.attend_heads(spec, *element, at=at).value
            np.testing.assert_allclose(got[b], one[0], rtol=1e-5, atol=1e-6)
    at = attn.at(positions=x[:1], segment=x[:1])  # [1, T] is shared
    shared = attn.at(positions=x[0], segment=x[0])
    np.testing.assert_array_equal(
        attn.attend_heads(spec, *arrays, at=at).value,
        attn.attend_heads(spec, *arrays, at=shared).value,
    )
    np.testing.assert_array_equal(
        attn.rotate_heads(attn.rotary(width=4), arrays[0], x[:1]),
        attn.rotate_heads(attn.rotary(width=4), arrays[0], x[0]),
    )


def test_positions_may_be_a_list():
    arrays = heads(B)
    for at in (attn.spec.site.At([2, 1, 0], [0, 1, 2]), attn.at([2, 1, 0], [0, 1, 2])):
        got = attn.attend_heads("causal", *arrays, at=at).value
        np.testing.assert_allclose(got[:, 2], arrays[2][:, 0], rtol=1e-6)


def test_one_token_decoded_with_other_data():
    arrays = heads(1, 4, batch=1)
    at = attn.at([3], query={"x": jnp.ones((1, 1))}, key={"x": jnp.ones((1, 4))})
    attn.attend_heads(attn.causal & attn.predicate(near), *arrays, at=at)


@pytest.mark.parametrize("t", [1, 4])
def test_an_axis_of_length_1_in_front_is_that_of_the_batch(t):
    seen = []

    def note(site):
        seen.append(site.key["x"].shape)
        return site.key_pos >= 0

    arrays = heads(t, batch=2)
    for features in ((), (5,), (1,)):
        at = both(jnp.ones((1, t, *features)))
        attn.attend_heads(attn.predicate(lambda x: note(x)), *arrays, at=at)
        assert set(seen) == {(1, t, *features)}
        seen.clear()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at": {"segment": 3}}, "attend_heads: `at` must come from attn.at, got dict; "
            "write for example at=attn.at(positions=...)."),
        ({"at": jnp.arange(3)}, "attend_heads: `at` must come from attn.at, got "
            "ArrayImpl; write for example at=attn.at(positions=...)."),
        ({"rng": 0}, "attend_heads: `rng` must be one key, for example "
            "jax.random.key(0), got 0."),
        ({"rng": jax.random.split(jax.random.key(0))}, "attend_heads: `rng` must be "
            "one key, for example jax.random.key(0), got key<fry>[2]."),
        ({"probes": (3,)}, "attend_heads: `probes` must be names such as 'entropy', "
            "got (3,)."),
        ({"at": attn.at(positions=jnp.zeros((3, 3, 1), int))}, "attend_heads: query "
            "data `query_pos` must be [T, ...] or [B, T, ...] with B=3 and T=3, got "
            "(3, 3, 1)."),
    ],
)  # fmt: skip
def test_options_of_the_wrong_kind_are_refused_in_one_line(options, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the message is compared
        attn.attend_heads("causal, dropout(0.1)", *heads(3), **options)
    assert str(caught.value) == message


HEADS = {"width": 8, "heads": 2}
MODELS = {"vocabulary": 8, "context": 8}


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("MultiHeadAttention", {"heads": 0}, "heads must be at least 1, got 0."),
        ("MultiHeadAttention", {"key_heads": 0},
            "key_heads must be at least 1, got 0."),
        ("MultiHeadAttention", {"context_width": 0},
            "context_width must be at least 1, got 0."),
        ("Decoder", {"layers": 0}, "layers must be at least 1, got 0."),
        ("Decoder", {"hidden": 0}, "hidden must be at least 1, got 0."),
        ("Decoder", {"softcap": 0}, "softcap must be a positive number, got 0; leave "
            "it out for no bound."),
        ("Encoder", {"vocabulary": 0}, "vocabulary must be at least 1, got 0."),
        ("Encoder", {"context": 2.5}, "context must be at least 1, got 2.5."),
        ("Classifier", {"classes": 0}, "classes must be at least 1, got 0."),
    ],
)  # fmt: skip
def test_modules_of_no_size_are_refused(kind, options, message):
    sizes = HEADS if kind == "MultiHeadAttention" else MODELS
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the message is compared
        getattr(attn.modules, kind)(**{**sizes, **options}, rngs=nnx.Rngs(0))
    assert str(caught.value) == f"{kind}: {message}"


def test_a_table_of_positions_fits_its_model():
    position = attn.learned(size=(7, 12))
    with pytest.raises(ValueError, match=r"8 positions and width 12, got \(7, 12\)"):
        attn.modules.Decoder(**MODELS, width=12, position=position, rngs=nnx.Rngs(0))
