"""The other end of a worker: starts a process, asks it, hears when it dies."""

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from typing import Any, Self

from experiments.bench.contender import Refused

LIMIT = 900.0  # seconds of an answer: a long compilation is not cut off, a hang is
GLANCE = 1.0  # seconds between looks at whether it lives: its children keep pipes open
GRACE = 5.0  # seconds to end by itself


class Worker:
    """A contender in a process of its own.

    Args:
      target: `module:function` that makes the contender.
      limit: seconds that it may take for an answer.
      order: what else `experiments.bench.worker` takes.
    """

    def __init__(self, target: str, *, limit: float = LIMIT, **order: Any):
        self.limit, self.rest = limit, b""
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        # Of its temporary files: where it is killed, it cannot remove them itself.
        self.folder = tempfile.TemporaryDirectory(
            prefix="attn-bench-", ignore_cleanup_errors=True
        )
        command = [sys.executable, "-m", "experiments.bench.worker"]
        command.append(json.dumps({"target": target, **order}))
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env=os.environ | {"TMPDIR": self.folder.name},
            # Ctrl-C is for us: what is measured is written before workers end.
            start_new_session=True,
        )

    def ask(self, **wanted: Any) -> dict[str, Any]:
        """Sends an order and waits for its answer.

        Raises:
          Refused: it cannot, it died, or it does not answer.
        """
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(f"{json.dumps(wanted)}\n".encode())
            self.process.stdin.flush()
        except OSError:
            raise Refused(self.last_words()) from None
        return self.answer(wanted.get("seconds", 0.0))

    def answer(self, seconds: float = 0.0) -> dict[str, Any]:
        """The next line that it says.

        Args:
          seconds: that it was asked to spend, on top of the limit.

        Raises:
          Refused: it cannot, it died, or it does not answer.
        """
        said = json.loads(self.line(self.limit + seconds))
        if "refused" in said:
            raise Refused(said["refused"])
        return said

    def line(self, limit: float) -> bytes:
        """What it writes up to the end of a line.

        Args:
          limit: seconds after which it is ended.

        Raises:
          Refused: it died, or it took longer.
        """
        assert self.process.stdout is not None
        deadline = time.monotonic() + limit
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self.rest:
                left, lives = deadline - time.monotonic(), self.process.poll() is None
                if left <= 0:
                    self.kill()
                    raise Refused(f"no answer in {limit:g} s")
                ready = selector.select(min(left, GLANCE))
                if lives and not ready:
                    continue
                part = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
                if not part:
                    raise Refused(self.last_words())
                self.rest += part
        line, _, self.rest = self.rest.partition(b"\n")
        return line

    def last_words(self) -> str:
        """Why it died, in a line."""
        code = self.wait()
        self.errors.seek(0)
        said = self.errors.read()[-4000:].decode(errors="replace").split("\n")
        last = next((line for line in reversed(said) if line.strip()), "")
        return f"the process ended with code {code}: {last.strip()[:200]}"

    def wait(self) -> int:
        """Its exit code; one that does not end by itself is killed."""
        try:
            return self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.wait()

    def kill(self) -> None:
        """Ends the process and all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Ends the process, though a second Ctrl-C may come while it is waited for."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            with suppress(OSError):
                self.process.stdin.close()
            self.wait()
        finally:
            self.kill()
            self.process.wait()
            self.errors.close()
            self.process.stdout.close()
            self.folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None and not issubclass(error, Exception):
            self.kill()  # at once: a run of minutes would first come to its end
        self.close()
