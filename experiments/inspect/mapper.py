"""Attention maps while a run trains: the same example each time, one compiled call."""

from typing import Any

import jax

from experiments.inspect.look import attention_layers, labels, sequences
from experiments.inspect.probe import make_probe
from experiments.inspect.texts import fitting, validation_example
from experiments.maps import summary, to_bytes


class Mapper:
    """Looks at a model's attention on the first validation example.

    Args:
      setup: the run's `Setup`.
    """

    def __init__(self, setup: Any):
        self.setup = setup
        self.batch, _ = fitting(setup, validation_example(setup, 0))
        self.probe = make_probe(setup.config, setup.task.vocabulary.size, lens=False)

    def look(self, params: Any) -> tuple[bytes, dict[str, float]]:
        """The content of a maps file, and the metrics of all heads."""
        constants = self.setup.inputs.constants
        _, weights, _ = jax.device_get(self.probe(params, constants, self.batch))
        ids = sequences(self.batch)
        layers = attention_layers(weights, ids)
        texts = labels(self.setup.task.vocabulary, ids, weights)
        return to_bytes(texts, layers), summary(layers)
