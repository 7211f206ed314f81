"""`attn list tasks` and `attn list mqar`: what a task is, and what can be set."""

from collections.abc import Mapping
from typing import Any

from experiments import tasks
from experiments.config import names
from experiments.shipped import configs_folder

# A shipped config whose model and optimizer suit other tasks of its kind of model too.
LIKE = {"decoder": "induction", "seq2seq": "dates", "classifier": "dates"}


def details(kind: str) -> dict[str, Any]:
    """All that a task declares, as plain data."""
    from experiments.config.schema import Data  # late, for start-up time

    task = tasks.declared(kind)
    return {
        "name": kind,
        "meaning": names.TASKS[kind],
        "model": task.model,
        "options": _keys(task.knobs.model_fields),
        "reads": _keys({key: Data.model_fields[key] for key in task.reads}),
        "presets": {name: _preset(task, name) for name in task.presets},
        "slices": task.slices,
        "exact_match": task.whole,
        "reference": task.reference,
    }


def _keys(known: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What can be set, key by key."""
    from experiments.config.paths import words_of  # late, for start-up time

    return [
        {
            "name": name,
            "meaning": field.description,
            "expected": words_of(field),
            "default": field.get_default(),
        }
        for name, field in known.items()
    ]


def _preset(task: Any, name: str) -> dict[str, Any]:
    """The options of a preset, and what a guess and a perfect predictor reach."""
    found: dict[str, Any] = {"options": dict(task.presets[name])}
    if task.facts is not None:
        facts = task.facts(task.knobs.model_validate(task.presets[name]))
        found |= {key: getattr(facts, key) for key in type(facts).__annotations__}
    return found


def short(kind: str) -> str:
    """A few lines on a task: its presets, each with its chance level."""
    found = details(kind)
    lines = [f"{kind}: {found['meaning']}"]
    for name, preset in found["presets"].items():
        said = " ".join(f"{key}={value}" for key, value in preset["options"].items())
        lines.append(f"  {name:<6} {said}{_levels(preset)}")
    lines += [f"  {found['reference']}"] if found["reference"] else []
    return "\n".join(lines)


def long(kind: str) -> str:
    """All there is to know about a task, for people."""
    found = details(kind)
    lines = [short(kind), f"  for a model of kind {found['model']}"]
    if found["slices"]:
        lines.append(f"  reported by {found['slices']}")
    lines += ["  and by whole answers, val/exact_match"] if found["exact_match"] else []
    for section, listed in (("data.options", "options"), ("data", "reads")):
        width = max((len(each["name"]) for each in found[listed]), default=0)
        for each in found[listed]:
            name = f"{section}.{each['name']:<{width}}"
            lines.append(f"  {name}  {each['meaning']}; {each['expected']}")
    return "\n".join([*lines, f"  Train it: {_command(kind, found['model'])}"])


def _command(kind: str, model: str) -> str:
    """A command that trains it: on its own config or on that of a task like it."""
    if kind == "text":
        return "attn train"
    if (configs_folder() / f"{kind}.yaml").is_file():
        return f"attn train {kind}"
    return f"attn train {LIKE[model]} data.kind={kind} model.kind={model}"


def _levels(preset: dict[str, Any]) -> str:
    if "chance" not in preset:
        return ""
    text = f"; chance {preset['chance']:.2f} nats, {preset['chance_accuracy']:.1%}"
    best = preset["best_accuracy"]
    if preset["floor"] > 0 or best != 1:
        text += f"; at best {preset['floor']:.3f} nats"
        text += f", {best:.1%}" if best is not None else ""
    return text
