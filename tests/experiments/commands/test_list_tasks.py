"""`attn list tasks`: what each task is, what can be set, what a guess reaches."""

import json

import pytest

from experiments import cli, tasks
from experiments.commands.tasks import LIKE, details, long
from experiments.config import load, names
from experiments.shipped import configs_folder


def test_each_task_has_its_presets_with_chance(capsys):
    assert cli.main(["list", "tasks"]) == 0
    out = capsys.readouterr().out
    for kind in names.TASKS:
        assert f"{kind}: {names.TASKS[kind]}" in out
    assert "  tiny   length=32 pairs=4 symbols=32; chance 2.77 nats, 6.2%" in out


def test_one_task_in_full_and_as_json(capsys):
    assert cli.main(["list", "grammar"]) == 0
    out = capsys.readouterr().out
    assert "at best 0.844 nats" in out
    assert "data.options.branches  symbols that may come in a state" in out
    assert cli.main(["list", "mqar", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["tasks"]
    assert found["presets"]["tiny"]["options"]["pairs"] == 4
    assert cli.main(["list", "text"]) == 0
    assert "  data.documents        what ends a document" in capsys.readouterr().out
    assert cli.main(["list", "mqra"]) == 2
    assert "Did you mean `mqar`?" in capsys.readouterr().err


@pytest.mark.parametrize("kind", [kind for kind in names.TASKS if kind != "text"])
def test_the_command_that_it_says_is_a_config_that_loads(kind):
    words = long(kind).rsplit("attn train ", 1)[1].split()
    config = load(configs_folder() / f"{words[0]}.yaml", words[1:])
    assert config.data.kind == kind
    assert details(kind)["model"] == config.model.kind
    assert set(LIKE) == {tasks.declared(each).model for each in names.TASKS}
