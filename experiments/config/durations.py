"""Durations with units: `2000steps`, `2e6tokens`, `10%`, `5min`; bare means steps."""

import math
import re
from dataclasses import dataclass

from experiments.config.errors import nearest

UNITS = {
    "step": "steps",
    "steps": "steps",
    "tok": "tokens",
    "token": "tokens",
    "tokens": "tokens",
    "%": "%",
    "percent": "%",
    "s": "s",
    "sec": "s",
    "secs": "s",
    "seconds": "s",
    "min": "min",
    "mins": "min",
    "minutes": "min",
    "h": "h",
    "hour": "h",
    "hours": "h",
}
SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_FORM = re.compile(r"([0-9][0-9_]*(?:\.[0-9]*)?(?:[eE]\+?[0-9]{1,2})?)\s*([a-zA-Z%]*)")
MOST = 1e15  # more steps or tokens than anything will ever run, and exact in a float


@dataclass(frozen=True)
class Duration:
    """An amount with its unit: steps, tokens, % of the run, or clock time."""

    amount: float
    unit: str

    def __str__(self) -> str:
        return f"{self.amount:.15g}{self.unit}"

    @property
    def seconds(self) -> float:
        """Clock time in seconds; only for the units s, min and h."""
        return self.amount * SECONDS[self.unit]

    def steps(self, tokens_per_step: int, run_steps: int | None = None) -> int:
        """How many optimizer steps this is, rounded up.

        Args:
          tokens_per_step: batch times context.
          run_steps: the length of the whole run, which `%` refers to.
        """
        if self.unit == "%":
            assert run_steps is not None
            return math.ceil(run_steps * self.amount / 100 - 1e-9)
        return math.ceil(
            self.amount / (tokens_per_step if self.unit == "tokens" else 1)
        )


def parse_duration(value: object) -> Duration:
    """A duration from what stands in the YAML.

    Raises:
      ValueError: it is no number with a known unit; the message says why.
    """
    if isinstance(value, Duration):
        return value
    text = (
        str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    )
    found = _FORM.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ValueError("")
    amount, unit = float(found[1].replace("_", "")), UNITS.get(found[2] or "steps")
    if unit is None:
        close = nearest(found[2], UNITS)
        hint = f"Did you mean `{found[1]}{close}`?" if close else "unknown unit"
        raise ValueError(hint)
    if amount > MOST:
        raise ValueError("that is too long")
    if unit in ("steps", "tokens") and amount != int(amount):
        raise ValueError(f"{unit} are whole numbers")
    return Duration(amount, unit)
