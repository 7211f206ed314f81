"""SIGINT and SIGTERM in every phase of a run, as a process of its own."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.checkpoint import Store
from experiments.signals import SHOW_CURSOR, Stop

WORKER = Path(__file__).parent / "worker.py"
LONG = ("train.duration=100000steps", "log.every=100000steps", "sample.every=null")
# What to look for in the output before the signal, and what makes that phase long.
PHASES = {
    "import": (None, ()),
    "compile": ("parameters on", ()),
    "step": ("first loss", ("eval.every=100%", "checkpoint.every=100%")),
    "eval": ("validation", ("eval.every=1steps", "eval.batches=2000")),
    "save": ("first loss", ("checkpoint.every=1steps", "eval.every=100%")),
}
BEFORE_A_STEP = ("import", "compile")


def start(root, *overrides):
    command = [sys.executable, "-u", str(WORKER), str(root), *overrides]
    pipe, both = subprocess.PIPE, subprocess.STDOUT
    return subprocess.Popen(command, stdout=pipe, stderr=both, text=True)


def wait_for(process, words):
    """Reads lines until one has the words."""
    for line in process.stdout:
        if words in line:
            return
    raise AssertionError(f"`{words}` was never said")


def steps(root):
    (folder,) = root.glob("*/checkpoints")
    return Store(folder).steps()


@pytest.mark.parametrize("phase", PHASES)
def test_a_signal_saves_the_last_step_and_leaves_with_75(tmp_path, phase):
    words, overrides = PHASES[phase]
    number = signal.SIGINT if phase == "eval" else signal.SIGTERM
    process = start(tmp_path, *LONG, *overrides)
    if words is None:
        time.sleep(0.3)  # the handlers come first, the imports take longer
    else:
        wait_for(process, words)
        time.sleep(0.3 if phase != "compile" else 0.0)
    began = time.monotonic()
    process.send_signal(number)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 75, said
    assert "Traceback" not in said
    assert time.monotonic() - began < 20
    if phase not in BEFORE_A_STEP:
        last = steps(tmp_path)[-1]
        assert f"{number.name}: stopped at step {last:,} of 100,000, saved" in said


def test_a_second_signal_leaves_at_once(tmp_path):
    """The first save is held up by a full pipe, as a slow disk would."""
    process = start(tmp_path, *LONG, "train.steps_per_call=100000", "eval.every=100%")
    wait_for(process, "first loss")
    process.send_signal(signal.SIGSTOP)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=60)
    assert process.returncode in (128 + signal.SIGINT, 128 + signal.SIGTERM)


def test_a_terminal_gets_its_cursor_back(tmp_path):
    """The bar hides it, and a run stopped while it compiles has no time to tidy up."""
    ours, theirs = pty.openpty()
    command = [sys.executable, str(WORKER), str(tmp_path), *LONG]
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while b"\x1b[?25l" not in shown:
        shown += os.read(ours, 1000)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 75
    shown += os.read(ours, 10_000)
    os.close(ours)
    assert shown.endswith(SHOW_CURSOR)


def test_a_budget_ends():
    stop = Stop()
    assert not stop.requested
    stop.limit(0.0)
    assert stop.requested
    assert stop.reason == "train.budget"
