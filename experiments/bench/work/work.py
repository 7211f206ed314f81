"""What every piece of work has, and the seeded data of it, without JAX."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

DATA, WEIGHTS = 0, 1  # seeds of NumPy's generator
BACKWARD = 2.5  # FLOPs of a backward pass of attention over those of its forward pass


@dataclass(frozen=True)
class Work:
    """A piece of work; its fields are all that a process needs to know."""

    suite: ClassVar[str]
    least: ClassVar[int] = 3  # calls of a turn, after one that warms up; 1 has none
    in_runner: ClassVar[bool] = False  # whether `attn train` does it, with its settings
    agree: ClassVar[float | None] = None  # how far outputs may differ; None: by dtype

    @property
    def label(self) -> str:
        """A line for tables."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `read`."""
        return {"suite": self.suite, **asdict(self)}

    @property
    def seeds(self) -> dict[str, int]:
        """What is drawn here -> its seed, for the record."""
        return {}

    @property
    def turn(self) -> float:
        """Seconds of the least number of calls on 2 cores, about; 0 if a moment."""
        return 0.0

    def exponentials(self, flops: float) -> float:
        """How many the work needs, of which its declared FLOPs tell; 0 if unknown."""
        del flops
        return 0.0


def normal(count: int, shape: tuple[int, ...], seed: int = DATA) -> list[np.ndarray]:
    """Standard normal arrays, float32: zeros and ones are faster than life."""
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape, np.float32) for _ in range(count)]
