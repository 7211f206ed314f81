"""The other end of a worker: starts a process, asks it, hears when it dies."""

import json
import subprocess
import sys
import tempfile
from typing import Any, Self

from experiments.bench.contender import Refused


class Worker:
    """A contender in a process of its own.

    Args:
      target: `module:function` that makes the contender.
      order: what else `experiments.bench.worker` takes.
    """

    def __init__(self, target: str, **order: Any):
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        command = [sys.executable, "-m", "experiments.bench.worker"]
        command.append(json.dumps({"target": target, **order}))
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            # Ctrl-C is for us: what is measured is written before workers end.
            start_new_session=True,
        )

    def ask(self, **wanted: Any) -> dict[str, Any]:
        """Sends an order and waits for its answer.

        Raises:
          Refused: it cannot, or it died.
        """
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(wanted) + "\n")
            self.process.stdin.flush()
        except OSError:
            raise Refused(self.last_words()) from None
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """The next line that it says.

        Raises:
          Refused: it cannot, or it died.
        """
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise Refused(self.last_words())
        said = json.loads(line)
        if "refused" in said:
            raise Refused(said["refused"])
        return said

    def last_words(self) -> str:
        """Why it died, in a line."""
        code = self.process.wait()
        self.errors.seek(0)
        said = self.errors.read()[-4000:].decode(errors="replace").split("\n")
        last = next((line for line in reversed(said) if line.strip()), "")
        return f"the process ended with code {code}: {last.strip()[:200]}"

    def close(self) -> None:
        """Ends the process."""
        if self.process.stdin is not None and not self.process.stdin.closed:
            try:
                self.process.stdin.close()
                self.process.wait(timeout=5)
            except (OSError, subprocess.TimeoutExpired):
                self.process.kill()
        self.process.wait()
        self.errors.close()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
