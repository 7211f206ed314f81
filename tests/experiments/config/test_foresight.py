"""A decoder that would see what it is to predict is refused, and nothing else is."""

import numpy as np
import pytest

import attn
from experiments import tasks
from experiments.config import ConfigError, load
from experiments.config.foresight import check_foresight, is_causal, reach, seen
from experiments.config.notation import check_notation

SMALL = ("data.context=23", "model.layers=2", "data.documents=files")
COPY = ("data.kind=selective_copy", "data.options={length: 11, items: 3}")


def refused(*overrides):
    with pytest.raises(ConfigError) as caught:
        check_notation(load(None, [*SMALL, *overrides]))
    return str(caught.value)


@pytest.mark.parametrize(
    ("mask", "first", "last", "better"),
    [
        ("everything", 0, 22, "causal"),
        ("window(back=3)", 0, 22, "causal & window(back=3)"),
        ("window(back=3, ahead=2)", 0, 4, "causal & window(back=3, ahead=2)"),
        ("causal | prefix(5)", 0, 4, "causal"),
        ("chunked(7)", 0, 6, "causal & chunked(7)"),
        ("~causal", 0, 22, "causal & ~causal"),
        ("segments", 0, 22, "causal & segments"),
        ("causal | ~segments", 0, 22, "causal"),
        ("causal | first(2)", 0, 1, "causal"),
    ],
)
def test_what_sees_ahead_is_refused_with_what_to_write(mask, first, last, better):
    assert refused(f"model.mask={mask}") == (
        f"override `model.mask={mask}`: lets position {first} know position {last}"
        f" before it predicts it; expected no later key, got `{mask}`; write"
        f" `{better}`."
    )


@pytest.mark.parametrize(
    "mask",
    [
        "causal",
        "causal & window(back=3)",
        "causal & segments",
        "window(back=3, ahead=0)",
        "causal & (first(2) | window(back=3))",
        "causal & (causal | prefix(5))",
        "causal ^ (causal & window(back=3)) | causal & dilated(2)",
        "causal & random_blocks(0.5, size=4)",
        "~window(ahead=30)",
    ],
)
def test_what_sees_nothing_ahead_is_fine(mask):
    check_notation(load(None, [*SMALL, f"model.mask={mask}"]))


def test_what_another_layer_has_seen_is_seen():
    """Position 0 sees all; in the next layer everybody has it from there."""
    mask = attn.causal | (attn.prefix(1) | attn.global_tokens(1))
    assert reach(mask, 7, 1).tolist() == [6, 1, 2, 3, 4, 5, 6]
    assert reach(mask, 7, 2).tolist() == [6] * 7


def test_covers_prove_what_the_table_says():
    for mask in (attn.causal, attn.window(ahead=1), attn.chunked(3) & attn.causal):
        table = seen(mask, 13)
        assert is_causal(mask, (0, 12)) == (not np.triu(table, 1).any())


def test_a_prefix_is_for_a_task_that_does_not_count_it():
    """Of 11 letters with noise the three that count are asked for after them."""
    fine = load(None, [*COPY, "model.mask=causal | prefix(11)"])
    check_notation(fine)
    check_foresight(fine, tasks.build(fine.data))
    longer = load(None, [*COPY, "model.mask=causal | prefix(13)"])
    with pytest.raises(ConfigError, match="lets position 11 know position 12"):
        check_foresight(longer, tasks.build(longer.data))


def test_only_decoders_are_asked():
    check_notation(load(None, ["data.kind=majority", "model.kind=classifier"]))
    dates = ("data.kind=dates", "model.kind=seq2seq", "model.encoder_mask=everything")
    for mask, fine in (("causal", True), ("everything", False)):
        config = load(None, [*dates, f"model.mask={mask}"])
        task = tasks.build(config.data)
        if fine:
            check_foresight(config, task)
            continue
        with pytest.raises(ConfigError, match=r"write `causal`"):
            check_foresight(config, task)
