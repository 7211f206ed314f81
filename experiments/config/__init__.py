"""Configs: strict, frozen, resolved; a fault is one line. No jax, no flax in here.

    config = load("configs/tiny_lm.yaml", ["optim.lr=3e-3"])
    derived = resolve(config)

A value that turns out wrong later, in a task or a model, is a fault of the config too:

    raise config.data.fault("path", "no such file; expected a text file.")
"""

from experiments.config.durations import Duration
from experiments.config.errors import ConfigError, Fault, did_you_mean, nearest
from experiments.config.load import load
from experiments.config.resolve import Derived, resolve
from experiments.config.schema import Config
from experiments.config.show import (
    config_hash,
    differences,
    dump,
    is_same_experiment,
    meaning,
    moves,
    place,
)

__all__ = [
    "Config",
    "ConfigError",
    "Derived",
    "Duration",
    "Fault",
    "config_hash",
    "did_you_mean",
    "differences",
    "dump",
    "is_same_experiment",
    "load",
    "meaning",
    "moves",
    "nearest",
    "place",
    "resolve",
]
