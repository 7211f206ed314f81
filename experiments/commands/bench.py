"""`attn bench`: what attention, a layer, a step or compiling costs, beside rivals."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.options import AsJson

FOLDER = Path("bench")
SUITES = ("attention", "layer", "step", "compile")

Words = Annotated[
    list[str],
    typer.Argument(
        metavar="attention|layer|step|compile|list|diff A B|STUDY.yaml",
        help="A suite, a study of your own, or two records (or HLO texts) to compare.",
        show_default=False,
    ),
]


def bench(
    words: Words,
    only: Annotated[
        str, typer.Option(help="Cases whose label contains this.", show_default=False)
    ] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="All cases of the suite, not the brief ones.")
    ] = False,
    spec: Annotated[
        str | None, typer.Option(help="A case of your own: notation.")
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(help="Its batch x positions x heads x width: 1x1024x8x64."),
    ] = None,
    backend: Annotated[
        str, typer.Option(help="Who computes ours; see `attn explain`.")
    ] = "auto",
    rivals: Annotated[
        str | None,
        typer.Option(help="Names with commas between; `attn bench list` shows them."),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each.")] = 5,
    burst: Annotated[float, typer.Option(min=0.01, help="Seconds of a turn.")] = 0.4,
    out: Annotated[
        Path | None,
        typer.Option(help="The record to write.", show_default="bench/SUITE-DATE.json"),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Measure beside rivals, in fresh processes that take turns.

    A run whose own control is not level says that it is invalid.
    """
    from experiments.bench import suite, table  # late, for start-up time
    from experiments.bench.asked import Asked, chosen

    asked = Asked(words[0], only, everything, spec, shape, backend, rivals)
    cases = chosen(asked)
    rules = suite.Rules(rounds=rounds, burst=burst)
    record = suite.new(words[0], rules)
    path = out or FOLDER / f"{words[0]}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    screen = Screen(quiet=as_json)
    screen.begin(len(cases), suite.estimate(cases, rules))
    try:
        suite.run(cases, rules, record, path, tell=screen.tell, done=screen.done)
    finally:
        screen.end()
        if record.cases and not as_json:
            print("\n".join(table.verdict(record)))
            print(f"The record is {path}.")
    if as_json:
        print(path.read_text(encoding="utf-8"), end="")
    return 0 if not record.invalid else 1


class Screen:
    """Cases as they come, and on a terminal what is being measured now.

    Args:
      quiet: whether to say nothing.
    """

    def __init__(self, *, quiet: bool):
        self.quiet = quiet
        self.is_terminal = sys.stderr.isatty() and not quiet

    def begin(self, cases: int, seconds: float) -> None:
        """What is about to happen."""
        from experiments.progress import duration  # late, for start-up time

        if not self.quiet:
            what = "1 case" if cases == 1 else f"{cases} cases"
            print(f"{what}, about {duration(seconds)}.", flush=True)

    def tell(self, text: str) -> None:
        """Overwrites the line of what goes on."""
        if self.is_terminal:
            print(f"\r\x1b[K{text}"[:120], end="", file=sys.stderr, flush=True)

    def done(self, case, left: float) -> None:
        """A case and how long the others will take."""
        from experiments.bench import table  # late, for start-up time
        from experiments.progress import duration

        if self.quiet:
            return
        self.end()
        print("\n".join(table.case_lines(case)), flush=True)
        if left > 1:
            print(f"  ({duration(left)} left)", flush=True)

    def end(self) -> None:
        """Clears the line."""
        if self.is_terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
