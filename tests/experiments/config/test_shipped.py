"""The shipped configs are fine, and say what they are."""

import pytest

from experiments.config import load
from experiments.config.many import load_many
from experiments.config.notation import check_notation
from experiments.shipped import DEFAULT, configs_folder
from experiments.sweep.checks import check_metric, check_points

SHIPPED = sorted(configs_folder().glob("*.yaml"))
STUDIES = [path for path in SHIPPED if path.stem.endswith("_study")]
CONFIGS = [path for path in SHIPPED if path not in STUDIES]


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_expands_to_configs_that_are_fine(path):
    many = load_many(path, kind="study")
    check_points(many.points)
    check_metric(many, many.points)
    assert f"{many.base.name}_study" == path.stem
    assert len(many.points) >= 2 * len(many.plan.variants)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_loads(path):
    config = load(path)
    check_notation(config)
    assert config.name == path.stem


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_its_first_comment_says_what_it_is(path):
    assert path.read_text().startswith("# ")


def test_the_default_is_shipped():
    assert DEFAULT in [path.name for path in SHIPPED]
