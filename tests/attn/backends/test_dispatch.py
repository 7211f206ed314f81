"""Which backend runs, why the others refuse, and what a wrong name is told."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attn
from attn.backends import dispatch, planner
from attn.backends.blockwise import plan
from attn.backends.explain import explain
from attn.backends.planner import Steps, Tiling
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


@pytest.mark.parametrize(
    ("spec", "shapes", "platform", "why"),
    [
        ("causal", SHORT, "cpu", "small: all logits of a head fit the cache"),
        ("causal", LONG, "cpu", "the first of blockwise, dense that does not refuse"),
        ("entmax", LONG, "cpu", "the first of blockwise, dense that does not refuse"),
        (
            "alibi",
            HALF,
            "gpu",
            "the first of fused, blockwise, dense that does not refuse",
        ),
    ],
)
def test_explain_says_why_the_one_that_runs_was_chosen(spec, shapes, platform, why):
    told = explain(spec, shapes, platform=platform)
    assert told.why == why
    (line,) = (line for line in str(told).splitlines() if "  runs, " in line)
    assert line.endswith(f" at a time ({why})")


def test_explain_counts_no_heads_one_by_one():
    many = Shapes(512, 512, 8, 8, heads=2**31, key_heads=2**31)
    assert explain("causal, alibi", many, platform="cpu").at_once == 8


def test_explain_has_no_reason_of_its_own_for_a_backend_that_was_asked_for():
    told = dataclasses.replace(explain("causal", LONG, platform="cpu"), runs="dense")
    assert told.why == ""
    assert "(the first of" not in str(told)


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


@pytest.mark.parametrize("change", [{"placed": True}, {"mixed": True}])
def test_on_a_gpu_auto_leaves_to_others_what_fused_would_refuse(change):
    shapes = dataclasses.replace(HALF, **change)
    assert dispatch.choose(as_attention("causal"), shapes, platform="gpu") == (
        "blockwise"
    )


def test_fused_refuses_positions_and_two_dtypes():
    x = jnp.ones((1, 4, 2, 8))
    at = attn.at(positions=jnp.arange(4) + 3)
    with pytest.raises(ValueError, match="'fused' refuses: it counts positions from 0"):
        attn.attend_heads("causal", x, x, x, at=at, backend="fused")
    with pytest.raises(ValueError, match="refuses: query, key and value must be of on"):
        attn.attend_heads("causal", x, x, x.astype("bfloat16"), backend="fused")
    assert "at` gives others" in str(explain("causal", x, at=at))


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("causal", {"key": 5}, "compares positions and T=3 differs from S=5"),
        ("segments", {}, "needs `segment` and the query side has none"),
        (attn.alibi(slopes=attn.per_head([1.0] * 3)), {}, r"with N=2, got \(3,\)"),
        (attn.bias(np.ones((4, 3))), {}, "axis T is 4 in `array` but 3 in `query`"),
        (attn.bias(attn.per_head(np.ones((2, 4, 3)))), {}, "axis T is 4 in `array`"),
        ("causal", {"at": attn.at(positions=[1])}, "with B=1 and T=3, got "),
        ("causal", {"at": 3}, "explain: `at` must come from attn.at, got int"),
        ("everything", {"key": 5, "probes": "mean_distance"}, "compares positions"),
        ("causal", {"probes": None}, "explain: `probes` must be names such as"),
    ],
)
def test_what_a_call_refuses_is_not_explained(spec, options, message):
    query = jnp.ones((1, 3, 2, 8))
    options = {"key": 3, **options}
    options["key"] = jnp.ones((1, options["key"], 2, 8))
    with pytest.raises(ValueError, match=message):
        explain(spec, query, **options)


def test_a_call_with_all_its_data_is_explained():
    segment = attn.per_batch(jnp.zeros((2, 3), int))
    spec = attn.segments, attn.bias(attn.per_head(np.ones((4, 3, 3)))) >> attn.alibi
    told = explain(spec, jnp.ones((2, 3, 4, 8)), at=attn.at(segment=segment))
    assert told.runs == "dense"
    assert explain("causal & segments", Shapes(3, 5, 8, 8)).runs == "dense"


@pytest.mark.parametrize("backend", ["dense", "blockwise"])
@pytest.mark.parametrize(
    "probe", ["mean_distance", "mass(window(back=2, ahead=0))", "mass(segments)"]
)
def test_a_probe_asks_for_what_a_mask_would_ask_for(backend, probe):
    query, key = jnp.ones((1, 8)), jnp.ones((10, 8))
    options = {"probes": (probe,), "backend": backend}
    with pytest.raises(ValueError, match=r"the probe `m.*` (compares|needs)"):
        attn.attend("everything", query, key, key, **options)
    at = attn.at(query_pos=jnp.array([9]), query={"segment": jnp.zeros(1, int)})
    at = dataclasses.replace(at, key={"segment": jnp.arange(10) // 5})
    found = attn.attend("everything", query, key, key, at=at, **options).aux[probe]
    expected = {"mean_distance": 4.5, "mass(segments)": 0.5}.get(probe, 0.3)
    np.testing.assert_allclose(found, [expected], rtol=1e-6)


def test_a_probe_of_a_whole_mask_array_is_not_folded():
    x = jnp.ones((2, 8))
    probe = "mass(dense([[True, False], [True, True]]))"
    found = attn.attend("causal", x, x, x, probes=(probe,)).aux[probe]
    np.testing.assert_allclose(found, [1, 1])
    with pytest.raises(ValueError, match=r"refuses: the probe .* is, or reads, an arr"):
        attn.attend("causal", x, x, x, probes=(probe,), backend="blockwise")
    with pytest.raises(ValueError, match="axis T is 2 in `array` but 3 in"):
        attn.attend("causal", *[jnp.ones((3, 8))] * 3, probes=(probe,))


@attn.spec.piece.piece("half")
class Half(attn.spec.normalizers.Softmax):
    """A user's normalizer: half of what softmax gives."""

    def close(self, state):
        return 0.5 * super().close(state)


@attn.spec.piece.piece("near")
class Near(attn.spec.masks.Causal):
    """A user's mask that allows more than the one it is made from."""

    def allows(self, site):
        return site.key_pos <= site.query_pos + 200

    def decide(self, query_span, key_span):
        return attn.Cover.SOME


@pytest.mark.parametrize("spec", [attn.Attention(normalizer=Half()), Near()], ids=repr)
def test_a_piece_made_from_another_is_folded_as_what_it_is(spec):
    x = jax.random.normal(jax.random.key(0), (300, 8))
    at = attn.at(positions=jnp.arange(300))
    tiling = Tiling(strip=0, rows=64, cols=64)
    expected = attn.attend(spec, x, x, x, at=at, backend="dense").value
    found = attn.attend(spec, x, x, x, at=at, backend="blockwise", tiling=tiling).value
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("length", [16, 1024])
def test_missing_segments_are_said_on_every_path(length):
    x = jnp.ones((1, length, 2, 8))
    with pytest.raises(ValueError, match="needs `segment` and the query side has"):
        attn.attend_heads("segments", x, x, x)


@pytest.mark.parametrize("shape", [(0, 256, 256), (2, 0, 256), (2, 256, 0)])
def test_nothing_to_attend_to_gives_zeros(shape):
    batch, t, s = shape
    query, key = jnp.ones((batch, t, 2, 8)), jnp.ones((batch, s, 2, 8))
    assert not attn.attend_heads("everything", query, key, key).value.any()
    with pytest.raises(ValueError, match="refuses: there is no pair of query and key"):
        attn.attend_heads("everything", query, key, key, backend="blockwise")


@pytest.mark.parametrize("field", ["strip", "area", "strips", "step", "reach"])
def test_a_tiling_is_made_of_whole_numbers(field):
    with pytest.raises(ValueError, match=f"Tiling: `{field}` must be a whole number"):
        Tiling(**{field: -1})


def test_a_plan_that_cannot_be_strips_asks_no_cover_for_them(monkeypatch):
    asked = []
    cover = type(attn.causal).cover
    monkeypatch.setattr(
        type(attn.causal), "cover", lambda *x: asked.append(0) or cover(*x)
    )
    where = attn.spec.site.resolve(None, 8192, 8192, attn.causal)
    plan.make(attn.causal, where, None, Tiling(strip=128, step=128))
    assert len(asked) == 16 * 16


@pytest.mark.parametrize(("reach", "widths"), [(1, 4), (8, 8), (11, 8), (99, 24)])
def test_tiles_of_strips_are_no_wider_than_their_reach(reach, widths):
    where = attn.spec.site.resolve(None, 24, 24, attn.causal)
    tiling = Tiling(strip=8, step=4, reach=reach)
    strips = plan.make(attn.causal, where, None, tiling)
    for row, runs in enumerate(strips.runs):
        starts, stops, masked = zip(*runs, strict=True)
        assert (starts[0], stops[-1]) == (0, 8 * (row + 1))
        assert starts[1:] == stops[:-1]
        assert all(b - a <= widths for a, b, _ in runs)
        assert masked == tuple(stop > 8 * row + 1 for stop in stops)


def test_a_lifted_call_tells_the_planner_of_all_its_heads():
    few, many, lone = (
        dispatch.tiling("blockwise", attn.Attention(), Shapes(t, t, 64, 64, n, n))
        for t, n in ((512, 2), (512, 8), (2048, 1))
    )
    assert (few.abreast, many.abreast) == (2, 1)
    assert (
        lone.reach
        < dispatch.tiling(
            "blockwise", attn.Attention(), Shapes(2048, 2048, 64, 64, 2, 2)
        ).reach
    )
    assert dispatch.tiling("dense", attn.Attention(), Shapes(64, 64, 8, 8)) is None
    assert planner.tiling(Shapes(4096, 4096, 64, 64), "gpu").reach == 4096


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"at": {"positions": 3}}, "attend: `at` must come from attn.at, got dict"),
        ({"rng": 0}, "attend: `rng` must be one key, for example jax.random.key"),
        ({"probes": (3,)}, "attend: `probes` must be names such .*, got \\(3,\\)"),
        ({"probes": 3}, "attend: `probes` must be names such as 'entropy', got 3"),
        ({"probes": None}, "attend: `probes` must be names such .*, got None"),
        ({"tiling": 256}, "attend: `tiling` must be a Tiling, got 256; write for exa"),
    ],
)
@pytest.mark.parametrize("backend", ["dense", "blockwise"])
def test_options_of_the_wrong_kind_are_one_line(option, message, backend):
    x = jnp.ones((4, 8))
    with pytest.raises(ValueError, match=message):
        attn.attend("dropout(0.5)", x, x, x, backend=backend, **option)
