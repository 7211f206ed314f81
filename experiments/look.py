"""Looking at a run that was trained: its model, its score, what it says."""

import dataclasses
from pathlib import Path
from typing import Any

import jax

from experiments import process
from experiments.answer import Answer, answer
from experiments.asked import Asked
from experiments.checkpoint import Store
from experiments.choice import choose
from experiments.config import Config
from experiments.data import task_of, without_text
from experiments.errors import UserError
from experiments.evaluate import evaluate
from experiments.run import Run
from experiments.session import settings
from experiments.setup import Setup, assemble


@dataclasses.dataclass(frozen=True)
class Trained:
    """A run's model as one of its checkpoints has it.

    Args:
      run: the run directory, open to read.
      setup: the model, the task and the jitted functions.
      params: what evaluation and sampling read.
      step: of the checkpoint.
    """

    run: Run
    setup: Setup
    params: Any
    step: int


def load_trained(path: Path, which: str = "best", *, text: bool = True) -> Trained:
    """Loads a checkpoint of a run, every byte verified; on the devices that are here.

    Args:
      path: the run directory.
      which: best, last, or a step.
      text: reads the text too, which a score needs and a sample does not.

    Raises:
      UserError: there is no such checkpoint, it is damaged, or the text has changed.
    """
    run = Run.open(path)
    wanted = settings(run.config)
    process.prepare(wanted)
    process.start_jax_anywhere(wanted)
    task = task_of(run) if text else without_text(run)
    setup = assemble(fitting(run.config), task)
    store = Store(run.checkpoints)
    step = choose(store, which, path)
    state, notes = store.load(step, setup.shapes)
    if notes["fingerprint"] != setup.task.fingerprint:
        raise UserError(
            f"{path}: the text has changed since this run was trained; restore it,"
            " or train again with `attn train`."
        )
    return Trained(run, setup, setup.place(state).best_params, step)


def fitting(config: Config) -> Config:
    """The config on all devices that are here, if it asks for more of them."""
    if (config.mesh.devices or 0) <= jax.local_device_count():
        return config
    mesh = config.mesh.model_copy(update={"devices": None})
    return config.model_copy(update={"mesh": mesh})


def score(trained: Trained, batches: int | None = None) -> dict[str, Any]:
    """The validation score under the names of the metrics file.

    Args:
      trained: from `load_trained`.
      batches: how many to read; None reads all there are.
    """
    setup, all_there_are = trained.setup, trained.setup.task.validation_steps
    found = evaluate(
        setup.eval_call,
        trained.params,
        setup.inputs,
        batches=min(batches or all_there_are, all_there_are),
        most=setup.most,
    )
    assert found is not None  # nothing halts it
    row = found.row(setup.task.bytes_per_token)
    return {"run": trained.run.path.name, "step": trained.step, **row}


def say(trained: Trained, asked: Asked) -> Answer:
    """What a trained model answers; the same seed gives the same text.

    Raises:
      UserError: the vocabulary cannot write the prompt, or it is too long.
    """
    said = answer(trained.setup, trained.params, asked)
    assert said is not None  # nothing halts it
    return said
