"""What a run shows while it works: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from experiments.braille import draw

QUIET = 5.0  # seconds between plain lines: a log file is read, not watched
PLOT, ROOM, WIDEST = 9, 24, 100  # lines of the plot, of a terminal that has room
SMOOTH = 0.7  # weight of the past in the shown speed


class Pictured(Progress):
    """A bar with a picture above it."""

    picture: Text | None = None

    def get_renderables(self) -> Iterable[RenderableType]:
        """The picture, once there is one, and the bar."""
        if self.picture is not None:
            yield self.picture
        yield from super().get_renderables()


class Screen:
    """Lines, and a bar below them when there is a terminal.

    Args:
      console: where to write.
      steps: of the whole run.
      tokens_per_step: for the speed.
      start: steps taken before.
    """

    def __init__(
        self, console: Console, *, steps: int, tokens_per_step: int, start: int = 0
    ):
        self.console = console
        self.steps = steps
        self.tokens_per_step = tokens_per_step
        self.seconds_per_step: float | None = None
        self._last_line = 0.0
        self._losses: list[tuple[int, float]] = []
        self._bar = Pictured(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}  {task.fields[speed]} tokens/s"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
            # The bar is drawn when there is news; a thread would take time from steps.
            auto_refresh=False,
        )
        self._since: tuple[float, int] | None = None  # when which step was taken
        self._task = self._bar.add_task(
            "train", total=steps, completed=start, loss="-", speed="-"
        )

    def line(self, text: str, style: str = "") -> None:
        """Writes a line above the bar."""
        self.console.print(Text(text, style=style), soft_wrap=True)

    def phase(self, name: str) -> None:
        """Says what goes on where the bar stands still."""
        self._bar.update(self._task, description=name)
        self._bar.refresh()

    def advance(self, step: int, loss: float, seconds: float, taken: int) -> None:
        """Moves the bar after a call.

        Args:
          step: steps taken in the whole run.
          loss: of the last step.
          seconds: that the call lasted.
          taken: steps of the call.
        """
        now = seconds / max(1, taken)
        past = self.seconds_per_step
        mixed = now if past is None else SMOOTH * past + (1 - SMOOTH) * now
        self.seconds_per_step = mixed
        self._since = self._since or (time.monotonic(), step)  # compiling is over
        self._bar.update(
            self._task,
            description="train",
            completed=step,
            loss=f"{loss:.4f}",
            speed=f"{self.tokens_per_step / mixed:,.0f}",
        )
        self._bar.refresh()

    def log(self, step: int, loss: float) -> None:
        """A plain line now and then; a terminal has its bar."""
        now = time.monotonic()
        if self.console.is_terminal:
            self._losses.append((step, loss))
            self._bar.picture = self._plot()
            self._bar.refresh()
        if self.console.is_terminal or step == 1 or now - self._last_line < QUIET:
            return
        self._last_line = now
        self.line(f"step {step}/{self.steps}  loss {loss:.4f}{self._pace(step, now)}")

    def _plot(self) -> Text | None:
        """The losses so far, if the terminal has room for them."""
        if self.console.height < ROOM or len(self._losses) < 3:
            return None
        steps, losses = zip(*self._losses, strict=True)
        width = min(self.console.width, WIDEST)
        return Text("\n".join(draw(steps, losses, width=width, height=PLOT)))

    def _pace(self, step: int, now: float) -> str:
        """Tokens a second of the steps alone; what is left with all that comes between.

        That is evaluations, samples and checkpoints.
        """
        if self.seconds_per_step is None:
            return ""
        began, first = self._since or (now, step)
        whole = (now - began) / (step - first) if step > first else 0.0
        left = (whole or self.seconds_per_step) * (self.steps - step)
        speed = self.tokens_per_step / self.seconds_per_step
        return f"  {speed:,.0f} tokens/s  {duration(left)} left"

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()


def duration(seconds: float) -> str:
    """Seconds as a reader says them: 48s, 2m05s, 1h02m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def printable(text: str) -> str:
    """Text that cannot drive a terminal: control characters are written out."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text
    )
