"""The JSON schema agrees with the reader of configs, on good ones and on bad ones."""

import json
from pathlib import Path

import pytest

from experiments.config import ConfigError, load
from experiments.config.editors import json_schema
from experiments.config.origin import Origin
from experiments.config.paths import fields, is_section
from experiments.config.schema import Config
from experiments.config.source import read_tree

jsonschema = pytest.importorskip("jsonschema")
SHIPPED = sorted(Path("configs").glob("*.yaml"))
SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)

BAD = (
    "optim.lrr=1",
    "optim.lr=-1",
    "optim.kind=adam",
    "optim.betas=[0.9]",
    "model.layers=0",
    "model.tie=1",
    "data.kind=inductive",
    "train.duration=10min",
    "train.duration=0",
    "train.budget=5",
    "log.maps_every=3furlongs",
    "name=a/b",
    "model.convolve=[mpl]",
    "model.convolve=[mlp, mlp]",
    "log.sinks=[tensorbord]",
    "data.documents=file",
    "data.documents=''",
    "data.vocabulary=tokenizer",
)
GOOD = (
    "train.duration=2e6tokens",
    "train.duration=20",
    "train.duration=2_000 steps",
    "train.budget=5min",
    "sample.every=null",
    "optim.lr=1",
    "log.maps_every=10%",
    "model.mask='causal & window(back=3)'",
    "model.convolve=[mlp, attention]",
    "data.documents=files",
    "data.vocabulary=my/tokenizer.json",
    r'data.documents="\n\n"',
)


def written(override):
    """The override as a file would have it."""
    key, _, value = override.partition("=")
    data = read_tree(value, lambda _: Origin("")).data
    for part in reversed(key.split(".")):
        data = {part: data}
    return data


def test_it_is_a_schema():
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_config_passes(path):
    data = read_tree(path.read_text(), lambda _: Origin("")).data
    VALIDATOR.validate(data)


@pytest.mark.parametrize("override", BAD)
def test_what_the_reader_refuses_the_schema_refuses(override):
    with pytest.raises(ConfigError):
        load(None, [override])
    assert not VALIDATOR.is_valid(written(override))


@pytest.mark.parametrize("override", GOOD)
def test_what_the_reader_takes_the_schema_takes(override):
    load(None, [override])
    VALIDATOR.validate(written(override))


def test_options_are_those_of_the_task():
    data = {"data": {"kind": "induction", "options": {"length": 40}}}
    assert VALIDATOR.is_valid(data)
    data["data"]["options"]["lenght"] = 40
    assert not VALIDATOR.is_valid(data)
    assert VALIDATOR.is_valid({"data": None, "extends": "other.yaml"})


def test_every_key_has_its_meaning_and_words():
    for path, field in fields().items():
        entry = SCHEMA
        for key in path[:-1]:
            reference = entry["properties"][key]["anyOf"][0]["$ref"]
            entry = SCHEMA["definitions"][reference.rpartition("/")[2]]
        entry = entry["properties"][path[-1]]
        if not is_section(field):
            assert entry["description"].startswith(field.description), path
            assert "; " in entry["description"], path
    kinds = SCHEMA["definitions"]["Optim"]["properties"]["kind"]
    assert dict(zip(kinds["enum"], kinds["enumDescriptions"], strict=True))["sgd"]
    assert Config().optim.kind == kinds["default"]
