"""Trains a small run as a process of its own: `python worker.py RUNS key=value ...`.

What `attn train` does, on a stub task; tests kill it, signal it and compare its bytes.
"""

import sys
from pathlib import Path

FOLDER = Path(__file__).parent
SMALL = """\
name: small
model: {layers: 1, heads: 2, width: 12, hidden: 20}
data: {context: 11, batch: 6}
optim: {lr: 0.01, ema: 0.9, kind: adamw}
train: {duration: 40steps, steps_per_call: 7}
eval: {every: 10steps, batches: 3}
sample: {every: 20steps, length: 40}
checkpoint: {every: 8steps, keep: 2}
log: {every: 3steps}
"""


def main(root: str, overrides: list[str]) -> int:
    """Signals, lock, process, JAX, training, in the order of `attn train`."""
    from experiments import process, signals

    stop = signals.install()
    from experiments.config import load
    from experiments.run import Run
    from experiments.session import settings

    path = Path(root) / "small.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(SMALL)
    config = load(path, overrides)
    with Run.begin(config, root) as run:
        if run.status == "done":
            return 0
        process.prepare(settings(config))
        process.start_jax(settings(config))
        from experiments.train import train
        from tests.experiments.stub import Task

        run.start_session()
        task = Task(config.data.batch, config.data.context)
        return train(config, run, task, stop=stop)


if __name__ == "__main__":
    sys.path.insert(0, str(FOLDER.parent.parent))
    from experiments.errors import UserError

    try:
        sys.exit(main(sys.argv[1], sys.argv[2:]))
    except UserError as error:
        sys.exit(f"{error}")
