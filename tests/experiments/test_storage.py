"""Locks between processes, and files that are whole whenever a process dies."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments import storage
from experiments.config import load
from experiments.folder import RunError
from experiments.run import Run, directory

HOLD = """
import sys, time
from experiments.config import load
from experiments.run import Run
run = Run.begin(load(None), sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""
RACE = """
import sys, time
from experiments.config import load
from experiments.folder import RunError
from experiments.run import Run
config = load(None)
while time.time() < float(sys.argv[2]):
    pass
try:
    run = Run.begin(config, sys.argv[1])
    print("got", flush=True)
    sys.stdin.read()
except RunError:
    print("refused")
"""


KILLED = """
import os, signal, sys
from pathlib import Path
from experiments import storage
count = 0
def trace(frame, event, arg):
    global count
    if frame.f_globals.get("__name__") != "experiments.storage":
        return None
    count += 1
    if count == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return trace
sys.settrace(trace)
storage.write_atomic(Path(sys.argv[1]), "new")
"""


def python(code: str, *arguments: object) -> subprocess.Popen:
    words = [sys.executable, "-c", code, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(words, stdout=pipe, stdin=pipe, stderr=pipe, text=True)


class TestLock:
    def test_a_second_process_is_refused_and_told_of_the_first(self, tmp_path):
        config, holder = load(None), python(HOLD, tmp_path)
        try:
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(RunError) as caught:
                Run.begin(config, tmp_path)
            path = directory(config, tmp_path)
            expected = (
                f"{path}: in use by process {holder.pid}; wait for it or stop it."
            )
            assert str(caught.value) == expected
            holder.kill()
            holder.wait()
            Run.begin(config, tmp_path).close()  # died with the process: no clean-up
        finally:
            holder.kill()
            holder.communicate()

    def test_of_many_that_start_at_once_one_gets_it(self, tmp_path):
        start = time.time() + 1.5
        racers = [python(RACE, tmp_path, start) for _ in range(6)]
        try:
            words = sorted(each.stdout.readline().strip() for each in racers)
        finally:
            for each in racers:
                each.communicate("")
        assert words == ["got", *["refused"] * 5]

    def test_a_lock_that_was_removed_meanwhile_is_not_trusted(self, tmp_path):
        first = storage.take_lock(tmp_path / "lock")
        (tmp_path / "lock").unlink()
        second = storage.take_lock(tmp_path / "lock")
        with pytest.raises(storage.Locked):
            storage.take_lock(tmp_path / "lock")
        first.close()
        second.close()

    def test_a_link_is_no_lock(self, tmp_path):
        (tmp_path / "target").write_text("keep me")
        (tmp_path / "lock").symlink_to(tmp_path / "target")
        with pytest.raises(OSError, match="symbolic link"):
            storage.take_lock(tmp_path / "lock")
        assert (tmp_path / "target").read_text() == "keep me"


class TestAtomicWrite:
    """Whatever fails and wherever a kill comes, the old text or the new is there."""

    @pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EACCES])
    @pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
    def test_a_failing_call(self, call, error, tmp_path, monkeypatch):
        path = tmp_path / "file.json"
        storage.write_atomic(path, "old")

        def fail(*_, **__):
            raise OSError(error, os.strerror(error), "somewhere")

        class File:
            def __init__(self, path):
                self.file = open(path, "w")  # noqa: SIM115

            def __enter__(self):
                return self

            def __exit__(self, *_):
                self.file.close()

            write = fail

        opened = fail if call == "open" else lambda path, *_, **__: File(path)
        target = {
            "open": (Path, "open", opened),
            "write": (Path, "open", opened),
            "fsync": (os, "fsync", fail),
            "replace": (Path, "replace", fail),
        }[call]
        monkeypatch.setattr(*target)
        with pytest.raises(OSError, match=r"\[Errno"):
            storage.write_atomic(path, "new")
        monkeypatch.undo()
        assert path.read_text() == "old"
        assert os.listdir(tmp_path) == ["file.json"]

    def test_a_kill_at_every_call(self, tmp_path):
        """A tracer kills the process at its n-th line inside the function."""
        path = tmp_path / "file.json"
        path.write_text("old")
        endings = set()
        for line in range(1, 60):
            done = subprocess.run(
                [sys.executable, "-c", KILLED, str(path), str(line)],
                capture_output=True,
            )
            endings.add(path.read_text())
            assert endings <= {"old", "new"}
            path.write_text("old")
            storage.remove_stale(tmp_path)
            assert os.listdir(tmp_path) == ["file.json"]
            if done.returncode == 0:
                break
            assert done.returncode == -signal.SIGKILL
        assert done.returncode == 0
        assert endings == {"old", "new"}


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        storage.write_atomic(tmp_path / "gone" / "x.json", "text")
    assert caught.value.filename == str(tmp_path / "gone" / "x.json")
