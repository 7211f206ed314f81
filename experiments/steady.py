"""Whether anything compiles while a run trains that ought to be compiled by then.

A program takes seconds to compile, so one that compiles again at every step or every
evaluation wastes most of a run without a word. What a run does is of several kinds:
steps, evaluations, samples, and so on. The first time of each is its warm-up, however
late it comes; after that its programs have to be there.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator

from experiments.errors import UserError
from experiments.recompiles import Compilations
from experiments.setup import Setup

WATCHED = {
    "train_call": "the training step",
    "eval_call": "the evaluation",
    "answer_call": "the sample",
}


class RecompileError(UserError):
    """A program was compiled again, and the config says that this is an error."""


class Steady:
    """Listens for compilations after the warm-up of what causes them.

    Args:
      say: shows a line.
      note: takes down (event, step, what).
      strict: makes a recompilation an error.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        note: Callable[[str, int, dict[str, object]], None],
        *,
        strict: bool = False,
    ):
        self.say, self.note, self.strict = say, note, strict
        self.seen = Compilations()
        self.count = 0
        self._warm: set[str] = set()

    def watch(self, setup: Setup) -> Setup:
        """The same setup, its compiled functions watched."""
        watched = {
            name: self.seen.watch(getattr(setup, name), said)
            for name, said in WATCHED.items()
        }
        return dataclasses.replace(setup, **watched)

    @contextlib.contextmanager
    def during(self, kind: str, step: int) -> Iterator[None]:
        """Listens while something is done of which the first time is the warm-up.

        Args:
          kind: what is done, such as `eval`.
          step: steps taken so far.

        Raises:
          RecompileError: with `strict`, it compiled something though it was warm.
        """
        before, known = self.seen.compiles, len(self.seen.again)
        yield
        new = self.seen.compiles - before
        if kind in self._warm and new:
            causes = [str(each) for each in self.seen.again[known:]]
            causes = causes or [f"`{kind}` compiled what it had not used: {new}"]
            self._report(step, new, causes)
        self._warm.add(kind)

    def _report(self, step: int, new: int, causes: list[str]) -> None:
        self.count += new
        said = "; ".join(causes)
        self.note("recompile", step, {"recompiles": self.count, "cause": said})
        if self.strict:
            raise RecompileError(
                f"train: step {step:,}: {said}. Make it constant, or set"
                " train.fail_on_recompile=false."
            )
        self.say(f"step {step:,}  {said}")
