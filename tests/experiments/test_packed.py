"""A model keeps the documents of a window apart, as its mask says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attn
from attn.modules import Decoder
from experiments import packed
from experiments.config import ConfigError, load
from experiments.config.notation import check_notation
from experiments.model import build_model, read_tokens
from experiments.tasks.task import Packed, unlabelled

SIZES = ("model.layers=2", "model.heads=2", "model.width=12", "data.documents=files")
APART = "causal & segments"
T = 13
SEGMENT = [0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3]


def model_of(*overrides) -> Decoder:
    config = load(None, [*SIZES, f"data.context={T}", *overrides])
    return build_model(config, 29)


def windows(rng, *segments) -> Packed:
    tokens = jnp.asarray(rng.integers(0, 29, (len(segments), T)), jnp.int32)
    weights = jnp.ones(tokens.shape, jnp.float32)
    return Packed(tokens, tokens, weights, segment=jnp.asarray(segments, jnp.int32))


@pytest.mark.parametrize(
    "choices",
    [
        (),
        ("model.position=learned",),
        ("model.position=sinusoidal", "model.convolve=[attention, heads]"),
        (f"model.mask={APART} & (first(1) | window(back=1))",),
        (f"model.mask={APART}", "model.logits=log_length"),
    ],
    ids=["rotary", "learned", "convolved", "first", "log_length"],
)
def test_a_document_is_read_as_if_it_were_alone(choices):
    """Packed behind others or at the begin of a window, among others or not."""
    model = model_of(f"model.mask={APART}", *choices)
    rng = np.random.default_rng(7)
    batch = windows(rng, SEGMENT, [0] * 5 + [1] * 8, [0] * T)
    tokens = batch.tokens.at[1:, :5].set(batch.tokens[0, 5:10])
    batch = Packed(tokens, tokens, batch.weights, segment=batch.segment)
    found = read_tokens(model, batch, None)
    np.testing.assert_allclose(found[0, 5:10], found[1, :5], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[1, :5], found[2, :5], rtol=1e-4, atol=1e-5)
    alone = read_tokens(model, unlabelled(tokens[2:]), None)
    np.testing.assert_allclose(alone[0], found[2], rtol=1e-5, atol=1e-5)


def test_without_segments_in_its_mask_a_model_reads_on():
    model = model_of()
    batch = windows(np.random.default_rng(5), SEGMENT)
    assert packed.stand(model, batch) is None
    other = batch.tokens.at[0, 0].add(1)
    moved = unlabelled(other % 29)
    first, second = (read_tokens(model, x, None)[0, -1] for x in (batch, moved))
    assert not np.array_equal(first, second)


def test_positions_are_left_to_planners_where_only_distances_count():
    rng = np.random.default_rng(5)
    batch = windows(rng, SEGMENT)
    for mask, position, given in (
        (f"{APART} & window(back=5)", "rotary", False),
        (APART, "none", False),
        (APART, "learned", True),
        # Documents that are half apart: counted anew, a later key would look earlier.
        ("causal & (segments | window(back=2))", "learned", False),
    ):
        model = model_of(f"model.mask={mask}", f"model.position={position}")
        where = packed.stand(model, batch)
        assert (where.query_pos is not None) == given, mask


def test_positions_begin_again_with_each_document():
    segment = jnp.asarray([SEGMENT, [0] * T], jnp.int32)
    wanted = [[0, 1, 2, 0, 1, 0, 1, 2, 3, 4, 0, 1, 2], list(range(T))]
    assert jax.jit(packed.restarted)(segment).tolist() == wanted


@pytest.mark.parametrize(
    ("mask", "apart"),
    [
        ("segments", True),
        ("causal & window(back=3) & segments", True),
        ("segments & causal | segments & first(3)", True),
        ("segments | causal", False),
        ("~segments", False),
        ("causal", False),
    ],
)
def test_which_masks_are_sure_to_hide_other_documents(mask, apart):
    assert packed.is_apart(attn.parse(mask)) == apart


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            (),
            "and the text has none; set data.documents, for example to files, or remove"
            " segments.",
        ),
        (("data.kind=mqar",), "and task mqar has none; remove segments."),
        (
            ("data.kind=dates", "model.kind=seq2seq"),
            "and task dates has none; remove segments.",
        ),
    ],
)
def test_segments_need_documents(kind, message):
    with pytest.raises(ConfigError) as caught:
        check_notation(load(None, [*kind, f"model.mask={APART}"]))
    said = f"override `model.mask={APART}`: keeps documents apart, {message}"
    assert str(caught.value) == said
