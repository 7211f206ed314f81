"""A page opened in headless Chromium: what it became, said and fetched."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ABSENT = f"no browser on this machine (looked for {', '.join(NAMES)})"
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--virtual-time-budget=2000",
    "--enable-logging=stderr",
)


class Opened(NamedTuple):
    """What a page became.

    Args:
      dom: the document after its script has run.
      console: what was written to the console, errors and refusals of the policy.
      requests: addresses that the page asked for, the page itself apart.
    """

    dom: str
    console: list[str]
    requests: list[str]


def browser() -> str | None:
    """The program, None if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def open_page(page: Path, scratch: Path, seconds: float = 120) -> Opened:
    """Opens a file and waits until its script is done."""
    log, program = scratch / "net.json", browser()
    assert program is not None
    done = subprocess.run(
        [
            program,
            *QUIET,
            f"--user-data-dir={scratch / 'profile'}",
            f"--log-net-log={log}",
            "--dump-dom",
            page.resolve().as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    console = re.findall(r":CONSOLE[^\]]*\] (.*)", done.stderr)
    return Opened(done.stdout, console, _requests(log, page.resolve().as_uri()))


def _requests(log: Path, own: str) -> list[str]:
    """The addresses in the browser's own log of its network."""
    # One event a line. The browser's own errands start from no page: "not an origin".
    events = re.findall(r'^\{.*"initiator":.*\}', log.read_text(), re.MULTILINE)
    wanted = [json.loads(event.rstrip(","))["params"] for event in events]
    urls = {
        x["url"] for x in wanted if x["initiator"] != "not an origin" and "url" in x
    }
    return sorted(urls - {own})
