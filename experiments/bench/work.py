"""What is computed: sizes and the seeded data of every contender, without JAX."""

import math
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

RECIPE = "nanogpt_cpu"  # the config of training steps
DATA, WEIGHTS = 0, 1  # seeds of NumPy's generator
BACKWARD = 2.5  # FLOPs of a backward pass of attention over those of its forward pass


@dataclass(frozen=True)
class Work:
    """A piece of work; its fields are all that a process needs to know."""

    suite: ClassVar[str]
    least: ClassVar[int] = 3  # calls of a turn, after one that warms up; 1 has none
    in_runner: ClassVar[bool] = False  # whether `attn train` does it, with its settings

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


@dataclass(frozen=True)
class StepWork(Work):
    """A training step of a character model with the recipe of `configs/nanogpt_cpu`.

    Args:
      layers: L.
      heads: N.
      width: D.
      context: T.
      batch: B.
      options: more overrides of the config, which only ours takes.
    """

    suite: ClassVar[str] = "step"
    in_runner: ClassVar[bool] = True
    layers: int = 4
    heads: int = 4
    width: int = 128
    context: int = 64
    batch: int = 12
    options: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """A line for tables."""
        sizes = f"{self.layers} layers {self.heads} heads width {self.width}"
        return " ".join([f"{sizes}, {self.batch}x{self.context}", *self.options])

    @property
    def turn(self) -> float:
        """A second for the recipe's own sizes."""
        return self.layers * self.width**2 * self.batch * self.context / 5e7

    def configs(self) -> list[list[str]]:
        """The overrides of each config that is measured, apart from the text."""
        return [self.overrides()]

    def overrides(self) -> list[str]:
        """The config's values, apart from the text."""
        return [
            f"model.layers={self.layers}",
            f"model.heads={self.heads}",
            f"model.width={self.width}",
            f"data.context={self.context}",
            f"data.batch={self.batch}",
            *self.options,
        ]


@dataclass(frozen=True)
class CompileWork(Work):
    """Compiling the training step of a model, from nothing: few layers, and many.

    Args:
      layers: L of ours.
      deep: L of the other.
      options: overrides of the config.
    """

    suite: ClassVar[str] = "compile"
    least: ClassVar[int] = 1
    in_runner: ClassVar[bool] = True
    layers: int = 4
    deep: int = 24
    options: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """A line for tables."""
        words = f"train step of {self.layers} layers, and of {self.deep}"
        return " ".join([words, *self.options])

    def configs(self) -> list[list[str]]:
        """The overrides of each config that is measured, apart from the text."""
        return [self.overrides(layers) for layers in (self.layers, self.deep)]

    def overrides(self, layers: int) -> list[str]:
        """The values of a config with so many layers."""
        return [f"model.layers={layers}", *self.options]


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


KINDS = {
    kind.suite: kind
    for kind in (
        AttentionWork,
        LayerWork,
        StepWork,
        CompileWork,
        CeilingWork,
        ExportedWork,
    )
}


def read(fields: dict[str, Any]) -> Any:
    """The work that `to_json` wrote."""
    fields = dict(fields)
    kind: Any = KINDS[fields.pop("suite")]
    return kind(
        **{k: tuple(x) if isinstance(x, list) else x for k, x in fields.items()}
    )


def normal(count: int, shape: tuple[int, ...], seed: int = DATA) -> list[np.ndarray]:
    """Standard normal arrays, float32: zeros and ones are faster than life."""
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape, np.float32) for _ in range(count)]
