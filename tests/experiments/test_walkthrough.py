"""The walkthrough: real numbers, every step, and honest words about them."""

import io
import json
import re

import numpy as np
import pytest
from rich.console import Console

from experiments.walkthrough import main, walk

SENTENCE = "the cat sat on the mat"


def by_title(walked):
    return {step.title: step for step in walked.steps}


def test_the_steps_are_those_of_attention_in_order():
    assert [step.title for step in walk(SENTENCE).steps] == [
        "Tokens",
        "Embedding",
        "Query",
        "Key",
        "Value",
        "Dot products",
        "Division by the square root of the key width",
        "Weights",
        "Weighted sum of values",
        "Concatenation over heads",
        "Output projection",
        "Residual sum",
    ]


@pytest.mark.parametrize(
    "spec",
    [
        "everything",
        "causal & window(back=3)",
        "alibi",
        "Attention(similarity=l2, logits=softcap(2), mask=causal, normalizer=sigmoid)",
        "entmax",
    ],
)
def test_the_steps_end_where_the_layer_ends(spec):
    walked = walk(SENTENCE, spec=spec, heads=4, head=2)
    assert walked.difference < 5e-6


def test_the_numbers_of_one_head_follow_from_each_other():
    steps = by_title(walk(SENTENCE, spec="causal", head=1))
    query, key, value = (steps[n].array for n in ("Query", "Key", "Value"))
    products = steps["Dot products"].array
    np.testing.assert_allclose(products, query @ key.T, rtol=1e-5, atol=1e-5)
    scaled = steps["Division by the square root of the key width"].array
    np.testing.assert_allclose(scaled, products / 2, rtol=1e-6)
    allowed = steps["Mask"].array
    np.testing.assert_array_equal(allowed, np.tril(np.ones((6, 6))))
    weights = np.exp(scaled) * allowed
    weights /= weights.sum(-1, keepdims=True)
    np.testing.assert_allclose(steps["Weights"].array, weights, rtol=1e-5, atol=1e-6)
    output = steps["Weighted sum of values"].array
    np.testing.assert_allclose(output, weights @ value, rtol=1e-4, atol=1e-5)
    merged = steps["Concatenation over heads"].array
    np.testing.assert_array_equal(merged[:, 4:], output.astype(np.float32))


def test_words_tell_what_the_weights_do():
    softmax = by_title(walk(SENTENCE))["Weights"]
    assert "sums to 1" in softmax.meaning
    sigmoid = by_title(walk(SENTENCE, spec="sigmoid"))["Weights"]
    assert "sums to 1" not in sigmoid.meaning


def test_the_page_names_words_shapes_and_the_check():
    console = Console(width=100, record=True, file=io.StringIO())
    main(SENTENCE, spec="causal & window(back=3)", console=console)
    page = console.export_text()

    for expected in ("[T=6, N=2, H=4]", "causal & window(back=3)", "mat", "Checked:"):
        assert expected in page


@pytest.mark.parametrize("width", [40, 27])
def test_a_narrow_page_cuts_no_number(width):
    console = Console(width=width, record=True, file=io.StringIO())
    main(f"the cat sat on the {70 * 'm'}at", console=console)
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= width
    page = "\n".join(lines)
    assert "\u2026" not in page
    start, end = page.index("2. Embedding"), page.index("3. Query")
    shown = re.findall(r"-?\d\.\d\d\b", page[start:end])
    wanted = [f"{x:.2f}" for x in walk(SENTENCE).steps[1].array.ravel()]
    assert sorted(shown) == sorted(wanted)


def test_words_that_look_like_markup_are_words():
    console = Console(width=100, record=True, file=io.StringIO())
    main("a [bold] [/i] b", console=console)
    rows = [line.split()[1:-1] for line in console.export_text().splitlines()]
    assert ["a", "[bold]", "[/i]", "b"] in rows  # the heads of the columns


def test_json_has_every_step_in_full(capsys):
    main(SENTENCE, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["words"] == SENTENCE.split()
    assert len(told["steps"]) == 12
    assert told["steps"][-1]["shape"] == "[T=6, D=8]"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"sentence": "  "}, "no words"),
        ({"sentence": "a b", "head": 2}, r"head must be in 0\.\.1, got 2"),
        ({"sentence": "a b", "heads": 3}, "heads must divide width"),
        ({"sentence": "a b", "spec": "casual"}, "causal"),
    ],
)
def test_wrong_use_is_one_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        walk(**call)
    assert "\n" not in str(caught.value)
