"""What a config leaves to its task: options, context, the first words of a sample.

They are filled in when a config is loaded, so that the stored config of a run says all
of it, and two configs that come to the same are the same run.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from experiments import tasks
from experiments.config.errors import ConfigError, Fault, nearest, show
from experiments.config.knobs import Knobs, too_few
from experiments.config.origin import Origins
from experiments.config.paths import words_of, wrong_value
from experiments.config.schema import Config, Data

AT = ("data", "options")


def complete(config: Config, origins: Origins) -> tuple[Config, list[Fault]]:
    """Fills in what follows from the task.

    Args:
      config: as written, with the defaults of the schema.
      origins: where its values were written.

    Returns:
      The complete config, and the faults; with any of those the config is as it was.
    """
    task, data = tasks.declared(config.data.kind), config.data
    faults = [*_mismatches(config, task, origins)]
    knobs, wrong = _knobs(data, task, origins)
    faults += wrong
    if knobs is not None:
        faults += [*_context(data, task, knobs, origins)]
    if faults or knobs is None:
        return config, faults
    options = knobs.model_dump(mode="json")
    context = task.context or knobs.context
    filled = {"options": options, "context": data.context or context}
    changes: dict[str, Any] = {"data": data.model_copy(update=filled)}
    if config.sample.prompt is None:
        words = "0" if data.vocabulary == "numbers" else task.first_words(knobs)
        prompt = {"prompt": words}
        changes["sample"] = config.sample.model_copy(update=prompt)
    return config.model_copy(update=changes), []


def with_options(config: Config, changes: dict[str, Any]) -> Config:
    """The same experiment at another difficulty.

    Args:
      config: as loaded.
      changes: option to value; `context` too for a task whose context is chosen.

    Returns:
      The config with these options and the context that follows from them.

    Raises:
      ConfigError: there is no such option, or the options cannot hold together.
    """
    task = tasks.declared(config.data.kind)
    wanted = config.data.options | changes
    context = config.data.context
    if task.context is None:
        context = None  # it follows from the options
    elif "context" not in task.knobs.model_fields:
        context = wanted.pop("context", context)
    update = {"options": wanted, "context": context}
    data = config.data.model_copy(update=update)
    made, faults = complete(config.model_copy(update={"data": data}), config._origins)
    if faults:
        raise ConfigError(faults)
    return made


def _mismatches(config: Config, task: Any, origins: Origins) -> Iterator[Fault]:
    """A model that cannot learn it, and keys that mean nothing for it."""
    kind, used = config.data.kind, config.model.kind
    if used != task.model:
        yield origins.fault(
            ("model", "kind"),
            f"task {kind} is for a {task.model} model, got {used}; set"
            f" model.kind={task.model}.",
            ("data", "kind"),
        )
    text = tasks.declared("text").reads
    for key in (each for each in text if each not in task.reads):
        default = Data.model_fields[key].get_default()
        if getattr(config.data, key) != default:
            message = f"means nothing for task {kind}; remove it."
            yield origins.fault(("data", key), message, ("data", "kind"))


def _knobs(data: Data, task: Any, origins: Origins) -> tuple[Knobs | None, list[Fault]]:
    """The options of a task: its defaults, a preset over them, what is written."""
    if data.preset is not None and data.preset not in task.presets:
        known = ", ".join(task.presets) or "none"
        message = f"task {data.kind} has no preset {data.preset}; it has {known}."
        return None, [origins.fault(("data", "preset"), message, ("data", "kind"))]
    first = next(iter(task.presets), None)
    values = {**task.presets.get(data.preset or first, {}), **data.options}
    try:
        knobs = task.knobs.model_validate(values)
    except ValidationError as error:
        found = error.errors()
        return None, [_fault(each, data, task, values, origins) for each in found]
    problems = list(knobs.problems())
    if not problems and (message := too_few(knobs)):
        problems = [(next(iter(type(knobs).model_fields)), message)]
    return knobs, [_conflict(knobs, each, origins) for each in problems]


def _fault(
    error: Any, data: Data, task: Any, values: dict[str, Any], origins: Origins
) -> Fault:
    """One pydantic error about an option in our words."""
    key, known = error["loc"][0], task.knobs.model_fields
    path = (*AT, key)
    if error["type"] == "extra_forbidden":
        close = nearest(str(key), known)
        listed = f"Its options are {', '.join(known)}." if known else "It has none."
        hint = f"Did you mean `data.options.{close}`?" if close else listed
        message = f"task {data.kind} has no such option. {hint}"
        return origins.fault(path, message, ("data", "kind"))
    reason = str(error.get("ctx", {}).get("error", ""))
    words = words_of(known[key])
    return origins.fault(path, wrong_value(path, values[key], reason, words))


def _conflict(knobs: Knobs, problem: tuple[str, str], origins: Origins) -> Fault:
    """Options that cannot hold together, placed where the latest of them stands."""
    key, message = problem
    others = [(*AT, each) for each in type(knobs).model_fields]
    return origins.fault((*AT, key), message, *others, ("data", "preset"))


def _context(data: Data, task: Any, knobs: Knobs, origins: Origins) -> Iterator[Fault]:
    """The context of a task that has one of its own cannot be chosen."""
    if task.context is not None or data.context in (None, knobs.context):
        return
    yield origins.fault(
        ("data", "context"),
        f"follows from the options of task {data.kind}: expected {knobs.context}, got"
        f" {show(data.context)}; remove it, or change data.options.",
        AT,
    )
