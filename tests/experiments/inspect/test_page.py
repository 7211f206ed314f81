"""The page, the picture and the terminal view of a made-up inspection."""

import base64
import dataclasses
import hashlib
import io
import json
import re
import zlib

import numpy as np
import pytest
from rich.console import Console

from experiments.errors import UserError
from experiments.inspect import page as page_module
from experiments.inspect.page import page, strongest, write_page
from experiments.inspect.scores import head_scores
from experiments.inspect.terminal import show
from experiments.inspect.view import Inspection, Layer, Lens, visible
from tests.experiments.report.browser import ABSENT, browser
from tests.experiments.report.driver import driven

MARKUP = '</script><script>alert(1)</script><img src=x onerror="alert(2)">'
WORDS = ("a", "b", " ", "c", "\n", "a", "b", MARKUP)
IDS = np.array([0, 1, 2, 3, 4, 0, 1, 5])


def layer(name, seed, texts=("tokens", "tokens"), shape=(3, 8, 8)):
    rng = np.random.default_rng(seed)
    weights = rng.random(shape) * np.tri(*shape[1:])
    weights /= weights.sum(-1, keepdims=True)
    if seed == 1:  # head 2 finds what followed: `a` at 5 looks at 1, `b` at 6 at 2
        weights[2, 5], weights[2, 6] = np.eye(8)[1], np.eye(8)[2]
    keys = IDS[: shape[2]]
    scores = head_scores(weights, IDS, keys, within=texts[0] == texts[1])
    return Layer(name, *texts, weights.astype(np.float32), scores)


@pytest.fixture
def seen():
    lens = Lens(
        layers=("embedding", "block 0"),
        tokens=np.tile([0, 5], (2, 8, 1)),
        probabilities=np.tile([0.75, 0.125], (2, 8, 1)),
        wanted=np.append(IDS[1:], -1),
        rank=np.ones((2, 8), int),
        probability=np.full((2, 8), 0.5),
    )
    source = tuple("wxyz")
    return Inspection(
        run="run<b>",
        step=1200,
        spec="dot, causal & window(back=3), softmax",
        about="prompt",
        texts={"tokens": WORDS, "source": source},
        layers=(
            layer("decoder.blocks.0.attention", 0),
            layer("decoder.blocks.10.attention", 1),
            layer("decoder.blocks.10.cross", 2, ("tokens", "source"), (3, 8, 4)),
        ),
        lens=lens,
        symbols=dict(enumerate(dict.fromkeys(WORDS))),
    )


def block(text, name):
    return re.search(rf'<script type="[^"]*" id="{name}">(.*?)</script>', text, re.S)[1]


def test_the_policy_names_the_style_and_the_script_by_hash(seen):
    text = page(seen)
    style = re.search(r"<style>(.*?)</style>", text, re.S)[1]
    script = re.search(r"<script>(.*?)</script>", text, re.S)[1]
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    for each in (style, script):
        digest = base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "://" not in text


def test_markup_of_a_text_never_reaches_the_page(seen):
    text = page(seen)
    assert "<" not in block(text, "data")
    assert "run<b>" not in text
    assert text.count("</script>") == 3
    data = json.loads(block(text, "data"))
    assert data["texts"]["tokens"][-1] == visible(MARKUP)


def test_weights_come_back_to_half_a_percent(seen):
    text = page(seen)
    raw = zlib.decompress(base64.b64decode(block(text, "weights")))
    codes, data = np.frombuffer(raw, np.uint8), json.loads(block(text, "data"))
    start = 0
    heads = iter(seen.heads())
    for each in data["layers"]:
        for record in each["heads"]:
            weights = next(heads).weights
            part = codes[start : start + weights.size].reshape(weights.shape) / 255.0
            found = part**2 * record["largest"]
            np.testing.assert_allclose(found, weights, atol=0.004)
            assert (found > 0)[weights > 1e-4].all()
            start += weights.size
    assert start == len(codes)


def test_the_strongest_named_head_comes_first(seen):
    assert strongest(seen).name == "decoder.10.2"
    assert strongest(seen).title == "induction head"
    assert seen.heads("induction")[0].name == "decoder.10.2"
    assert seen.heads("induction")[-1].layer.columns == "source"  # has no such score
    entropies = [head.scores["entropy"] for head in seen.heads("entropy")]
    assert entropies == sorted(entropies)


def test_a_page_that_no_mail_takes_is_refused(seen, tmp_path, monkeypatch):
    monkeypatch.setattr(page_module, "LARGEST", 1000)
    with pytest.raises(UserError, match=r"page would have .* choose a shorter"):
        write_page(seen, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


@pytest.fixture
def opened(seen, tmp_path):
    write_page(seen, tmp_path / "page.html")
    with driven(tmp_path) as found:
        found.open(tmp_path / "page.html", "document.documentElement.dataset.ready")
        yield found
        assert found.complaints == []
        assert found.requests == []


@pytest.mark.skipif(browser() is None, reason=ABSENT)
def test_a_browser_shows_what_pointer_finger_and_keys_ask_for(seen, opened):
    assert opened.value("document.querySelectorAll('[data-head]').length") == 9
    assert opened.value("document.querySelectorAll('img').length") == 0
    who = "Token 7, “</script>"
    assert opened.text("#who").startswith(who)
    reads_tokens(opened, who)
    reads_weights(opened, seen.heads()[5])
    changes_heads(opened, seen)
    turns(opened)


def reads_tokens(opened, pinned):
    """Hovering shows and forgets, a click or a key stays."""
    chip = ".strip button:nth-child({})".format
    opened.hover(chip(7))
    assert opened.text("#who") == "Token 6, “b”, in head decoder.10.2"
    assert opened.text("#attends .share") == "␣ 2 · 1.00"
    opened.hover("h1")
    assert opened.text("#who").startswith(pinned)
    opened.click(chip(6))
    opened.hover("h1")
    assert opened.text("#who").startswith("Token 5")
    for key, token in (("ArrowRight", 6), ("ArrowLeft", 5), ("End", 7), ("Home", 0)):
        opened.press(key)
        assert opened.text("#who").startswith(f"Token {token}")
    opened.tap(chip(6))
    assert opened.text("#who").startswith("Token 5, “a”")


def reads_weights(opened, head):
    """The number beside the map is the weight below the pointer."""
    left, top, size = opened.value("[frame.left, frame.top, frame.size]")
    wide, high = opened.value("[$('map').clientWidth, $('map').clientHeight]")
    across, down = (left + 2.5 * size) / wide, (top + 6.5 * size) / high
    opened.hover("#map", across, down)
    assert opened.text("#cell") == f"“b” (6) → “␣” (2): {head.weights[6, 2]:.2f}"
    assert opened.text("#who").startswith("Token 6")
    opened.hover("h1")
    assert opened.text("#cell") == ""
    opened.tap("#map", across, down)
    opened.hover("h1")
    assert opened.text("#who").startswith("Token 6")


def changes_heads(opened, seen):
    """A card enlarges its head, and scores order the cards."""
    opened.click("[data-head='1']")
    assert opened.text("#head-name").startswith("Head decoder.0.1")
    assert opened.value("document.querySelector('[data-head=\"1\"]').ariaPressed")
    order = "[...document.querySelectorAll('[data-head]')].map((x) => +x.dataset.head)"
    assert opened.value(order) == list(range(9))
    pick = "$('sort').value = '{}'; $('sort').dispatchEvent(new Event('change'))"
    names = [head.name for head in seen.heads()]
    for score in ("entropy", "induction"):
        opened.value(pick.format(score))
        found = [names[number] for number in opened.value(order)]
        assert found == [head.name for head in seen.heads(score)]


def turns(opened):
    """The lens follows a click; the button changes the colours."""
    opened.click("#lens-map", 0.05)
    assert opened.text("#lens-where").startswith("After token 0, “a”")
    colour = "getComputedStyle(document.body).backgroundColor"
    before = opened.value(colour)
    opened.click("#theme")
    assert opened.value(colour) != before


def test_the_picture_is_a_picture(seen, tmp_path):
    picture = pytest.importorskip("experiments.inspect.picture")
    picture.write_picture(seen, tmp_path / "heads.png")
    assert (tmp_path / "heads.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    drawn = picture.picture(seen)
    assert drawn.count("<image") == 9
    assert "run&lt;b&gt;" in drawn
    with pytest.raises(UserError, match=r"ends in \.png or \.svg, got '\.gif'"):
        picture.write_picture(seen, tmp_path / "heads.gif")


def test_the_terminal_view_has_shades_without_a_terminal_and_colours_on_one(seen):
    plain = Console(width=100, file=io.StringIO())
    show(seen, console=plain)
    said = plain.file.getvalue()
    assert "\x1b" not in said
    assert "head decoder.10.2 induction head" in said
    assert "█" in said
    assert "logit lens" in said
    colours = Console(width=40, file=io.StringIO(), force_terminal=True)
    show(seen, console=colours)
    assert "\x1b[" in colours.file.getvalue()


def test_a_token_that_looks_like_markup_is_shown(seen):
    console = Console(width=200, file=io.StringIO())
    texts = {**seen.texts, "tokens": (*WORDS[:-1], "[/b]")}
    show(dataclasses.replace(seen, texts=texts), console=console)
    assert "logit lens after `[/b]`" in console.file.getvalue()


def test_the_record_has_every_weight(seen):
    record = seen.record()
    first = record["layers"][0]["heads"][0]
    np.testing.assert_allclose(first["weights"], seen.layers[0].weights[0])
    assert record["lens"]["wanted"][-1] is None
    assert record["layers"][2]["heads"][0]["scores"].keys() == first["scores"].keys()
