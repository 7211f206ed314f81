"""Settings of the whole process, made at the runner's start and never by `import attn`.

Call `prepare` before JAX is imported and `start_jax` right after: the allocator and
XLA read their settings once, and a setting that comes too late does nothing.
"""

import contextlib
import ctypes
import dataclasses
import mmap
import os
import re
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from experiments.errors import UserError

# What JAX is told for a platform, where that is not its name. Of `gpu` it would demand
# that CUDA, ROCm and oneAPI all be there; left alone it takes the one that is.
ASKED = {"gpu": None}
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_IMPORTED = time.monotonic()
_MAXRSS = 1 if sys.platform == "darwin" else 1024  # bytes of the unit of `ru_maxrss`
_made: dict[str, object] = {}
KEEP_MAPPED = 1 << 30  # bytes; above any temporary arena of a step on a CPU
KEEP_TRIMMED = 2**31 - 1  # the largest value that mallopt takes
LEFT, KEPT = "left alone", "keeps freed memory"


class ProcessError(UserError):
    """A setting of the process that cannot be had, in one line."""


@dataclass(frozen=True)
class Settings:
    """What to ask of the process.

    Args:
      allocator: keep freed memory instead of handing it back. XLA's CPU backend maps
        and unmaps its arena at every call otherwise: 36,000 page faults and a fifth of
        the time of a step of 2,048 tokens.
      simulated_devices: split the CPU into this many devices; None leaves it alone.
      xla_flags: appended to XLA_FLAGS; the user's own come later and win.
      platform: cpu, gpu or tpu; None is JAX's own choice.
      compilation_cache: read compiled programs from the user's cache folder and keep
        new ones there; off for whoever measures compiling.
    """

    allocator: bool = True
    simulated_devices: int | None = None
    xla_flags: str = ""
    platform: str | None = None
    compilation_cache: bool = False


def prepare(settings: Settings) -> None:
    """Makes the settings that have to come before JAX.

    Raises:
      ProcessError: an XLA flag that this jaxlib does not have.
    """
    _made.update(
        allocator=keep_memory() if settings.allocator else LEFT,
        xla_flags=append_xla_flags(settings.xla_flags),
        simulated_devices=settings.simulated_devices,
        platform=settings.platform,
    )


def made() -> dict[str, object]:
    """What was set and how it went, for the manifest; empty before `prepare`."""
    return dict(_made)


def start_jax(settings: Settings) -> None:
    """Makes the settings that JAX itself takes, and starts its backend.

    Raises:
      ProcessError: the platform is not there, or a backend already runs.
    """
    import jax  # here, not above: `prepare` has to run before JAX is imported

    from experiments import cache

    before = jax.config.jax_platforms
    try:
        if settings.simulated_devices is not None:
            jax.config.update("jax_num_cpu_devices", settings.simulated_devices)
        if settings.platform is not None:
            asked = ASKED.get(settings.platform, settings.platform)
            jax.config.update("jax_platforms", asked)
        if settings.allocator:
            # On the main thread, whose memory grows without end: that of any other is
            # made of pieces of 64 MB, and a larger arena is mapped anew at every call.
            jax.config.update("jax_cpu_enable_async_dispatch", False)
        if (found := jax.default_backend()) != (settings.platform or found):
            raise RuntimeError(f"JAX found {found} only")
    except RuntimeError as error:
        jax.config.update("jax_platforms", before)
        raise ProcessError(_why(settings, str(error))) from None
    _made["compilation_cache"] = cache.begin() if settings.compilation_cache else LEFT


def start_jax_anywhere(settings: Settings) -> None:
    """As `start_jax`, but the platform is a wish: JAX's own choice will do.

    Raises:
      ProcessError: no backend can be started.
    """
    try:
        start_jax(settings)
    except ProcessError:
        if settings.platform is None:
            raise
        start_jax(dataclasses.replace(settings, platform=None))
        import jax  # late, as above

        found = jax.default_backend()
        said = f"platform: no {settings.platform} here; computed on {found} instead."
        print(said, file=sys.stderr)


def seconds_since_start() -> float:
    """How long this process has run, its own start-up included; else since import."""
    try:
        # Field 22 of Linux's process table, counted in ticks since the machine started;
        # the name in field 2 may hold spaces, so count from its closing bracket.
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        born = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - born
    except (OSError, AttributeError, ValueError, IndexError):
        return time.monotonic() - _IMPORTED


def peak_bytes() -> int:
    """The most memory in use so far: of the device if it tells, else of the process.

    Of all runs of this process: a sweep that computes several has one peak for them.
    """
    import jax  # here for the same reason

    told = [device.memory_stats() or {} for device in jax.local_devices()]
    peaks = [each["peak_bytes_in_use"] for each in told if "peak_bytes_in_use" in each]
    if peaks:
        return max(peaks)
    return host_peak_bytes()


def host_peak_bytes() -> int:
    """The most memory of the machine that this process has had in use."""
    # Linux lets `getrusage` inherit the peak of whoever started the process.
    with contextlib.suppress(OSError):
        said = Path("/proc/self/status").read_text()
        if found := re.search(r"VmHWM:\s*(\d+) kB", said):
            return 1024 * int(found[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS


def children_peak_bytes() -> int:
    """The most memory that a process which this one started, and waited for, had."""
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak * _MAXRSS


def keep_memory() -> str:
    """Tells glibc's allocator to keep freed memory; says what it did."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return "no mallopt here"
    done = mallopt(M_MMAP_THRESHOLD, KEEP_MAPPED)
    done = mallopt(M_TRIM_THRESHOLD, KEEP_TRIMMED) and done
    return KEPT if done else "mallopt refused"


def append_xla_flags(flags: str) -> str:
    """Puts flags into XLA_FLAGS in front of the user's own; returns all of them.

    XLA takes the last of two equal flags, so what the user has set stays in force.

    Raises:
      ProcessError: a flag is unknown; XLA would abort the process on it.
    """
    own = os.environ.get("XLA_FLAGS", "")
    if not flags.strip():
        return own
    for flag in flags.split():
        _check_known(flag)
    if "jax" in sys.modules:
        print(
            "process: JAX is already imported, so xla_flags may come too late.",
            file=sys.stderr,
        )
    os.environ["XLA_FLAGS"] = f"{flags.strip()} {own}".strip()
    return os.environ["XLA_FLAGS"]


def _check_known(flag: str) -> None:
    """Refuses what does not look like a flag or is not written in jaxlib."""
    found = re.fullmatch(r"--(xla_[a-z0-9_]+)(=\S*)?", flag)
    if not found:
        raise ProcessError(
            f"process.xla_flags: expected --xla_name=value, got `{flag[:60]}`."
        )
    if not _is_in_jaxlib(found[1]):
        raise ProcessError(
            f"process.xla_flags: this jaxlib has no flag `--{found[1]}`; "
            "XLA would abort on it. Remove it or correct its name."
        )


def _is_in_jaxlib(name: str) -> bool:
    """Whether the name stands in a library of jaxlib, without loading it."""
    import jaxlib  # an empty package: it costs nothing and starts nothing

    for library in Path(jaxlib.__file__).parent.glob("*.so"):
        with (
            library.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            if content.find(name.encode()) >= 0:
                return True
    return False


def _why(settings: Settings, message: str) -> str:
    """One line for what JAX said about devices."""
    first = " ".join(message.split())[:200]
    if settings.platform not in (None, "cpu"):
        extra = {"gpu": "cuda"}.get(settings.platform, settings.platform)
        return (
            f"platform: no {settings.platform} can be used here ({first}). Install "
            f"the `{extra}` extra, or say platform=cpu or platform=null."
        )
    return f"process: JAX could not start its devices: {first}"
