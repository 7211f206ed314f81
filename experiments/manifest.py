"""Where a run comes from: command, versions, machine, commit."""

import importlib.metadata
import os
import platform
import shlex
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PACKAGES = (
    "attn",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "chex",
    "numpy",
    "pydantic",
)


def origin() -> dict[str, Any]:
    """What is known before anything runs."""
    return {
        "command": shlex.join(["attn", *sys.argv[1:]]),
        "folder": str(Path.cwd()),
        "versions": versions(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "host": socket.gethostname(),
        "cores": cores(),
        "pid": os.getpid(),
        "git": git(Path(__file__).parent),
        "environment": settings(),
    }


def versions() -> dict[str, str | None]:
    """Installed versions, read without importing the packages."""
    return {name: version(name) for name in PACKAGES}


def version(name: str) -> str | None:
    """The installed version of a distribution, None if it is not there."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def settings() -> dict[str, str]:
    """Environment variables that change what JAX computes or how fast."""
    prefixes = ("JAX_", "XLA_", "OMP_", "MALLOC_", "CUDA_VISIBLE")
    names = sorted(name for name in os.environ if name.startswith(prefixes))
    return {name: os.environ[name] for name in names}


def git(folder: Path) -> dict[str, Any] | None:
    """Commit and whether files differ from it; None outside a checkout."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "dirty": bool(_git(folder, "status", "--porcelain"))}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
