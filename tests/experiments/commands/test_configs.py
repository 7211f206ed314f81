"""`attn config new` and `attn config schema`."""

import json

import pytest

from experiments.cli import main
from experiments.config import config_hash, load
from experiments.config.paths import fields, is_section


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_new_writes_every_key_and_loads_to_the_defaults(tmp_path, capsys):
    assert main(["config", "new", "recall"]) == 0
    assert "attn train recall.yaml" in capsys.readouterr().out
    found, plain = load(tmp_path / "recall.yaml"), load(None)
    assert found.name == "recall"
    assert found == plain.model_copy(update={"name": "recall"})
    assert config_hash(found) == config_hash(plain)
    text = (tmp_path / "recall.yaml").read_text()
    for path, field in fields().items():
        assert f"{path[-1]}:" in text
        if not is_section(field):
            assert f"# {field.description}; " in text


def test_new_can_be_given_another_task(tmp_path):
    assert main(["config", "new"]) == 0
    config = load(tmp_path / "mine.yaml", ["data.kind=induction"])
    assert config.data.context == config.data.options["length"]


def test_new_overwrites_nothing(tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text("name: precious\n")
    assert main(["config", "new", "mine.yaml"]) == 2
    assert capsys.readouterr().err.startswith("mine.yaml: is there already; ")
    assert (tmp_path / "mine.yaml").read_text() == "name: precious\n"
    assert main(["config", "new", "so bad"]) == 2
    assert "got `so bad`" in capsys.readouterr().err


def test_schema_goes_to_the_screen_or_to_a_file(tmp_path, capsys):
    assert main(["config", "schema"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert main(["config", "schema", "--out", "attn.schema.json"]) == 0
    assert "yaml-language-server: $schema=attn.schema.json" in capsys.readouterr().out
    assert json.loads((tmp_path / "attn.schema.json").read_text()) == printed


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        ("decoder", "induction", "causal"),
        ("classifier", "brackets", "everything"),
        ("seq2seq", "dates", "encoder everything, decoder causal, cross everything"),
    ],
)
def test_check_names_the_masks_of_a_kind(tmp_path, capsys, kind, data, said):
    text = f"model: {{kind: {kind}}}\ndata: {{kind: {data}}}\n"
    (tmp_path / "c.yaml").write_text(text)
    assert main(["config", "check", "c.yaml"]) == 0
    (line,) = (x for x in capsys.readouterr().out.splitlines() if "attention" in x)
    assert line.split(maxsplit=1)[1].startswith(f"{said}, rotary")
