"""Pieces are frozen pytrees with a notation; the lists of them agree."""

import copy
import dataclasses
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attn
from attn.spec.logits import LOGITS
from attn.spec.masks import MASKS
from attn.spec.normalizers import NORMALIZERS
from attn.spec.notation import PIECES
from attn.spec.piece import Piece
from attn.spec.positions import POSITIONS
from attn.spec.scaling import SCALINGS
from attn.spec.similarity import SIMILARITIES
from tests import cases
from tests.cases import CASES

TABLES = {
    "similarity": SIMILARITIES,
    "logits": LOGITS,
    "mask": MASKS,
    "normalizer": NORMALIZERS,
    "position": POSITIONS,
    "scaling": SCALINGS,
}
ROTARY = attn.rotary(base=5e5, width=4, scaling=attn.yarn(4.0, 2048))
EXTRA = [
    attn.dropout(0.1),
    attn.sinusoidal,
    attn.learned(table=[[1.0, 2.0]]),
    attn.learned(size=(8, 4)),
    ROTARY,
    attn.none,
    attn.linear(2.0),
    attn.ntk(jnp.float32(3.0)),
    attn.causal & (attn.first(4) | ~attn.window(back=3)) ^ attn.segments,
    (attn.causal | attn.first(2)) & attn.dilated(2),
    attn.softcap(50) >> attn.alibi >> attn.scale(0.1),
    attn.window(back=attn.per_head([1, 2, 3])),
    attn.softmax(sink=attn.per_batch(attn.per_head([[0.5], [1.5]]))),
    attn.alibi(slopes="learned"),
    attn.scale(np.float64(0.1)),
    attn.scale(jnp.asarray([0.1], "bfloat16")),
    attn.bias(np.zeros((0, 3), np.float32)),
    attn.bias([[np.inf, -np.inf], [np.nan, 1e-45]]),
    attn.Attention(),
    attn.Attention(
        mask=attn.causal, logits=attn.softcap(2.0), dropout=attn.dropout(0.5)
    ),
]


def test_the_lists_of_pieces_agree():
    """Folder tables, notation, exported names and the shared table of tests."""
    for kind, table in TABLES.items():
        for name, entry in table.items():
            assert getattr(attn, name) is entry
            assert name in attn.__all__
            assert PIECES[name] is entry
            assert (entry.name, entry.kind) == (name, kind)
    words = {name for table in TABLES.values() for name in table}
    assert set(PIECES) == {*words, "dropout", "Attention"}
    for kind, rows in (
        ("similarity", cases.SIMILARITIES),
        ("logits", cases.LOGITS),
        ("mask", cases.MASKS),
        ("normalizer", cases.NORMALIZERS),
    ):
        assert {row.piece().name for row in rows} == set(TABLES[kind])
        assert {row.kind for row in rows} == {kind}


def all_piece_classes():
    found = [Piece]
    for cls in found:
        found += cls.__subclasses__()
    return {cls for cls in found if cls.name and cls.__module__.startswith("attn.")}


@pytest.mark.parametrize("name", PIECES)
def test_every_piece_says_what_it_is_and_where_it_comes_from(name):
    entry = PIECES[name]
    cls = entry if isinstance(entry, type) else type(entry)
    meaning = cls.__doc__.splitlines()[0]
    assert meaning.endswith(".")
    assert len(meaning) < 85
    assert cls.reference
    assert cls in all_piece_classes()
    required = [
        f.name for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING
    ]
    # A name stands for a finished piece exactly where it needs no arguments.
    assert isinstance(entry, type) == (
        bool(required) or name in ("window", "Attention")
    )


@pytest.mark.parametrize("piece", [c.piece() for c in CASES] + EXTRA, ids=repr)
def test_repr_parses_back(piece):
    functions = {f.__name__: f for f in (cases._bent, cases._far)}
    again = attn.parse(repr(piece), names=functions)
    assert again == piece
    assert jax.tree.structure(again) == jax.tree.structure(piece)
    for one, other in zip(jax.tree.leaves(again), jax.tree.leaves(piece), strict=True):
        assert one.dtype == other.dtype
        assert one.shape == other.shape


@pytest.mark.parametrize("piece", [c.piece() for c in CASES] + EXTRA, ids=repr)
def test_pieces_are_frozen_pytrees(piece):
    leaves, structure = jax.tree.flatten(piece)
    assert jax.tree.unflatten(structure, leaves) == piece
    for strange in (None, 3, object()):  # what transformations put in a leaf
        jax.tree.map(lambda x, put=strange: put, piece)
    doubled = jax.tree.map(lambda x: x, piece)
    assert doubled == piece
    assert copy.deepcopy(piece) == piece
    if not leaves:
        assert hash(doubled) == hash(piece)
    field = dataclasses.fields(piece)[:1]
    if field:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(piece, field[0].name, 1)


def test_pieces_pickle():
    for piece in EXTRA:
        assert pickle.loads(pickle.dumps(piece)) == piece


def test_arrays_are_leaves_and_python_values_are_not():
    assert jax.tree.leaves(attn.softcap(50.0)) == []
    assert jax.tree.leaves(attn.softcap(jnp.float32(50.0))) == [50.0]
    assert jax.tree.leaves(attn.scale([2.0, 3.0]))[0].dtype == np.float32
    assert jax.tree.leaves(attn.window(back=[2]))[0].dtype == np.int32
    assert jax.tree.leaves(attn.dense([[True]]))[0].dtype == bool
    with pytest.raises(TypeError, match="unhashable"):
        hash(attn.softcap(jnp.float32(50.0)))


def test_equality_is_by_value():
    assert attn.softcap(2) == attn.softcap(2.0) != attn.softcap(3)
    assert attn.bias([[1.0]]) == attn.bias(np.ones((1, 1), np.float32))
    assert attn.bias([[1.0]]) != attn.bias(np.ones((1, 1), np.float64))
    assert attn.bias([[1.0]]) != attn.bias([[1.0, 1.0]])
    assert attn.causal != attn.everything
    assert attn.softmax_one != attn.softmax(sink=0.0)
    assert attn.causal != "causal"
    assert attn.per_head([1]) != attn.per_batch([1])


def test_a_call_changes_arguments_and_keeps_the_others():
    assert attn.softmax() == attn.softmax
    assert attn.softmax(sink=0.5) == attn.softmax(0.5)
    assert attn.window(back=3)(ahead=2) == attn.window(back=3, ahead=2)
    for bad in (lambda: attn.softmax(1, 2), lambda: attn.softmax(0.0, sink=1.0)):
        with pytest.raises(TypeError):
            bad()
    with pytest.raises(TypeError):
        attn.softmax(zink=1.0)


def test_new_values_of_arrays_do_not_retrace():
    traces = []

    @jax.jit
    def run(spec, x):
        traces.append(1)
        return attn.attend(spec, x, x, x).value

    x = jnp.ones((3, 2))
    for slope in (0.1, 0.2):
        run(attn.alibi(slopes=jnp.float32(slope)), x)
    assert len(traces) == 1
    run(attn.alibi(slopes=0.1), x)
    assert len(traces) == 2


def test_vmap_over_a_batch_of_specs():
    x = jnp.asarray(cases.Draw().normal(5, 3))
    caps = jnp.array([0.5, 1.0, 2.0])
    specs = jax.vmap(attn.softcap)(caps)
    got = jax.vmap(lambda spec: attn.attend(spec, x, x, x).value)(specs)
    for cap, one in zip(caps, got, strict=True):
        expected = attn.attend(attn.softcap(float(cap)), x, x, x).value
        np.testing.assert_allclose(one, expected, rtol=1e-5, atol=1e-7)


def test_a_spec_is_trained_like_any_pytree():
    """Learned slopes under grad and tree_map: what an optimiser does."""
    x = jnp.asarray(cases.Draw().normal(5, 3))
    spec = attn.Attention(
        mask=attn.causal,
        logits=attn.alibi(slopes=jnp.float32(0.5)),
        normalizer=attn.softmax(sink=jnp.float32(0.0)),
    )
    loss = lambda spec: jnp.sum(attn.attend(spec, x, x, x).value ** 2)  # noqa: E731
    first = loss(spec)
    for _ in range(3):
        gradient = jax.grad(loss)(spec)
        spec = jax.tree.map(lambda p, g: p - 0.05 * g, spec, gradient)
    assert loss(spec) < first


def test_a_piece_of_a_function_takes_other_arrays_or_another_function():
    bend = attn.fn(abs, slope=1.0, shift=2)
    assert bend(slope=3.0) == attn.fn(abs, slope=3.0, shift=2)
    assert bend(len) == attn.fn(len, slope=1.0, shift=2)
    far = attn.predicate(len, gap=1)
    assert far(gap=2) == attn.predicate(len, gap=2)
    with pytest.raises(TypeError, match="takes at most 1 argument, got 2"):
        bend(len, 3)


def test_large_and_traced_arrays_print_as_their_type():
    big = attn.bias(np.zeros((100, 100), np.float32))
    assert repr(big) == "bias(array(<float32[100, 100]>))"
    with pytest.raises(ValueError, match="cannot read"):
        attn.parse(repr(big))
    shown = []
    jax.jit(lambda piece: shown.append(repr(piece)))(attn.scale([1.0, 2.0]))
    assert shown == ["scale(array(<float32[2]>))"]


def test_parameters_are_listed_and_put_back_by_path():
    spec = attn.Attention(
        logits=attn.scale("learned") >> attn.alibi(slopes="learned") >> attn.t5,
        normalizer=attn.softmax(sink="learned"),
    )
    wanted = spec.parameters(6)
    assert {path: p.shape for path, p in wanted.items()} == {
        "logits.left.left.by": (6,),
        "logits.left.right.slopes": (6,),
        "logits.right.table": (6, 32),
        "normalizer.sink": (6,),
    }
    rng = jax.random.key(0)
    values = {k: p.init(rng, p.shape, jnp.float32) for k, p in wanted.items()}
    np.testing.assert_allclose(values["logits.left.left.by"], 1)
    np.testing.assert_allclose(values["logits.left.right.slopes"][0], 0.25)
    full = spec.with_parameters(values)
    assert full.parameters(6) == {}
    assert len(jax.tree.leaves(full)) == 4
    assert full.normalizer.sink == attn.per_head(values["normalizer.sink"])
    x = jnp.ones((1, 4, 6, 3))
    assert attn.attend_heads(full, x, x, x).value.shape == x.shape
    with pytest.raises(ValueError, match="is to be learned and has no value yet"):
        attn.attend_heads(spec, x, x, x)


def test_alibi_takes_the_slopes_of_the_paper():
    eight = attn.alibi.for_heads(8).slopes.value
    np.testing.assert_allclose(eight, [2.0**-i for i in range(1, 9)])
    six = attn.alibi.for_heads(6).slopes.value
    np.testing.assert_allclose(six, [2.0**-i for i in (2, 4, 6, 8, 1, 3)])
    with jax.enable_x64(True):
        sixteen = attn.alibi.for_heads(16).slopes.value
        exact = [2.0 ** (-i / 2) for i in range(1, 17)]
        np.testing.assert_allclose(sixteen, exact, rtol=1e-15)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: attn.softcap(0), "softcap: `cap` must be a positive number, got 0."),
        (lambda: attn.softcap(-1.0), "softcap: `cap` must be a positive number"),
        (
            lambda: attn.softcap(float("inf")),
            "softcap: `cap` must be a positive number",
        ),
        (lambda: attn.softcap(True), "softcap: `cap` must be a positive number"),
        (lambda: attn.scale("two"), "scale: `by` must be a finite number or 'learned'"),
        (lambda: attn.scale([[1.0], [2.0, 3.0]]), "scale: `by`: expected a list of"),
        (lambda: attn.scale(["a"]), "scale: `by`: expected a list of numbers"),
        (lambda: attn.alibi(slopes=None)(slopes="no"), "alibi: `slopes` must be"),
        (lambda: attn.t5(buckets=1), "t5: `buckets` must be a whole number of at lea"),
        (
            lambda: attn.t5(buckets=64, max_distance=64),
            "t5: `max_distance` must exceed",
        ),
        (lambda: attn.cosine(temperature=0), "cosine: `temperature` must be a posit"),
        (lambda: attn.dot(scale=-1), "dot: `scale` must be a positive number, got -1"),
        (lambda: attn.dropout(1.0), "dropout: `rate` must be at least 0 and below 1"),
        (lambda: attn.dropout(rate="a"), "dropout: `rate` must be at least 0"),
        (lambda: attn.fn(None), "fn: expected a function, got None"),
        (lambda: attn.per_head(attn.per_batch([1.0])), "write per_batch(per_head(x))"),
        (lambda: attn.softmax(sink={1}), "softmax: `sink` must be"),
        (lambda: attn.rotary(width={}), "rotary: `width` must be"),
        (lambda: attn.fn(len, by={1}), "fn: `by`"),
        (lambda: attn.per_head(3), "per_head: expected an array or a list, got 3"),
        (lambda: attn.Attention(mask=attn.alibi), "a logits piece; write logits=..."),
        (lambda: attn.Attention(mask="causal"), "for notation write attn.parse"),
        (lambda: attn.Attention(mask=attn.window), "`window` without its arguments"),
        (lambda: attn.as_attention(attn.window), "`window` needs arguments; write"),
        (lambda: attn.as_attention(3), "expected an Attention, a piece such as"),
        (lambda: attn.as_attention(()), "expected an Attention, a piece such as"),
        (lambda: attn.as_attention(attn.rotary), "rotary is no part of an attention"),
        (lambda: attn.as_attention((attn.causal, attn.segments)), "two mask pieces"),
    ],
)
def test_bad_arguments_are_refused_with_the_reason(make, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the message is compared
        make()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            attn.bilinear(np.ones((2, 3), np.float32)),
            r"`matrix` must be \[H, H\] = \[2",
        ),
        (attn.additive([[1.0]], [[1.0]], [1.0]), r"`query_map` must be \[H, A\] = \[2"),
        (attn.t5(table=[1.0]), r"t5: `table` must be \[buckets\] = \[32\], got"),
        (attn.bias(np.ones((3, 4), np.float32)), "axis S is 4 in `array` but 3 in"),
        (attn.decay([1.0, 2.0], [1.0] * 3), "decay: axis T is 2 in `query` but 3"),
        (attn.blocks([1], 2), r"blocks: `table` must be \[query blocks, key blocks\]"),
    ],
)
def test_arrays_that_do_not_fit_the_call_are_refused(spec, message):
    x = jnp.ones((3, 2))
    with pytest.raises(ValueError, match=message):
        attn.attend(spec, x, x, x)


def test_one_head_takes_no_arrays_of_several():
    x = jnp.ones((3, 2))
    with pytest.raises(
        ValueError, match="per_head arrays are for attend_heads; for one"
    ):
        attn.attend(attn.scale(attn.per_head([1.0, 2.0])), x, x, x)


def test_a_piece_of_a_user_needs_no_registration():
    """A new piece is a class in the user's own file; names= puts it in notation."""

    @attn.spec.piece.piece("upwards")
    class Upwards(attn.spec.mask.Mask):
        """Sees what lies above."""

        least: int = 0
        positional = True

        def allows(self, site):
            return site.key_pos - site.query_pos >= self.least

    mask = attn.parse("upwards(least=2) & causal", names={"upwards": Upwards()})
    assert repr(mask) == "upwards(least=2) & causal"
    assert not attn.spec.drawing.table(mask, 4, 4).any()
