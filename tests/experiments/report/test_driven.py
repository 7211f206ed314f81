"""The report under pointer, finger and keys: what changes; nothing complains."""

import pytest

from experiments.records import read_runs
from experiments.report import write_report
from tests.experiments.made import make_run
from tests.experiments.report.browser import ABSENT, browser
from tests.experiments.report.driver import driven

CHART, TIP = "[data-chart=curves]", "[data-chart=curves] .tip"
READS = f"document.querySelector('{CHART}').classList.contains('reading')"
LINES = f"document.querySelectorAll('{CHART} .line').length"
FIRST = "document.querySelector('#runs tbody tr').textContent"
READY = "document.querySelectorAll('svg').length > 2"

pytestmark = pytest.mark.skipif(browser() is None, reason=ABSENT)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    root = tmp_path_factory.mktemp("driven")
    for mask, floor in (("causal", 1.0), ("causal & window(back=3)", 2.0)):
        for seed in range(2):
            settings = (f"model.mask={mask}", f"seed={seed}")
            make_run(root / "runs", *settings, floor=floor + seed / 10)
    records, _ = read_runs(sorted((root / "runs").iterdir()))
    write_report(records, root / "report.html", title="Driven")
    with driven(root) as found:
        found.open(root / "report.html", READY)
        yield found
        assert found.complaints == []
        assert found.requests == []


def test_a_pointer_reads_the_curves_and_leaves(page):
    assert not page.value(READS)
    page.hover(CHART, 0.99)
    assert page.value(READS)
    assert page.text(TIP).startswith("steps 40mask=causal 1.0")
    page.hover("h1")
    assert not page.value(READS)


def test_keys_walk_the_curves(page):
    page.value(f"document.querySelector('{CHART}').focus()")
    steps = []
    for key in ("Home", "ArrowRight", "End", "ArrowLeft"):
        page.press(key)
        steps.append(page.text(f"{TIP} .tip-head"))
    assert steps == ["steps 10", "steps 20", "steps 40", "steps 30"]
    page.press("Escape")
    assert not page.value(READS)


def test_a_tap_reads_and_a_tap_elsewhere_ends_it(page):
    page.tap(CHART, 0.99)
    assert page.value(READS)
    assert "steps 40" in page.text(TIP)
    page.tap("h1")
    assert not page.value(READS)


def test_the_legend_hides_and_shows(page):
    assert page.value(LINES) == 2
    page.click(".legend button")
    assert page.value(LINES) == 1
    assert page.value("document.querySelector('.legend button').ariaPressed") == "false"
    page.click(".legend .all")
    assert page.value(LINES) == 2


def test_a_heading_sorts_both_ways(page):
    seen = []
    for _ in range(2):
        page.click("#runs th:nth-child(3) button")
        seen.append(page.value(FIRST))
    assert "0done" in seen[0]
    assert "1done" in seen[1]
    assert page.value("document.querySelectorAll('[aria-sort=descending]').length") == 1


def test_controls_redraw_and_the_theme_turns(page):
    title = f"document.querySelector('{CHART} svg').getAttribute('aria-label')"
    assert page.value(title).startswith("validation loss over steps")
    choose = "const x = document.getElementById('metric'); x.value = 'train/loss';"
    page.value(f"{{ {choose} x.dispatchEvent(new Event('input', {{bubbles: true}})) }}")
    assert page.value(title).startswith("training loss over steps")
    colour = "getComputedStyle(document.body).backgroundColor"
    before = page.value(colour)
    page.click("#theme")
    assert page.value(colour) != before
    page.click("#theme")
    assert page.value(colour) == before


def test_a_config_is_copied_or_selected(page):
    page.value("document.querySelector('#reproduce details').open = true")
    page.click("#reproduce button.copy")
    page.value("new Promise((done) => setTimeout(done, 50))")
    assert page.text("#reproduce button.copy") in ("Copied", "Selected")
