"""Kills a run at random moments, resumes it, and compares every byte of what it wrote.

    python tests/kill_resume.py 50        (and, to go on from trial 30: 50 30)

Each trial starts a run, kills it with SIGKILL at a random moment between its start and
its end, starts it again (and kills it again, one time in three), and lets it end. The
metrics, the result with the digest of the parameters, the samples and all arrays of the
last checkpoint have to equal those of a run that was never stopped.
"""

import hashlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORKER = Path(__file__).parent / "experiments" / "worker.py"
OVERRIDES = ("train.duration=120steps",)
COMPARED = ("metrics.jsonl", "result.json")
AGAIN = 1 / 3  # how often the resumed run is killed too


def start(root: Path, overrides: tuple[str, ...] = OVERRIDES) -> subprocess.Popen:
    """A process that trains or resumes the run below `root`."""
    command = [sys.executable, str(WORKER), str(root), *overrides]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdout=quiet, stderr=subprocess.PIPE, text=True)


def finish(root: Path, overrides: tuple[str, ...] = OVERRIDES) -> None:
    """Trains to the end.

    Raises:
      AssertionError: the process failed; its last words are the message.
    """
    process = start(root, overrides)
    words = process.communicate()[1]
    assert process.returncode == 0, f"exit code {process.returncode}: {words[-2000:]}"


def kill(root: Path, after: float, overrides: tuple[str, ...] = OVERRIDES) -> bool:
    """Starts a run and kills it after some seconds; False if it had ended by then."""
    process = start(root, overrides)
    try:
        process.communicate(timeout=after)
        return False
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return True


def bytes_of(root: Path) -> dict[str, str]:
    """Digests of what has to be equal, by name."""
    from experiments.checkpoint import Store  # late: it imports JAX
    from experiments.checksums import verify

    (run,) = (path.parent for path in root.glob("*/manifest.json"))
    files = [run / name for name in COMPARED] + sorted((run / "samples").iterdir())
    found = {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
    store = Store(run / "checkpoints")
    last = store.path(store.steps()[-1])
    verify(last)
    found["state"] = state_digest(last)
    return found


def state_digest(checkpoint: Path) -> str:
    """The bytes of parameters, optimizer and average in a checkpoint."""
    import orbax.checkpoint as ocp

    from experiments.arrays import digest

    return digest(ocp.PyTreeCheckpointer().restore(checkpoint.resolve() / "arrays"))


def trial(root: Path, number: int, length: float) -> str:
    """One run that is killed and resumed; says when it was killed."""
    draw = random.Random(number)
    moment = draw.uniform(0.05, length)
    while not kill(root, moment):  # it ended before: this machine is faster now
        shutil.rmtree(root)
        moment *= draw.uniform(0.3, 0.9)
    moments = [f"{moment:.2f}s"]
    while draw.random() < AGAIN:
        moment = draw.uniform(0.05, length)
        moments.append(f"{moment:.2f}s" + ("" if kill(root, moment) else " (done)"))
    finish(root)
    return "killed after " + ", ".join(moments)


def main(trials: int = 50, first: int = 0) -> int:
    """Runs the trials from `first` on; 0 if every one ended with the same bytes."""
    good = 0
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        finish(Path(folder) / "whole")
        length = time.monotonic() - began
        expected = bytes_of(Path(folder) / "whole")
        for number in range(first, trials):
            root = Path(folder) / str(number)
            story = trial(root, number, length)
            found = bytes_of(root)
            differ = [name for name in expected if found.get(name) != expected[name]]
            same = not differ and found.keys() == expected.keys()
            good += same
            verdict = "same bytes" if same else f"DIFFER: {differ or found.keys()}"
            print(f"{number + 1:3d}/{trials}  {story}: {verdict}", flush=True)
            shutil.rmtree(root)
    print(f"{good}/{trials - first}")
    return 0 if good == trials - first else 1


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    sys.exit(main(*map(int, sys.argv[1:])))
