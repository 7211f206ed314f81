"""What a run says when it begins and when it ends."""

from typing import Any

from experiments.arrays import digest
from experiments.course import Course
from experiments.progress import duration
from experiments.run import Run
from experiments.setup import Setup


def opening(setup: Setup, run: Run, step: int) -> str:
    """The first lines: what is trained, on what, where it lies."""
    devices, derived = setup.training.mesh.devices, setup.derived
    lines = [
        setup.task.describe(),
        f"{setup.parameters:,} parameters on {devices.size} x "
        f"{devices.flat[0].device_kind}, {derived.steps:,} steps of "
        f"{derived.tokens_per_step:,} tokens",
        f"{run.path}" + (f", from step {step:,}" if step else ""),
    ]
    if (given := setup.config.train.weights) is not None and not step:
        lines.append(f"starts from the weights of {given}")
    if setup.idle_devices:
        lines.append(
            f"{setup.idle_devices} devices are idle: {derived.microbatch} examples "
            "do not divide evenly; make data.batch a multiple of the devices."
        )
    if setup.config.precision.compute == "float16":
        lines.append(
            "float16 without loss scaling: gradients below 6e-8 become 0; "
            "precision.compute=bfloat16 has the range of float32."
        )
    return "\n".join(lines)


def result(course: Course, setup: Setup) -> dict[str, Any]:
    """The flat record of what was reached; no clocks, so that it compares."""
    return {
        "status": "done",
        "step": course.step,
        "seed": setup.config.seed,
        **course.latest,
        "best/val_loss": course.best,
        "best/step": course.best_step,
        **setup.costs,
        "data": setup.task.fingerprint,
        "parameters": digest(course.state.params),
    }


def done(course: Course, run: Run, seconds: float, recompiles: int) -> str:
    """The last lines of a run that has ended well."""
    again = f", {recompiles} recompilations" if recompiles else ""
    return (
        f"Done: {course.step:,} steps, validation loss "
        f"{course.latest['val/loss']:.4f}, best {course.best:.4f} at step "
        f"{course.best_step:,}, in {duration(seconds)}{again}.\n"
        f"It lies in {run.path}. Next: attn sample {run.path.name}, "
        f"attn eval {run.path.name}"
    )


def stopped(course: Course, setup: Setup, run: Run, reason: str) -> str:
    """Where it stopped and how to go on."""
    return (
        f"{reason}: stopped at step {course.step:,} of {setup.derived.steps:,}, "
        f"saved. Go on with: attn resume {run.path.name}"
    )


def diverged(setup: Setup, steps: list[int], what: str) -> str:
    """That numbers are no longer finite; what was saved before stays.

    Args:
      setup: of the run.
      steps: that have a checkpoint.
      what: is not finite.
    """
    where = f"step {steps[-1]:,}" if steps else "none yet"
    return (
        f"train: {what}; stopped. Last checkpoint: {where}. Lower optim.lr (now "
        f"{setup.config.optim.lr:g}), lengthen optim.schedule.warmup, or set "
        "optim.clip."
    )
