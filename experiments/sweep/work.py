"""Carries out a plan: hands it to workers, shows how far it is, says what it did."""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from experiments.manifest import cores
from experiments.progress import duration
from experiments.signals import STOPPED, Stop
from experiments.sweep.launch import (
    NOT_BEGUN,
    Answer,
    Crew,
    ended,
    left_behind,
    outcomes,
    request,
)
from experiments.sweep.pace import RUN, Way
from experiments.sweep.plan import Plan, shares_device
from experiments.sweep.watch import Watch

LOG = "workers.log"
NUMBERS = {"SIGINT": signal.SIGINT, "SIGTERM": signal.SIGTERM}
WIDEST = 8  # lanes that are compared


@dataclass
class Done:
    """What a sweep did.

    Args:
      outcomes: run name to status and reason, of the runs that were left to do.
      seconds: of all of it.
      stopped: by a signal.
    """

    outcomes: dict[str, tuple[str, str]] = field(default_factory=dict)
    seconds: float = 0.0
    stopped: bool = False

    @property
    def code(self) -> int:
        """The exit code: 1 a run failed, 75 some are to go on, 3 one diverged, else 0.

        What a signal has stopped is to go on, whatever else there was. Without one, a
        run that was not begun is a defect.
        """
        statuses = {status for status, _ in self.outcomes.values()}
        codes = {"failed": 1, "stopped": STOPPED, "not begun": 1, "diverged": 3}
        found = [code for status, code in codes.items() if status in statuses]
        return STOPPED if self.stopped else next(iter(found), 0)

    def words(self, planned: float | None) -> str:
        """`12 runs: 11 done, 1 diverged, in 3m05s (planned 3m10s).`"""
        statuses = [status for status, _ in self.outcomes.values()]
        counts = {each: statuses.count(each) for each in dict.fromkeys(statuses)}
        said = ", ".join(f"{count} {status}" for status, count in counts.items())
        guess = "" if planned is None else f" (planned {duration(planned)})"
        return f"{len(statuses)} runs: {said}, in {duration(self.seconds)}{guess}."

    def faults(self) -> list[str]:
        """One line for each run that did not end well."""
        return [
            f"{name}: {status}{': ' + reason if reason else ''}"
            for name, (status, reason) in self.outcomes.items()
            if status in ("failed", "diverged")
        ]


def estimated(plan: Plan, folder: Path) -> Plan:
    """The plan with a pace; where none is known, some steps are taken to find out.

    By all workers at once: one alone would have the cores of the others.
    """
    if plan.seconds is None:
        measure(plan, [plan.way], folder)
    return plan


def ways(plan: Plan) -> list[Way]:
    """What could be compared: in turn, in processes, as lanes, both."""
    most = min(max(len(part.runs) for part in plan.parts), WIDEST)
    configs = [run.point.config for run in plan.todo]
    workers = 1 if shares_device(configs) else min(cores(), most)
    found = [Way(1, 1), Way(workers, 1), Way(1, most), Way(workers, most // workers)]
    return list(dict.fromkeys(found))


def measure(plan: Plan, compared: Sequence[Way], folder: Path) -> dict[Way, float]:
    """Seconds per step of one run, for some ways of computing the first program.

    Args:
      plan: whose first part is measured.
      compared: the ways; all workers of one work at the same time.
      folder: for what workers print.
    """
    part, found = plan.parts[0], {}
    for way in compared:
        crew = Crew(way, folder / LOG)
        answers: list[Answer] = []
        wanted = request(part, plan.root, "", way) | {"probe": True}
        threads = crew.start([wanted] * way.workers, partial(_append, answers))
        for thread in threads:
            thread.join()
        crew.close()
        good = [each for each in answers if each is not None and "failed" not in each]
        if len(good) == way.workers:
            step = sum(each["step"] for each in good) / len(good)
            overhead = max(each["overhead"] for each in good)
            plan.paces.note(part.program, way, step=step, overhead=overhead)
            found[way] = step / way.workers
    return found


def _append(answers: list[Answer], _: int, answer: Answer, __: int) -> None:
    answers.append(answer)


def carry_out(
    plan: Plan, group: str, folder: Path, stop: Stop, console: Console, again: bool
) -> Done:
    """Has the plan done by its workers.

    Args:
      plan: what is left to do.
      group: the sweep's name, for the manifests.
      folder: for what workers print.
      stop: asked all the time.
      console: where progress is shown.
      again: does diverged runs once more.
    """
    done, start = Done(), time.monotonic()
    requests = [
        request(part, plan.root, group, plan.way, again=again) for part in plan.parts
    ]
    crew = Crew(plan.way, folder / LOG)

    def answered(number: int, answer: Answer, code: int) -> None:
        if answer is None:
            said = ended(code, folder / LOG)
            done.outcomes |= left_behind(plan.parts[number], *said)
        else:
            _take_in(plan, number, answer, done)

    threads = crew.start(requests, answered)
    stop.has_something_to_save = True  # a signal is answered by the loop below
    _wait(lambda: any(t.is_alive() for t in threads), crew, plan, stop, console)
    crew.close()
    done.seconds, done.stopped = time.monotonic() - start, stop.requested
    for run in plan.todo:
        done.outcomes.setdefault(run.path.name, NOT_BEGUN)
    return done


def _take_in(plan: Plan, number: int, answer: dict[str, Any], done: Done) -> None:
    """Takes down what became of a part, and its pace."""
    part = plan.parts[number]
    done.outcomes |= outcomes(part, answer)
    if "failed" in answer:
        return
    whole = sum(run.steps for run in part.runs)
    if answer["steps"] == whole:  # what was resumed or stopped tells no pace
        overhead = answer["overhead"]
        step = (answer["seconds"] - overhead - RUN * len(part.runs)) / part.cost
        plan.paces.note(part.program, plan.way, step=max(step, 0), overhead=overhead)


def _wait(
    works: Callable[[], bool], crew: Crew, plan: Plan, stop: Stop, console: Console
) -> None:
    """Shows progress until all is done; passes a signal on once."""
    watch, told = Watch(plan), False
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=None))
    bar = Progress(
        *columns,
        TextColumn("{task.fields[left]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    stop.say = lambda line: console.print(Text(line), soft_wrap=True)
    with bar:
        task = bar.add_task("sweep", total=1.0, left="")
        while works():
            time.sleep(0.2)
            if stop.requested and not told:
                told = True
                crew.stop(NUMBERS.get(stop.reason or "", signal.SIGTERM))
            for line in watch.news():
                console.print(Text(line), soft_wrap=True)
            bar.update(task, completed=watch.share, left=watch.left())
        for line in watch.news(last=True):
            console.print(Text(line), soft_wrap=True)
