"""Loss, perplexity, bits per byte and accuracy on held-out data."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.step import Inputs, Tree
from experiments.tally import SUMS, WHOLE


@dataclass(frozen=True)
class Score:
    """What an evaluation found.

    Args:
      loss: nats per token, the weighted mean.
      accuracy: share of tokens guessed right.
      tokens: how many counted, a sum of weights.
      batches: how many batches were read.
      parts: loss and accuracy of each slice of the task that had a target.
      exact_match: share of examples that are right as a whole, where the task is
        judged so.
    """

    loss: float
    accuracy: float
    tokens: float
    batches: int
    parts: dict[str, tuple[float, float]] = field(default_factory=dict)
    exact_match: float | None = None

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
        if self.exact_match is not None:
            row["val/exact_match"] = self.exact_match
        for name, (loss, accuracy) in self.parts.items():
            row |= {f"val/{name}/loss": loss, f"val/{name}/accuracy": accuracy}
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
    found: list[dict[str, np.ndarray]] = []
    for first in range(0, batches, most):
        if halted():
            return None
        count = min(most, batches - first)
        sums = call(params, inputs, jnp.int32(first), jnp.int32(count))
        found.append({name: np.asarray(sums[name])[:count] for name in sums})
    totals = {
        name: np.concatenate([each[name] for each in found]).astype(np.float64).sum()
        for name in found[0]
    }
    return _score(totals, batches)


def _score(totals: dict[str, np.float64], batches: int) -> Score:
    """The means behind the sums of `tally`."""
    end = "/" + SUMS[0]
    parts = [name.removesuffix(end) for name in totals if name.endswith(end)]
    means = {part: _means(totals, part + "/") for part in parts}
    exact = means.pop(WHOLE, None)
    return Score(
        *_means(totals),
        tokens=float(totals["weight"]),
        batches=batches,
        parts={part: means[part] for part in means if totals[part + "/weight"] > 0},
        exact_match=None if exact is None else exact[1],
    )


def _means(totals: dict[str, np.float64], prefix: str = "") -> tuple[float, float]:
    """(loss, accuracy) of all targets, or of a part."""
    nats, weight, right = (totals[prefix + name] for name in SUMS)
    weight = max(weight, 1e-9)
    return float(nats / weight), float(right / weight)
