"""Charts as files: every task has its two, as PNG and as SVG, in the page's colours."""

import pytest

from experiments.records import read_runs
from tests.experiments.made import make_run

charts, encodings = (
    pytest.importorskip(name, reason="altair is an extra", exc_type=ImportError)
    for name in ("experiments.report.charts", "experiments.report.encodings")
)
PALETTE = encodings.PALETTE


def test_charts_are_written_in_both_formats(tmp_path):
    paths = []
    for mask, state in (("causal", 512.0), ("causal & window(back=3)", 128.0)):
        more = {"cost/state_bytes_per_token": state, "grid/length=8/accuracy": 0.5}
        more |= {"grid/length=16/accuracy": 0.25}
        for seed in range(2):
            settings = (f"model.mask={mask}", f"seed={seed}")
            paths.append(make_run(tmp_path / "runs", *settings, more=more))
    records, _ = read_runs(paths)
    written = charts.draw(records, tmp_path / "out")
    kinds = ("curves", "estimates", "cost", "grid_length")
    files = [f"{kind}.{ending}" for kind in kinds for ending in ("png", "svg")]
    assert [path.name for path in written] == files
    assert "state bytes per token" in written[5].read_text()
    assert "length" in written[7].read_text()
    assert written[0].read_bytes().startswith(b"\x89PNG")
    assert PALETTE[0] in written[1].read_text()
    style = (charts.__file__.removesuffix("charts.py")) + "assets/colours.css"
    with open(style) as file:
        text = file.read()
    assert all(f"--k{n}: {c}" in text for n, c in enumerate(PALETTE))
