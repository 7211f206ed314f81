"""The shipped configs are fine, and say what they are."""

import pytest

from experiments.commands.find import DEFAULT, configs_folder
from experiments.config import load
from experiments.config.notation import check_notation

SHIPPED = sorted(configs_folder().glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_it_loads(path):
    config = load(path)
    check_notation(config)
    assert config.name == path.stem


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_its_first_comment_says_what_it_is(path):
    assert path.read_text().startswith("# ")


def test_the_default_is_shipped():
    assert DEFAULT in [path.name for path in SHIPPED]
