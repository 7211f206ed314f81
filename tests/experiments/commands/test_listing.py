"""`attn list`: every name, with a meaning."""

import json

import pytest

from experiments import cli
from experiments.commands import listing
from experiments.config import names


@pytest.fixture
def attn(capsys):
    """Runs a command line in this process: (exit code, stdout, stderr)."""

    def call(*words):
        code = cli.main(words)
        return code, *capsys.readouterr()

    return call


@pytest.mark.parametrize("heading", listing.HEADINGS)
def test_every_name_has_a_meaning(heading):
    for row in listing.rows(heading):
        assert row.name
        assert row.meaning or heading == "configs"


@pytest.mark.parametrize("heading", listing.PIECES)
def test_every_piece_has_a_reference(heading):
    assert all(row.reference for row in listing.rows(heading))


def test_everything_at_once(attn):
    code, out, _ = attn("list")
    assert code == 0
    for name in ("causal", "softcap", "rotary", "adamw", "wsd", "bpe", "dense"):
        assert f"\t{name}\t" in out


def test_one_table_in_the_singular_and_as_json(attn):
    _, out, _ = attn("list", "optimizer", "--json")
    listed = [row["name"] for row in json.loads(out)["optimizers"]]
    assert listed == list(names.OPTIMIZERS)
