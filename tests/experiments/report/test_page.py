"""The report: it answers, escapes, stands alone, and opens without a complaint."""

import base64
import hashlib
import html.parser
import json
import re

import pytest

from experiments.compare.compare import compare
from experiments.compare.comparison import Asked
from experiments.compare.members import find
from experiments.errors import UserError
from experiments.records import read_runs
from experiments.report import write_report
from experiments.report.html import data, tag
from experiments.report.metrics import Aim
from experiments.report.payload import payload
from experiments.report.sentences import beside, headline
from experiments.report.view import make_view, measure
from tests.experiments.made import make_run
from tests.experiments.report.browser import ABSENT, browser, open_page

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&\"'\u202e\x00"
LOSS = Aim("val/loss", "min")
MASKS = ("causal", "causal & window(back=3)")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two masks x three seeds, everything of the user's hostile, one run damaged."""
    root = tmp_path_factory.mktemp("made")
    notes = f"notes={json.dumps(HOSTILE)}"
    for mask, floor in zip(MASKS, (1.0, 2.0), strict=True):
        for seed in range(3):
            settings = (f"model.mask={mask}", f"seed={seed}", notes)
            more = {"val/gap_1-8/loss": 0.5, "grid/length=8/loss": 1.0 + seed}
            more |= {"grid/length=16/loss": 2.0, f"val/{HOSTILE}/loss": 1.0}
            path = make_run(root, *settings, floor=floor + seed / 100, more=more)
            (path / "samples" / "step_00000040.txt").write_text(HOSTILE)
    bad = make_run(root, "seed=9")
    (bad / "manifest.json").write_text("{")
    records, damaged = read_runs(sorted(root.iterdir()))
    page = root / "out" / "report.html"
    size = write_report(records, page, title=HOSTILE, damaged=damaged)
    return page, size, bad


class Reader(html.parser.HTMLParser):
    """Elements, attributes and text, as a browser would see them."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def read(made):
    return Reader(made[0].read_text())


def test_the_answer_comes_first_with_its_interval(made, read):
    said = " ".join("".join(read.words).split())
    assert "mask=causal has the lowest validation loss" in said
    assert "95% interval" in said
    assert "their intervals do not meet" in said
    assert made[1] == made[0].stat().st_size < 1e6


def test_equal_figures_share_the_headline_and_the_cheapest_is_told(tmp_path):
    windows = {"causal & window(back=3)": 2.0, "causal & window(back=7)": 1.0}
    paths = []
    for mask, floor in {"causal": 1.0, **windows}.items():
        state = {"cost/state_bytes_per_token": 100.0 * len(mask)}
        for seed in range(2):
            settings = (f"model.mask={mask}", f"seed={seed}")
            paths.append(
                make_run(tmp_path / "runs", *settings, floor=floor, more=state)
            )
    records, _ = read_runs(paths)
    ranked = make_view(records, title="").ranked(make_view(records, title="").tasks[0])
    said = Reader("".join(map(str, headline(ranked, LOSS)))).words
    assert "".join(said).startswith(
        "mask=causal and mask=causal & window(back=7) share"
    )
    said = "".join(Reader("".join(map(str, beside(ranked, LOSS)))).words)
    assert said.startswith("Next is mask=causal & window(back=3) with 2.0")
    assert "mask=causal takes 0.26 × the state bytes per token." in said
    assert "cheapest" not in said  # the best one is


def words(parts):
    return "".join(Reader("".join(map(str, parts))).words)


def test_only_runs_that_are_done_are_in_means_and_ranks(tmp_path):
    window = "model.mask=causal & window(back=3)"
    paths = [make_run(tmp_path, f"seed={seed}", floor=2.0) for seed in range(2)]
    paths += [make_run(tmp_path, window, f"seed={seed}", floor=3.0) for seed in (0, 1)]
    paths += [make_run(tmp_path, window, "seed=2", floor=0.1, status="diverged")]
    late = make_run(tmp_path, "model.mask=everything", floor=0.1, status="stopped")
    records, _ = read_runs([*paths, late])
    view = make_view(records, title="")
    (task,) = view.tasks
    ranked = view.ranked(task)
    assert [each.label for each in ranked] == [
        "mask=causal",
        "mask=causal & window(back=3)",
        "mask=everything",
    ]
    assert measure(ranked[1], "val/loss").mean == pytest.approx(3.0, abs=0.1)
    said = words(headline(ranked, LOSS))
    assert said.startswith("mask=causal has the lowest validation loss")
    assert words(headline(ranked[2:], LOSS)).endswith("has no run that is done.")
    page = tmp_path / "report.html"
    write_report(records, page, title="")
    shown = "".join(Reader(page.read_text()).words)
    assert "2 of 3" in shown
    assert "no mean has them" in shown
    assert late.name in shown


def test_the_goal_of_a_study_ranks_the_page(tmp_path):
    paths = [
        make_run(tmp_path, f"seed={seed}", f"model.mask={mask}", floor=floor)
        for seed in range(2)
        for mask, floor in (("causal", 1.0), ("everything", 2.0))
    ]
    found = find([str(path) for path in paths], tmp_path)
    view = make_view(
        [each.record for each in found.members],
        title="",
        comparison=compare(found, Asked(goal="max")),
        names={each.record.name: (each.variant, each.task) for each in found.members},
    )
    (task,) = view.tasks
    ranked = view.ranked(task)
    assert ranked[0].label == "mask=everything"
    said = words(headline(ranked, view.aim(task)))
    assert said.startswith("mask=everything has the highest validation loss")
    assert '"most":true' in data("x", payload(view)).replace(" ", "")


def test_a_damaged_run_is_named(made, read):
    said = "".join(read.words)
    assert made[2].name in said
    assert "cannot be read as JSON" in said


def test_what_users_write_stays_text(read):
    names = [name for name, _ in read.elements]
    assert names.count("script") == 2
    assert "img" not in names
    assert not [a for _, given in read.elements for a in given if a.startswith("on")]
    assert any("</script><script>alert(1)" in word for word in read.words)
    assert "\u202e" not in "".join(read.words)


def test_the_policy_names_the_one_style_and_the_one_script(made):
    text = made[0].read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "unsafe" not in policy
    assert policy.startswith("default-src &#x27;none&#x27;; script-src")
    for name in ("style", "script"):
        inner = re.findall(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
        assert len(inner) == 1
        digest = hashlib.sha256(inner[0].encode()).digest()
        assert f"sha256-{base64.b64encode(digest).decode()}" in policy
    assert not re.search(r'(src|href)="(?!#)', text)
    assert "http" not in re.sub(r"http://www.w3.org/2000/svg|http-equiv", "", text)


def test_nothing_to_report_is_said(tmp_path):
    with pytest.raises(UserError, match="no run that can be read"):
        write_report([], tmp_path / "x.html", title="")


def test_markup_is_escaped_wherever_it_enters():
    assert tag("p", "<b>", title='"x') == '<p title="&quot;x">&lt;b&gt;</p>'
    assert tag("p", tag("b", "&")) == "<p><b>&amp;</b></p>"
    assert "</script>" not in data("d", ["</script><!--"])[:-9]


@pytest.mark.skipif(browser() is None, reason=ABSENT)
def test_a_browser_opens_it_without_a_complaint_or_a_request(made, tmp_path):
    opened = open_page(made[0], tmp_path)
    assert opened.console == []
    assert opened.requests == []
    assert opened.dom.count("<svg") >= 3
    assert opened.dom.count('class="line') >= 2
    assert "<img" not in opened.dom


@pytest.mark.skipif(browser() is None, reason=ABSENT)
def test_the_browser_would_notice_a_script_that_is_not_ours(made, tmp_path):
    text = made[0].read_text()
    spoiled = tmp_path / "spoiled.html"
    inside = "<script>fetch('http://127.0.0.1:9/x')</script><script>nowhere()</script>"
    spoiled.write_text(text.replace("</body>", f"{inside}</body>"))
    opened = open_page(spoiled, tmp_path)
    assert any("Content Security Policy" in line for line in opened.console)
    bare = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    spoiled.write_text(bare.replace("</body>", f"{inside}</body>"))
    opened = open_page(spoiled, tmp_path)
    assert any("127.0.0.1:9" in url for url in opened.requests)
