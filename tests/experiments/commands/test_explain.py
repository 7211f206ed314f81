"""`attn explain` says who runs, and why that one."""

import json

import pytest

from experiments.commands.explain import explain


@pytest.mark.parametrize(
    ("shape", "line"),
    [
        ("1x64x2x8", "  dense      runs (small: all logits of a head fit the cache)"),
        (
            "1x1024x2x8",
            "  blockwise  runs (the first of blockwise, dense that does not refuse)",
        ),
    ],
)
def test_the_one_that_runs_has_its_reason(shape, line, capsys):
    explain("causal", shape, None, "float32", "cpu")
    assert line in capsys.readouterr().out.splitlines()
    explain("causal", shape, None, "float32", "cpu", as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert f"({said['why']})" in line
    assert said["backends"][line.split()[0]] == "runs"
