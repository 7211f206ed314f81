"""Calls of attention, and of a layer of it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.bench.work.work import BACKWARD, DATA, WEIGHTS, Work, normal


@dataclass(frozen=True)
class AttentionWork(Work):
    """One attention call: query, key, value [B, T, N, H] to [B, T, N, H].

    Args:
      spec: notation.
      batch: B.
      length: T, and S.
      heads: N, and K.
      width: H, and E.
      backward: gradients of query, key and value, too.
      documents: as many packed documents of equal length; the spec has `segments`.
      dtype: of the inputs.
      backend: as `attn.attend_heads` takes it.
    """

    suite: ClassVar[str] = "attention"
    spec: str = "causal"
    batch: int = 4
    length: int = 512
    heads: int = 8
    width: int = 64
    backward: bool = False
    documents: int = 0
    dtype: str = "float32"
    backend: str = "auto"

    @property
    def label(self) -> str:
        """A line for tables."""
        shape = f"{self.batch}x{self.length}x{self.heads}x{self.width}"
        said = [self.spec, shape, "fwd+bwd" if self.backward else "fwd"]
        said += [f"{self.documents} documents"] if self.documents else []
        said += [self.dtype] if self.dtype != "float32" else []
        said += [self.backend] if self.backend != "auto" else []
        return " ".join(said)

    @property
    def seeds(self) -> dict[str, int]:
        """What is drawn here -> its seed, for the record."""
        return {"data": DATA}

    def arrays(self) -> list[np.ndarray]:
        """Query, key, value and the cotangent of the output, float32."""
        shape = (self.batch, self.length, self.heads, self.width)
        return normal(4, shape)

    def exponentials(self, flops: float) -> float:
        """One of each pair that counts; backward makes them again."""
        passes = 1 + BACKWARD if self.backward else 1
        pairs = flops / passes / (4 * self.width)
        return (2 if self.backward else 1) * pairs

    def segments(self) -> np.ndarray:
        """[T] the document of each token; zeros where there is one."""
        return np.arange(self.length) * max(1, self.documents) // self.length


@dataclass(frozen=True)
class LayerWork(Work):
    """A layer of self-attention, its four linear maps included: [B, T, D].

    Args:
      batch: B.
      length: T.
      heads: N.
      width: D, of the model.
      backward: gradients of the input and all weights, too.
      spec: notation; rivals have no other than `causal`.
    """

    suite: ClassVar[str] = "layer"
    batch: int = 8
    length: int = 256
    heads: int = 6
    width: int = 192
    backward: bool = True
    spec: str = "causal"

    @property
    def label(self) -> str:
        """A line for tables."""
        shape = f"{self.batch}x{self.length}x{self.heads}x{self.width // self.heads}"
        return f"{self.spec} layer {shape} {'fwd+bwd' if self.backward else 'fwd'}"

    @property
    def seeds(self) -> dict[str, int]:
        """What is drawn here -> its seed, for the record."""
        return {"data": DATA, "weights": WEIGHTS}

    def arrays(self) -> list[np.ndarray]:
        """The input and the cotangent of the output."""
        return normal(2, (self.batch, self.length, self.width))

    def exponentials(self, flops: float) -> float:
        """One of each pair that counts; its FLOPs are those beside the four maps."""
        maps = 4 * 2 * self.batch * self.length * self.width**2
        pairs = max(0.0, flops - (3 if self.backward else 1) * maps)
        pairs /= (1 + BACKWARD if self.backward else 1) * 4 * self.width / self.heads
        return (2 if self.backward else 1) * pairs

    def weights(self) -> list[np.ndarray]:
        """Kernels [D, D] of query, key, value and output."""
        drawn = normal(4, (self.width, self.width), seed=WEIGHTS)
        return [each / np.sqrt(self.width, dtype=np.float32) for each in drawn]
