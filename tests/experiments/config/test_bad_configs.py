"""Every mistake is one line that says where, what was expected, and what to write."""

import pathlib

import pytest

from experiments.config import ConfigError, load

TABLE = pathlib.Path(__file__).with_name("bad_configs.txt")


def blocks() -> list[tuple[str, list[str], list[str]]]:
    """(YAML, overrides, faults) of each block of the table."""
    found = []
    for block in TABLE.read_text(encoding="utf-8").split("\n\n"):
        lines = [x for x in block.strip("\n").split("\n") if not x.startswith("#")]
        faults = [x.removeprefix("=> ") for x in lines if x.startswith("=> ")]
        overrides = [x.removeprefix("$ ") for x in lines if x.startswith("$ ")]
        yaml = [x for x in lines if not x.startswith(("=> ", "$ "))]
        if faults:
            found.append(("\n".join(yaml) or "name: x", overrides, faults))
    return found


@pytest.mark.parametrize(
    ("yaml", "overrides", "faults"), blocks(), ids=[x[2][0][:60] for x in blocks()]
)
def test_the_lines(yaml, overrides, faults, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("bad.yaml").write_text(yaml + "\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load("bad.yaml", overrides)
    assert str(caught.value).split("\n") == faults


def test_there_are_enough():
    assert len(blocks()) >= 350
