"""Charts as files: every task has its two, as PNG and as SVG, in the page's colours."""

import pytest

from experiments.records import read_runs
from tests.experiments.made import make_run

charts = pytest.importorskip(
    "experiments.report.charts", reason="altair is an extra", exc_type=ImportError
)


def test_charts_are_written_in_both_formats(tmp_path):
    paths = [make_run(tmp_path / "runs", f"seed={seed}") for seed in range(2)]
    records, _ = read_runs(paths)
    written = charts.draw(records, tmp_path / "out")
    names = [path.name for path in written]
    assert names == ["curves.png", "curves.svg", "estimates.png", "estimates.svg"]
    assert written[0].read_bytes().startswith(b"\x89PNG")
    assert charts.PALETTE[0] in written[1].read_text()
    style = (charts.__file__.removesuffix("charts.py")) + "assets/colours.css"
    with open(style) as file:
        text = file.read()
    assert all(f"--k{n}: {c}" in text for n, c in enumerate(charts.PALETTE))
