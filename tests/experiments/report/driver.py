"""A page driven by pointer, finger and keys, over Chromium's debugging pipe."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.experiments.report.browser import QUIET, browser

# The browser reads commands from descriptor 3 and writes answers to 4.
PIPES = (
    "import fcntl, os, sys; r, w = map(int, sys.argv[1:3]);"
    "r, w = (fcntl.fcntl(each, fcntl.F_DUPFD, 10) for each in (r, w));"
    "os.dup2(r, 3); os.dup2(w, 4); os.execvp(sys.argv[3], sys.argv[3:])"
)
KEYS = {"ArrowLeft": 37, "ArrowRight": 39, "Home": 36, "End": 35, "Escape": 27}
WIDTH, HEIGHT = 1280, 900


class Page:
    """An open page.

    Args:
      commands, answers: the pipe's ends.
    """

    def __init__(self, commands: Any, answers: Any):
        self._commands, self._answers, self._count = commands, answers, 0
        self._session: str | None = None
        self.complaints: list[str] = []
        self.requests: list[str] = []
        found = self.call("Target.createTarget", url="about:blank")
        attached = self.call(
            "Target.attachToTarget", targetId=found["targetId"], flatten=True
        )
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1}
        self.call("Emulation.setDeviceMetricsOverride", **size, mobile=False)

    def call(self, method: str, **given: Any) -> dict[str, Any]:
        """Has the browser do something; events that come meanwhile are kept."""
        self._count += 1
        asked = {"id": self._count, "method": method, "params": given}
        if self._session:
            asked["sessionId"] = self._session
        self._commands.write(json.dumps(asked).encode() + b"\0")
        self._commands.flush()
        while True:
            said = json.loads(self._read())
            if said.get("id") == self._count:
                assert "error" not in said, said
                return said["result"]
            self._note(said.get("method"), said.get("params", {}))

    def _read(self) -> bytes:
        found = bytearray()
        while (sign := self._answers.read(1)) != b"\0":
            assert sign, "the browser has gone"
            found += sign
        return bytes(found)

    def _note(self, event: str | None, about: dict[str, Any]) -> None:
        if event in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            self.complaints.append(json.dumps(about))
        elif event == "Log.entryAdded":
            self.complaints.append(about["entry"]["text"])
        elif event == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])

    def open(self, path: Path, ready: str) -> None:
        """Opens a file and waits until an expression holds."""
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.requests.remove(path.resolve().as_uri())
        self.value(
            "new Promise((done) => { const look = () =>"
            f" document.readyState === 'complete' && ({ready})"
            " ? done(true) : requestAnimationFrame(look); look(); })"
        )

    def value(self, expression: str) -> Any:
        """What an expression is in the page."""
        options = {"returnByValue": True, "awaitPromise": True}
        found = self.call("Runtime.evaluate", expression=expression, **options)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def text(self, selector: str) -> str:
        """What stands in the first element that fits."""
        return self.value(f"document.querySelector({json.dumps(selector)}).textContent")

    def place(self, selector: str, across: float = 0.5, down: float = 0.5):
        """A place within the first element that fits, brought into view."""
        return self.value(
            f"(() => {{ const x = document.querySelector({json.dumps(selector)});"
            " x.scrollIntoView({block: 'center', behavior: 'instant'});"
            " const b = x.getBoundingClientRect();"
            f" return [b.x + {across} * b.width, b.y + {down} * b.height]; }})()"
        )

    def hover(self, selector: str, across: float = 0.5, down: float = 0.5) -> None:
        """Moves the pointer there."""
        x, y = self.place(selector, across, down)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, selector: str, across: float = 0.5, down: float = 0.5) -> None:
        """Clicks there."""
        self.hover(selector, across, down)
        x, y = self.place(selector, across, down)
        for kind in ("mousePressed", "mouseReleased"):
            options = {"button": "left", "clickCount": 1}
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **options)

    def tap(self, selector: str, across: float = 0.5, down: float = 0.5) -> None:
        """Taps there with a finger."""
        x, y = self.place(selector, across, down)
        points = [{"x": x, "y": y}]
        self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=points)
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        self.value("new Promise((done) => setTimeout(done, 50))")

    def press(self, key: str) -> None:
        """Presses a key where the focus is."""
        about = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, **about)


@contextmanager
def driven(scratch: Path) -> Iterator[Page]:
    """A browser with an empty page."""
    (into, commands), (answers, out) = os.pipe(), os.pipe()
    program = browser()
    assert program is not None
    options = [each for each in QUIET if "virtual-time" not in each]
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", PIPES, str(into), str(out), program, *options),
            "--remote-debugging-pipe",
            "--touch-events=enabled",
            f"--user-data-dir={scratch / 'driven'}",
        ],
        pass_fds=(into, out),
        stderr=subprocess.DEVNULL,
    )
    os.close(into)
    os.close(out)
    with open(commands, "wb") as write, open(answers, "rb") as read:
        try:
            yield Page(write, read)
        finally:
            process.terminate()
            process.wait(30)
