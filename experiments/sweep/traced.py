"""The numbers of a config that one compiled program can take as arguments.

They change neither a shape nor which operations run. Configs that differ in these and
in the seed only are computed by one program, one after the other or side by side.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.config import Config, config_hash

Values = dict[str, Any]

# Each key with a valid value that stands for any. Dropout is missing: a rate of 0 draws
# nothing and is another program, and backends want to know the rate when they compile.
NEUTRAL: dict[str, Any] = {
    "model.init_std": 1.0,
    "model.output_scale": 1.0,
    "optim.betas": (0.5, 0.5),
    "optim.clip": 1.0,
    "optim.ema": 0.5,
    "optim.eps": 1.0,
    "optim.lr": 1.0,
    "optim.schedule.floor": 0.5,
    "optim.weight_decay": 1.0,
}
NO_BETAS = ("sgd",)  # its momentum may be none, which is another program


def traceable(config: Config) -> Values:
    """The numbers of a config that need not be known when its program is compiled."""
    if config.precision.parameters != "float32":
        return {}  # a traced number is float32, and would widen the parameters
    found = {key: get(config, key) for key in NEUTRAL}
    if config.optim.kind in NO_BETAS:
        del found["optim.betas"]
    return {key: value for key, value in found.items() if value is not None}


def program_hash(config: Config) -> str:
    """Equal for configs that one compiled program can compute."""
    same = {key: NEUTRAL[key] for key in traceable(config)}
    return config_hash(put(config, {**same, "seed": 0}))


def varying(configs: Sequence[Config]) -> tuple[str, ...]:
    """The traceable keys in which configs of one program differ.

    What is equal in all of them is compiled in, so that runs which differ in their
    seed only are computed by the very program of `attn train`.
    """
    first = traceable(configs[0])
    return tuple(
        key
        for key, value in first.items()
        if any(get(other, key) != value for other in configs)
    )


def get(config: Config, key: str) -> Any:
    """The value at a dotted key."""
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part)
    return value


def put(config: Any, values: Mapping[str, Any]) -> Any:
    """A copy of a config, or of a section, with other values, which may be traced.

    Args:
      config: as loaded.
      values: dotted key to value; nothing checks them.
    """
    changes: dict[str, Any] = {}
    for key, value in values.items():
        first, _, rest = key.partition(".")
        below = changes.get(first, getattr(config, first))
        changes[first] = put(below, {rest: value}) if rest else value
    return config.model_copy(update=changes)
