"""A process that hangs or dies is a refusal, and nothing of it stays."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from experiments.bench.contender import Refused
from experiments.bench.pipe import GRACE, Worker
from experiments.bench.rivals.ours_step import configured
from experiments.bench.work import CeilingWork
from experiments.signals import interrupting

WORK = CeilingWork().to_json()


def lives(process):
    """Whether a process runs; one that is dead but not yet buried does not."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def waited(true):
    """Whether something becomes true in a while."""
    end = time.monotonic() + 30
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


def test_who_hangs_is_ended_with_all_that_it_started(importable, tmp_path):
    path = tmp_path / "child"
    with Worker("sleepers:hanging", work={**WORK, "kind": str(path)}) as worker:
        assert waited(lambda: path.is_file() and path.read_text())
        worker.limit = 0.1
        with pytest.raises(Refused, match=r"no answer in 0.1 s"):
            worker.answer()
    assert waited(lambda: not lives(int(path.read_text())))
    assert worker.process.returncode == -9


def test_a_child_that_keeps_the_pipe_open_hides_no_death(importable, tmp_path):
    work = {**WORK, "kind": str(tmp_path / "child")}
    worker = Worker("sleepers:dying_childbearer", work=work, limit=30.0)
    with worker, pytest.raises(Refused, match="the process ended with code 3"):
        worker.answer()


def test_a_second_interrupt_leaves_no_process_and_no_file(importable, tmp_path):
    work = {**WORK, "kind": str(tmp_path / "place")}
    worker = Worker("sleepers:littering", work=work)
    assert waited(lambda: (tmp_path / "place").is_file())
    left = pathlib.Path((tmp_path / "place").read_text())
    assert left.is_file()

    wait, times = worker.process.wait, []

    def interrupted(*seconds):
        times.append(seconds)
        if len(times) == 1:
            raise KeyboardInterrupt
        return wait(*seconds)

    worker.process.wait = interrupted
    with pytest.raises(KeyboardInterrupt), worker:
        pass
    assert worker.process.returncode == -9
    assert not left.parent.exists()


MEASURING = """
import signal, sys
from experiments import signals
from experiments.bench.race import Rules, race
from experiments.bench.work import CeilingWork
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may ignore it
with signals.interrupting():
    race(CeilingWork(sys.argv[1]), [], Rules(), targets={"ours": "sleepers:running"})
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_in_progress_at_once(importable, tmp_path, number):
    path = tmp_path / "child"
    command = [sys.executable, "-c", MEASURING, str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert waited(lambda: path.is_file() and path.read_text())
        process.send_signal(number)
        began = time.monotonic()
        assert "KeyboardInterrupt" in process.communicate(timeout=30)[1]
    assert waited(lambda: not lives(int(path.read_text())))
    assert time.monotonic() - began < GRACE


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupting():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_answers_come_one_by_one_though_written_at_once():
    code = "for n in range(3): print('[' + n * 100000 * '0,' + '7]')"
    worker = Worker.__new__(Worker)
    worker.limit, worker.rest = 10.0, b""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as worker.process:
        assert [len(worker.answer()) for _ in range(3)] == [1, 100_001, 200_001]


def test_the_text_of_a_step_does_not_outlive_it(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with configured([]) as config:
        assert config.data.path is not None
        assert os.path.getsize(config.data.path) > 0
    assert os.listdir(tmp_path) == []
