"""What a rival without our algebra is told of a spec, and what it must refuse."""

import json
from dataclasses import dataclass

import numpy as np

from experiments.bench.contender import Arrays, Refused


@dataclass(frozen=True)
class Known:
    """A spec in the words of others.

    Args:
      is_causal: the mask is the plain causal one.
      mask: [T, T] bool where it is another, None for none.
      rest: what the spec has beside its mask; empty for softmax of dot products.
    """

    is_causal: bool
    mask: np.ndarray | None
    rest: str


def known(given: Arrays) -> Known:
    """Reads what `ours` has given."""
    said = json.loads(str(given["told"]))
    return Known(said["mask"] == "causal", given.get("mask"), said["rest"])


def plain_softmax(given: Arrays, who: str) -> Known:
    """As `known`.

    Raises:
      Refused: the spec has more than a mask.
    """
    found = known(given)
    if found.rest:
        raise Refused(f"{who} has no {found.rest}")
    return found
