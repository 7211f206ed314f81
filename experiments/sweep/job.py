"""What one worker does at a time: some runs of one program."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console

from experiments import process, storage
from experiments.answer import check_prompt
from experiments.config import Config
from experiments.config.load import restored
from experiments.data import build, task_of
from experiments.errors import in_words
from experiments.grid import evaluate_grid
from experiments.run import Run, directory
from experiments.setup import Setup
from experiments.signals import Stop
from experiments.sweep.begun import begun
from experiments.sweep.lockstep import Bank, Part, failed, train_lanes
from experiments.sweep.program import Program
from experiments.sweep.traced import program_hash
from experiments.train import Trainer

ENDED = ("done", "diverged")
PROBE_SECONDS = 1.5  # some steps of the smallest model, one of a large one


@dataclass(frozen=True)
class Job:
    """Some runs of one program; JSON can hold it.

    Args:
      configs: of the runs, as `model_dump(mode="json")` gives them.
      variants: what each is called in its sweep.
      keys: the numbers in which the program's configs differ, see `varying`.
      root: the folder of all runs.
      group: the sweep.
      lanes: how many runs are computed side by side.
      again: starts diverged runs over.
    """

    configs: tuple[Mapping[str, Any], ...]
    variants: tuple[str, ...]
    keys: tuple[str, ...]
    root: str
    group: str
    lanes: int = 1
    again: bool = False


@dataclass
class Report:
    """What became of a job.

    Args:
      outcomes: run name to status and, where it did not end well, the reason.
      seconds: of the whole job.
      overhead: seconds of first calls, which compile.
      steps: optimizer steps taken, over all runs.
    """

    outcomes: dict[str, tuple[str, str]] = field(default_factory=dict)
    seconds: float = 0.0
    overhead: float = 0.0
    steps: int = 0

    def note(self, run: Run, reason: str | None = None) -> None:
        """Takes down how a run stands."""
        said = reason or run.manifest.get("reason", "")
        self.outcomes[run.path.name] = (run.status, said)

    def to_json(self) -> dict[str, Any]:
        """As a plain dict."""
        return asdict(self)


def probe(job: Job) -> dict[str, float]:
    """Seconds that a program needs to compile, and for a step of one run.

    It trains nothing that is kept, but the compiled program is. To compile is to take
    a step and a look at one validation batch, of each cell where there is a grid.
    """
    configs = [restored(dict(each)) for each in job.configs[: job.lanes]]
    program = _program(job, configs[0], build(configs[0]))
    start = time.monotonic()
    call, judge = _caller(program, configs)
    call(1)
    judge()
    overhead = time.monotonic() - start
    times: list[float] = []
    while sum(times) < PROBE_SECONDS:
        start = time.monotonic()
        call(program.setup.most)
        times.append(time.monotonic() - start)
    # The median: what else the machine does now and then belongs to no program.
    step = statistics.median(times) / program.setup.most / len(configs)
    return {"overhead": overhead, "step": step}


Calls = tuple[Callable[[int], Any], Callable[[], Any]]


def _caller(program: Program, configs: Sequence[Config]) -> Calls:
    """Takes steps of one run, or of several side by side; and scores one batch."""
    setups = [program.alone(each) for each in configs]
    first, one = jnp.int32(0), jnp.int32(1)
    if len(setups) > 1:
        bank = Bank(program, configs, [setup.start() for setup in setups])

        def judge() -> None:
            bank.evaluate(0, None, None, first, one)
            _grid(setups[0], program.take(bank.states, first).best_params)

        return bank.advance, judge
    return _calls(setups[0])


def _calls(setup: Setup) -> Calls:
    state = setup.start()

    def advance(count: int) -> None:
        nonlocal state
        state, _, done = setup.train_call(state, setup.inputs, np.int32(count))
        int(done)

    def judge() -> None:
        params = state.best_params
        sums = setup.eval_call(params, setup.inputs, jnp.int32(0), jnp.int32(1))
        jax.block_until_ready(sums)
        _grid(setup, params)

    return advance, judge


def _grid(setup: Setup, params: Any) -> None:
    """One batch of each cell, where the config asks for a grid."""
    if setup.config.eval.grid:
        evaluate_grid(setup, params, setup.config.eval.grid, batches=1)


def work(job: Job, stop: Stop) -> Report:
    """Trains the runs of a job that are not done yet.

    Args:
      job: the runs.
      stop: asked between calls; what has begun is saved, the rest not begun.
    """
    report, start = Report(), time.monotonic()
    todo = [restored(dict(each)) for each in job.configs]
    for part in _together(todo, job):
        if stop.requested:
            break
        configs, variants = zip(
            *((todo[i], job.variants[i]) for i in part), strict=True
        )
        _work_on(job, configs, variants, report, stop)
    report.seconds = time.monotonic() - start
    return report


def _together(configs: Sequence[Config], job: Job) -> Iterator[list[int]]:
    """Which of the runs are computed side by side; what began alone goes on alone."""
    known = [begun(directory(each, job.root)) for each in configs]
    alone = [i for i, each in enumerate(known) if each is not None and each.lanes == 1]
    yield from ([i] for i in alone)
    others = [i for i in range(len(configs)) if i not in alone]
    for first in range(0, len(others), job.lanes):
        yield others[first : first + job.lanes]


def _work_on(
    job: Job,
    configs: Sequence[Config],
    variants: Sequence[str],
    report: Report,
    stop: Stop,
) -> None:
    runs: list[Run] = []
    try:
        for config, variant in zip(configs, variants, strict=True):
            runs += _begun(job, config, variant, len(configs), report)
        before = [_steps(run) for run in runs]
        try:
            errors = _train(job, runs, stop) if runs else []
        except Exception as error:  # of the program: each of its runs has this trouble
            errors = [failed(run, error) for run in runs]
        for run, error in zip(runs, errors, strict=True):
            report.note(run, error)
        report.steps += sum(map(_steps, runs)) - sum(before)
        report.overhead += sum(map(_compiling, runs))
    finally:
        for run in runs:
            run.close()


def _begun(
    job: Job, config: Config, variant: str, lanes: int, report: Report
) -> Iterator[Run]:
    """The run of a config, locked, unless it has ended or cannot begin."""
    name = directory(config, job.root).name
    try:
        run = Run.begin(config, job.root)
        if run.status in ENDED and job.again and run.status != "done":
            run.close()
            run = Run.begin(config, job.root, fresh=True)
    except Exception as error:
        report.outcomes[name] = ("failed", in_words(error))
        return
    if run.status in ENDED:
        report.note(run)
        run.close()
        return
    program = {"keys": list(job.keys), "lanes": lanes}
    run.describe(group=job.group, variant=variant, **program)
    try:
        task = task_of(run, keep=True)
        if config.sample.every is not None:  # now, not when the first sample is due
            check_prompt(config, task.vocabulary, None)
        run.start_session(process=process.made(), data=task.describe())
    except Exception as error:
        report.note(run, failed(run, error))
        run.close()
        return
    yield run


def _train(job: Job, runs: Sequence[Run], stop: Stop) -> list[str | None]:
    program = _program(job, runs[0].config, task_of(runs[0]))
    if len(runs) > 1:
        return train_lanes(program, runs, stop)
    try:
        setup = program.alone(runs[0].config)
        Trainer(setup, runs[0], Part(stop), Console(quiet=True)).work()
    except Exception as error:
        return [failed(runs[0], error)]
    return [None]


_kept: dict[tuple, Program] = {}


def _program(job: Job, config: Config, task: Any) -> Program:
    """The program of a job; the last one is kept, its compiled functions with it."""
    key = (program_hash(config), job.keys, task.fingerprint)
    if key not in _kept:
        _kept.clear()  # one at a time: a program holds its data and its constants
        _kept[key] = Program.of(config, job.keys, task)
    return _kept[key]


def _steps(run: Run) -> int:
    return max((row["step"] for row in run.metrics()), default=0)


def _compiling(run: Run) -> float:
    """Seconds of the last first call, which compiles what was not compiled before."""
    rows = storage.read_lines(run.path / "perf.jsonl")
    found = [row["compile"] for _, row in rows if "compile" in row]
    return float(found[-1]) if found else 0.0
