"""The JSON schema of a config file, with which editors complete and check it."""

import copy
from typing import Any

from experiments.config import names
from experiments.config.knobs import Knobs
from experiments.config.paths import expected, fields, is_section
from experiments.config.schema import Config
from experiments.config.sweeps import Study, Sweep
from experiments.tasks import declared

DIALECT = "http://json-schema.org/draft-07/schema#"  # what editors know best
TITLE = "A config of attn"
PARENTS = {
    "description": "files whose values stand below those of this one",
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}},
        {"type": "null"},
    ],
}
MANY = {"sweep": Sweep, "study": Study}  # sections of files that describe many runs


def json_schema() -> dict[str, Any]:
    """What a config file may hold: keys, kinds of value, meanings and defaults."""
    schema = Config.model_json_schema()
    definitions = schema.pop("$defs")
    _explain(schema, definitions, ())
    definitions["Data"]["allOf"] = [_options(task) for task in names.TASKS]
    schema["properties"] |= {"extends": PARENTS}
    for name, section in MANY.items():
        inner = section.model_json_schema()
        definitions |= inner.pop("$defs", {})
        schema["properties"][name] = {"anyOf": [inner, {"type": "null"}]}
    found = {**schema, "title": TITLE, "$schema": DIALECT, "definitions": definitions}
    return _plain(found)


def _explain(schema: dict, definitions: dict, at: tuple[str, ...]) -> None:
    """Adds what each key may be to what it means; an empty section is allowed."""
    for key, entry in schema["properties"].items():
        field = fields()[(*at, key)]
        if is_section(field):
            reference = entry.pop("$ref")
            inner = definitions[reference.rpartition("/")[2]]
            _explain(inner, definitions, (*at, key))
            entry["anyOf"] = [{"$ref": reference}, {"type": "null"}]
        else:
            entry["description"] = f"{field.description}; {expected((*at, key))}"


def _options(task: str) -> dict[str, Any]:
    """The options that a task has, where `data.kind` names it."""
    knobs = declared(task).knobs
    inner = knobs.model_json_schema() if knobs is not Knobs else _nothing()
    condition = {"properties": {"kind": {"const": task}}, "required": ["kind"]}
    options = {"anyOf": [inner, {"type": "null"}]}
    return {"if": condition, "then": {"properties": {"options": options}}}


def _nothing() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False}


def _plain(node: Any) -> Any:
    """The schema in the words of its dialect, without what only we understand."""
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if not isinstance(node, dict):
        return copy.copy(node)
    found = {}
    for key, value in node.items():
        if key == "prefixItems":
            found["items"] = _plain(value)
        elif key == "$ref":
            found[key] = value.replace("#/$defs/", "#/definitions/")
        elif key == "properties":
            found[key] = {name: _plain(inner) for name, inner in value.items()}
        elif key not in ("inert", "models"):
            found[key] = _plain(value)
    return found
