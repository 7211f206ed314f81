"""What the machine can do at most, and functions of the user's own."""

import math
from dataclasses import dataclass
from typing import ClassVar

from experiments.bench.work.work import Work


@dataclass(frozen=True)
class CeilingWork(Work):
    """What the machine can do at most, of one kind.

    Args:
      kind: matmul, batched, copy, exp or dispatch.
      dtype: of the numbers.
      scale: how much larger each side of a product is than on a CPU.
    """

    suite: ClassVar[str] = "ceiling"
    kind: str = "matmul"
    dtype: str = "float32"
    scale: int = 1

    def shapes(self) -> list[tuple[int, ...]]:
        """Of the arguments."""
        side, many = 1024 * self.scale, 16 * self.scale**2
        return {
            "matmul": [(side, side)] * 2,
            "batched": [(many, 512, 64), (many, 64, 512)],
            "copy": [(64 * 2**20,)],
            "exp": [(2**16 * self.scale**2,)],
            "dispatch": [()],
        }[self.kind]

    def amount(self) -> int:
        """What a call does, in the unit of its rate: FLOPs, bytes, numbers, calls."""
        first = self.shapes()[0] or (1,)
        numbers = math.prod(first)
        return {
            "matmul": 2 * numbers * first[-1],
            "batched": 2 * numbers * 512,
            "copy": 2 * 4 * numbers,
            "exp": numbers,
            "dispatch": 1,
        }[self.kind]

    @property
    def label(self) -> str:
        """A line for tables."""
        return self.kind


@dataclass(frozen=True)
class ExportedWork(Work):
    """A function of a user's, exported.

    Args:
      path: of the file.
    """

    suite: ClassVar[str] = "exported"
    path: str = ""

    @property
    def label(self) -> str:
        """A line for tables."""
        return self.path
