"""What the runner does: a step, compiling it, and a whole run."""

from dataclasses import dataclass
from typing import ClassVar

from experiments.bench.work.work import Work

RECIPE = "nanogpt_cpu"  # the config of training steps


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
    config: ClassVar[str] = RECIPE
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
    config: ClassVar[str] = RECIPE
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
class RecipeWork(Work):
    """A whole run, from the start of its process to its end: each with another seed.

    Evaluations and checkpoints are part of it, samples are not. The first run is not
    timed with the others: it finds the compilation cache empty.

    Args:
      config: what ours trains.
      below: validation loss that has to be reached; rivals train what RECIPE says, and
        stop at their first evaluation below it. 0 means the whole run, of RECIPE.
      options: more overrides of the config, which only ours takes.
    """

    suite: ClassVar[str] = "recipe"
    least: ClassVar[int] = 1
    in_runner: ClassVar[bool] = True
    agree: ClassVar[float] = 0.03  # of the validation loss: seeds differ by 0.01
    config: str = RECIPE
    below: float = 0.0
    options: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """A line for tables."""
        end = f"to a validation loss of {self.below:g}" if self.below else "to its end"
        return " ".join([f"{self.config} from process start {end}", *self.options])

    @property
    def turn(self) -> float:
        """Of the nanoGPT recipe, and of one that gets as far in a tenth of it."""
        return 40.0 if self.below else 100.0

    def configs(self) -> list[list[str]]:
        """The overrides of each config that is measured, apart from the text."""
        return [list(self.options)]
