"""What a process that is measured brings along."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from experiments.errors import UserError

Arrays = Mapping[str, np.ndarray]


class Refused(UserError):
    """A contender cannot do this work; its text is the reason, for the table."""


@dataclass(frozen=True)
class Contender:
    """A way to do some work.

    Args:
      call: does it once, waiting for the result; what is timed.
      outputs: does it once and returns the arrays that must agree among contenders.
      facts: what is known of it: backend, kernel, bytes, operations.
      units: pieces of work that a call does, as steps of training.
      given: arrays that others need for the same work, as weights.
      profile: writes a trace into a folder and returns lines about it.
      after: what is known after a turn; the record has a list of it, turn by turn.
    """

    call: Callable[[], Any]
    outputs: Callable[[], Sequence[np.ndarray]]
    facts: Mapping[str, Any] = field(default_factory=dict)
    units: int = 1
    given: Callable[[], Arrays] = dict
    profile: Callable[[Path], str] | None = None
    after: Callable[[], Mapping[str, Any]] = dict


def only_causal(spec: str) -> None:
    """Turns away work whose spec has no name in a rival's library.

    Raises:
      Refused: it is another than `causal`.
    """
    if spec != "causal":
        raise Refused(f"its layer is measured with a causal mask, not with {spec}")


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
