"""The persistent compilation cache: a program compiled once is read from disk later.

It lies in the user's cache folder, one folder for each version of jaxlib and kind of
machine. JAX's key of an entry knows neither the processor's features nor the number of
cores, on which machine code depends; a home directory that several machines share would
mix them up. Whoever can write an entry can run code as its reader, so the folder is the
user's alone.
"""

import contextlib
import functools
import hashlib
import os
import platform
import re
import stat
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
from jax.experimental.compilation_cache import compilation_cache

from experiments.manifest import cores, version
from experiments.places import cache_folder
from experiments.recompiles import HIT, MISS

OFF = "off"
MOST_BYTES = 1 << 30  # of all entries; a run's programs take about 1 MB
MARKS = ("loads", "does-not-load")  # files: what a trial found in this folder
EVENTS = {HIT: "hits", MISS: "misses"}
# Of Linux's table of processors, what decides which instructions there are.
FEATURES = re.compile(r"(vendor_id|model name|model|flags|Features|CPU part)\s*:")
UNREADABLE = r"Error (reading|writing) persistent compilation cache entry for '(\w+)'"
_found: Counter[str] = Counter()


def begin() -> str:
    """Switches the cache on for this process.

    What the user told JAX by its own variables stays as it is.

    Returns:
      The folder, or `off` and why.
    """
    _listen()
    if not jax.config.jax_enable_compilation_cache:
        return f"{OFF}: JAX_ENABLE_COMPILATION_CACHE"
    if (told := _told()) is not None:
        return told
    try:
        folder = own_folder(cache_folder() / "xla") / machine()
        folder.mkdir(mode=0o700, exist_ok=True)
        prune(folder.parent)
        if not loads(folder):
            return f"{OFF}: programs compiled here cannot be read back"
    except OSError as error:
        reason = error.strerror or str(error)
        print(f"compilation cache: {reason}; it stays off.", file=sys.stderr)
        return f"{OFF}: {reason}"
    _point_at(folder)
    return str(folder)


def own_folder(path: Path) -> Path:
    """Makes a folder that is the user's alone, or sees to it that it is.

    Raises:
      OSError: it is another user's, or others could have put entries there.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.stat()
    if hasattr(os, "getuid") and found.st_uid != os.getuid():
        raise OSError(f"{path} belongs to another user; set XDG_CACHE_HOME")
    if stat.S_IMODE(found.st_mode) & 0o022:
        raise OSError(f"others can write to {path}, which is run as code; remove it")
    path.chmod(0o700)
    return path


@functools.cache
def machine() -> str:
    """A name for what machine code depends on: jaxlib, processor, cores."""
    try:
        table = Path("/proc/cpuinfo").read_text().partition("\n\n")[0].splitlines()
        features = [line for line in table if FEATURES.match(line)]
    except OSError:
        features = [platform.processor(), platform.platform()]
    known = [platform.machine(), str(cores()), *features]
    digest = hashlib.sha256("\n".join(known).encode()).hexdigest()[:12]
    return f"jaxlib-{version('jaxlib')}-{digest}"


def counts() -> dict[str, int]:
    """How many programs this process has read from the cache, and put there."""
    return {name: _found[name] for name in EVENTS.values()}


def content(folder: Path) -> tuple[int, int]:
    """How many programs a folder holds, and their bytes."""
    sizes = [each.stat().st_size for each in folder.glob("*-cache")]
    return len(sizes), sum(sizes)


def loads(folder: Path) -> bool:
    """Whether this jaxlib reads back on this machine what it has compiled on it.

    Some do not: they take the compiler's tuning for features that the processor lacks
    (jax#38445), and say so at every entry. Tried once a folder, where nobody sees it.
    """
    yes, no = (folder / mark for mark in MARKS)
    if not yes.exists() and not no.exists():
        (yes if trial(folder) else no).touch(mode=0o600)
        _found.clear()  # the trial is nobody's program
    return yes.exists()


def trial(folder: Path) -> bool:
    """Compiles a small program twice; whether the second time was a read."""
    before, last = _told(), 0
    with _silent():
        _point_at(folder)
        for _ in range(2):
            last = _found["hits"]
            # A new function each time, which JAX's cache in memory does not know.
            jax.jit(lambda x: x * x + 1).lower(1.0).compile()
    _point_at(before)
    return _found["hits"] > last


def prune(folder: Path, most: int = MOST_BYTES) -> None:
    """Removes the oldest entries below a folder until the rest is at most `most`."""
    entries = [(each.stat(), each) for each in folder.glob("*/*-cache")]
    total = sum(found.st_size for found, _ in entries)
    for found, path in sorted(entries, key=lambda entry: entry[0].st_mtime):
        if total <= most:
            return
        path.unlink(missing_ok=True)
        total -= found.st_size


def _point_at(folder: Path | str | None) -> None:
    """Sets JAX's options; every program is kept, since even small ones take 10 ms."""
    compilation_cache.reset_cache()  # it remembers the folder of its first program
    path = None if folder is None else str(folder)
    jax.config.update("jax_compilation_cache_dir", path)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


@functools.cache
def _listen() -> None:
    """Counts what JAX tells of the cache, and mends entries that cannot be read."""

    def count(event: str, **_: Any) -> None:
        if event in EVENTS:
            _found[EVENTS[event]] += 1

    jax.monitoring.register_event_listener(count)
    mend()


def mend() -> None:
    """From now on removes entries of which JAX warns, instead of showing the warning.

    A process that is killed while it writes leaves an entry torn. The program is then
    compiled anew, so nothing is lost; left there, the entry would be tried each time.
    """
    shown = warnings.showwarning

    def show(message: Warning | str, *rest: Any, **named: Any) -> None:
        found = re.match(UNREADABLE, str(message))
        if found is None:
            shown(message, *rest, **named)
            return
        for entry in Path(_told() or "").glob(f"{found[2]}-*-cache"):
            entry.unlink(missing_ok=True)

    warnings.showwarning = show


def _told() -> str | None:
    """The folder that JAX has been told to use."""
    return jax.config.jax_compilation_cache_dir


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Sends what XLA writes to standard error, past Python, nowhere."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
