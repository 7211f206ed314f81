"""The notation: what it reads, what it refuses, and that it never evaluates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import attn
from attn.spec.notation import PIECES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("causal", attn.causal),
        ("causal()", attn.causal),
        ("  causal  &\n window(back=128) ", attn.causal & attn.window(back=128)),
        ("softcap(50) >> alibi", attn.softcap(50) >> attn.alibi),
        ("softcap(cap=50)", attn.softcap(50)),
        ("identity >> alibi >> identity", attn.alibi),
        ("causal & (first(4) | window(back=1024))",
         attn.causal & (attn.first(4) | attn.window(back=1024))),
        ("causal | first(4) & segments", attn.causal | (attn.first(4) & attn.segments)),
        ("~~causal", attn.causal),
        ("~(causal | segments)", ~(attn.causal | attn.segments)),
        ("softmax(sink=-0.5)", attn.softmax(sink=-0.5)),
        ("alibi(slopes='learned')", attn.alibi(slopes="learned")),
        ("alibi(slopes=per_head([0.5, 0.25]))",
         attn.alibi(slopes=attn.per_head([0.5, 0.25]))),
        ("bias([[0, -inf], [nan, 1.5]])",
         attn.bias([[0.0, -np.inf], [np.nan, 1.5]])),
        ("scale(array(2.0, 'float64'))", attn.scale(np.array(2.0))),
        ("rotary(scaling=yarn(4.0, 2048))",
         attn.rotary(scaling=attn.yarn(4.0, 2048))),
        ("causal, softcap(50)",
         attn.Attention(mask=attn.causal, logits=attn.softcap(50))),
        ("causal, dropout(0.1), sigmoid",
         attn.Attention(mask=attn.causal, normalizer=attn.sigmoid,
                        dropout=attn.dropout(0.1))),
        ("Attention(mask=causal)", attn.Attention(mask=attn.causal)),
        ("Attention", attn.Attention()),
    ],
)  # fmt: skip
def test_what_it_reads(text, expected):
    assert attn.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("causl", "unknown name `causl`; did you mean `causal`?"),
        ("Causal", "unknown name `Causal`; did you mean `causal`?"),
        ("widnow(back=3)", "unknown name `widnow`; did you mean `window`?"),
        ("zzzzzzz", "unknown name `zzzzzzz`; `attn list` shows all names."),
        ("window", "`window` needs arguments; write `window(back=None, ahead=None)`"),
        ("window()", "window: expected `back=` or `ahead=`"),
        ("window(size=3)", "unexpected keyword argument 'size'; expected `window(ba"),
        ("window(back=-1)", "window: `back` must be a whole number of at least 0"),
        ("window(back=3, back=4)", "gives one argument twice"),
        ("softcap", "`softcap` needs arguments; write `softcap(cap)`"),
        ("softcap()", "missing 1 required positional argument: 'cap'; expected `sof"),
        ("softcap(1, 2, 3)", "expected `softcap(cap)`"),
        ("softcap('high')", "softcap: `cap` must be a positive number, got 'high'"),
        ("causal >> alibi", "`>>` joins logits pieces, and `causal` is a mask piece"),
        ("alibi & causal", "`&` joins masks, and `alibi` is a logits piece"),
        ("causal & 3", "`&` joins masks, and `3` is a number"),
        ("causal & window", "`window` is a piece without its arguments"),
        ("causal + segments", "is Python, not notation"),
        ("causal and segments", "is Python, not notation"),
        ("not causal", "is Python, not notation"),
        ("-causal", "is Python, not notation"),
        ("causal if 1 else segments", "is Python, not notation"),
        ("causal.allows", "is Python, not notation"),
        ("causal[0]", "is Python, not notation"),
        ("lambda: causal", "is Python, not notation"),
        ("[causal for _ in 'ab']", "is Python, not notation"),
        ("__import__('os').system('true')", "is Python, not notation"),
        ("__import__('os')", "unknown name `__import__`"),
        ("open('/etc/passwd')", "unknown name `open`"),
        ("(x := causal)", "is Python, not notation"),
        ("f'{causal}'", "is Python, not notation"),
        ("bias(*[1])", "is Python, not notation"),
        ("window(**{'back': 1})", "is Python, not notation"),
        ("window(back=3)(ahead=2)", "is Python, not notation"),
        ("b'causal'", "is Python, not notation"),
        ("1j", "is Python, not notation"),
        ("...", "is Python, not notation"),
        ("'causal'", "expected a piece such as `causal`, got `'causal'`"),
        ("3", "expected a piece such as `causal`, got `3`"),
        ("[1, 2]", "expected a piece such as `causal`"),
        ("()", "expected a piece such as `causal`"),
        ("per_head([1])", "expected a piece such as `causal`"),
        ("", "expected a piece such as `causal`, got an empty text"),
        ("causal &", "cannot read `causal &`"),
        ("causal; segments", "cannot read"),
        ("import os", "cannot read"),
        ("causal\x00", "cannot read"),
        ("causal, segments", "two mask pieces, `causal` and `segments`; join them"),
        ("causal, 3", "3 is no part of an attention"),
        ("causal(3)", "`causal(3)`: takes at most 0 arguments, got 1; expected"),
        ("nan(3)", "`nan` takes no arguments here"),
        ("scale([[1], [2, 3]])", "scale: `by`: expected a list of numbers"),
        ("scale(array(1, 'floaty'))", "array: unknown dtype 'floaty'"),
        ("scale(array(1, 'object'))", "array: unknown dtype 'object'"),
        ("scale(array([1, 2], 'float32', (3,)))", "cannot reshape"),
        ("scale(1" + "0" * 400 + ")", "is too large for a whole number"),
        ("scale(1" + "0" * 5000 + ")", "cannot read"),
        ("(" * 500 + "causal" + ")" * 500, ""),
        ("~" * 5000 + "causal", ""),
        ("causal & " * 20000 + "causal", "too long"),
    ],
)  # fmt: skip
def test_what_it_refuses(text, message):
    with pytest.raises(attn.NotationError) as caught:
        attn.parse(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith("notation: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("bad", [None, 3, b"causal", attn.causal])
def test_only_text_is_read(bad):
    with pytest.raises(attn.NotationError, match="expected a text, got"):
        attn.parse(bad)


def test_names_of_the_user():
    def near(site, gap):
        return abs(site.distance) < gap

    mask = attn.parse("causal & predicate(near, gap=3)", names={"near": near})
    assert mask == attn.causal & attn.predicate(near, gap=3)
    assert repr(mask).startswith("causal & predicate(near, gap=")
    assert attn.parse(repr(mask), names={"near": near}) == mask
    mine = attn.parse("mine | causal", names={"mine": attn.first(3)})
    assert mine == attn.first(3) | attn.causal
    with pytest.raises(attn.NotationError, match="unknown name `near`"):
        attn.parse("predicate(near)")
    with pytest.raises(attn.NotationError, match="`near` takes no arguments here"):
        attn.parse("near(3)", names={"near": near})


words = st.sampled_from([*PIECES, "per_head", "array", "inf", "x", "__import__", "os"])
marks = st.sampled_from(list("()[]{},.:=&|~^><+-*/@%;'\"\\\n #`!0123456789"))
texts = st.lists(st.one_of(words, marks, st.text(max_size=3)), max_size=12).map("".join)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(texts)
def test_any_text_is_read_or_refused_in_one_line(text):
    try:
        piece = attn.parse(text)
    except attn.NotationError as refusal:
        piece, message = None, str(refusal)
    if piece is None:
        assert "\n" not in message
        return
    assert attn.parse(repr(piece)) == piece


sinks = st.floats(-1e30, 1e30, allow_nan=False)
singles = st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=4)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(sinks, singles, st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=3))
def test_numbers_survive_the_way_there_and_back(sink, numbers, whole):
    for piece in (
        attn.softmax(sink=sink),
        attn.scale(numbers),
        attn.scale(np.asarray(numbers, np.float64) * 1.1),
        attn.window(back=attn.per_head(whole)),
    ):
        assert attn.parse(repr(piece)) == piece


def test_long_attention_is_readable():
    spec = attn.parse(
        "causal & window(back=8), softcap(50) >> alibi, softmax(sink=0.0)"
    )
    assert repr(spec) == (
        "Attention(logits=softcap(50) >> alibi, mask=causal & window(back=8), "
        "normalizer=softmax(sink=0.0))"
    )
