"""Loss, perplexity, bits per byte and accuracy on held-out data."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.step import SUMS, Inputs, Tree


@dataclass(frozen=True)
class Score:
    """What an evaluation found.

    Args:
      loss: nats per token, the weighted mean.
      accuracy: share of tokens guessed right.
      tokens: how many counted, a sum of weights.
      batches: how many batches were read.
    """

    loss: float
    accuracy: float
    tokens: float
    batches: int

    @property
    def perplexity(self) -> float:
        """e to the loss; infinite where that overflows."""
        return math.exp(self.loss) if self.loss < 700 else math.inf

    def bits_per_byte(self, bytes_per_token: float) -> float:
        """The loss in bits of each byte of text, comparable across vocabularies."""
        return self.loss / math.log(2) / bytes_per_token

    def row(self, bytes_per_token: float | None) -> dict[str, float]:
        """The score under the names of the metrics file."""
        row = {
            "val/loss": self.loss,
            "val/perplexity": self.perplexity,
            "val/accuracy": self.accuracy,
            "val/tokens": self.tokens,
        }
        if bytes_per_token is not None:
            row["val/bpb"] = self.bits_per_byte(bytes_per_token)
        return row


def evaluate(
    call: Callable[..., Any],
    params: Tree,
    inputs: Inputs,
    *,
    batches: int,
    most: int,
    halted: Callable[[], bool] = lambda: False,
) -> Score | None:
    """Reads the first `batches` validation batches.

    Sums are taken in float64 on the host, batch by batch, so that the result does not
    depend on how many batches a call reads.

    Args:
      call: from `make_eval_call`.
      params: what to evaluate.
      inputs: data, constants and seed.
      batches: how many to read.
      most: the longest call, as given to `make_eval_call`.
      halted: asked between calls.

    Returns:
      The score, or None when halted.
    """
    rows: list[np.ndarray] = []
    for first in range(0, batches, most):
        if halted():
            return None
        count = min(most, batches - first)
        sums = call(params, inputs, jnp.int32(first), jnp.int32(count))
        rows.append(np.stack([np.asarray(sums[name])[:count] for name in SUMS]))
    nats, weight, right = np.concatenate(rows, axis=1).astype(np.float64).sum(axis=1)
    weight = max(weight, 1e-9)
    return Score(nats / weight, right / weight, weight, batches)
