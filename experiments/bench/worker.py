"""A process that holds one contender and does what it is told, a JSON line each.

    python -m experiments.bench.worker '{"target": "module:function", "work": {...}}'

It answers on its standard output with one line for each; whatever libraries print goes
to standard error.
"""

import gc
import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from experiments import process
from experiments.bench.contender import Contender, Refused, cores
from experiments.bench.work import read
from experiments.errors import UserError


def main() -> None:
    """Prepares the contender, then answers until its input ends."""
    order = json.loads(sys.argv[1])
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        contender, facts = prepare(order)
    except Exception as error:
        answer(channel, {"refused": reason(error)})
        return
    answer(channel, facts)
    for line in sys.stdin:
        wanted = json.loads(line)
        try:
            if wanted["do"] == "begin":
                contender = begin(order["target"], wanted["work"])
                answer(channel, {})
                continue
            answer(channel, VERBS[wanted.pop("do")](contender, **wanted))
        except Exception as error:
            answer(channel, {"refused": reason(error)})


def answer(channel: TextIO, said: dict[str, Any]) -> None:
    """Writes one line."""
    channel.write(json.dumps(said) + "\n")


def reason(error: Exception) -> str:
    """One line for the table."""
    text = " ".join(str(error).split())[:300]
    if isinstance(error, (UserError, Refused)):
        return text
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed; pip install 'attn[rivals]'"
    return f"{type(error).__name__}: {text}"


def prepare(order: dict[str, Any]) -> tuple[Contender, dict[str, Any]]:
    """The contender after its first call, and what is known of it.

    All of a run have the same threads and, if the run asks for it, an allocator that
    keeps freed memory, whatever library they use.
    """
    allocator = settle(order.get("threads"), bool(order.get("allocator")))
    before = process.host_peak_bytes()
    module, _, name = order["target"].partition(":")
    start = time.perf_counter()
    function = getattr(importlib.import_module(module), name)
    if order.get("allocator") and "jax" in sys.modules:  # as our runner starts it
        process.start_jax(process.Settings())
    given = order.get("given")
    arrays = dict(np.load(given)) if given else {}
    work = read(order["work"])
    contender = function(work, arrays)
    called = time.perf_counter()
    contender.call()
    facts = {
        "start_seconds": called - start,
        "first_call_seconds": time.perf_counter() - called,
        "peak_bytes": max(process.host_peak_bytes(), process.children_peak_bytes()),
        "peak_before_bytes": before,
        "units": contender.units,
        "can_profile": contender.profile is not None,
        "seeds": work.seeds,
        **settings(allocator),
        **contender.facts,
    }
    return contender, facts


def begin(target: str, work: dict[str, Any]) -> Contender:
    """Other work of the same target, in a process that has its library already."""
    module, _, name = target.partition(":")
    contender = getattr(importlib.import_module(module), name)(read(work), {})
    contender.call()
    return contender


def settle(threads: int | None, allocator: bool) -> str:
    """Threads by affinity, which every library reads, no cache, and the allocator.

    Returns:
      What was done with the allocator.
    """
    # Before JAX comes: every compilation is timed from nothing, so no hit is recorded.
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    if threads and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    process.prepare(process.Settings(allocator=allocator))
    return str(process.made()["allocator"])


def settings(allocator: str) -> dict[str, Any]:
    """What this process really has: a contender may have made settings of its own.

    Args:
      allocator: what was done with it before the contender came.

    Returns:
      `cores` it may use, `torch_threads` if torch is here, `allocator`.
    """
    made: dict[str, Any] = {"cores": cores(), "allocator": allocator}
    if allocator == process.LEFT:
        made["allocator"] = process.made().get("allocator", allocator)
    if torch := sys.modules.get("torch"):
        made["torch_threads"] = torch.get_num_threads()
    return made


def check(contender: Contender, path: str, given: str) -> dict[str, Any]:
    """Writes the outputs that must agree, and what others need for the same work."""
    np.savez(path, *[np.asarray(each) for each in contender.outputs()])
    arrays: dict[str, Any] = dict(contender.given())
    np.savez(given, **arrays)
    return {}


def run(contender: Contender, seconds: float, least: int = 3) -> dict[str, Any]:
    """Times calls for a while, after one that warms up if there are several.

    Returns:
      `times`, seconds of each call, `faults` minor page faults and `cpu` seconds of
      the processor, both of a call, and what is known `after` them.
    """
    if least > 1:
        contender.call()
    gc.collect()
    gc.disable()
    before = resource.getrusage(resource.RUSAGE_SELF)
    times = samples(contender.call, seconds, least)
    after = resource.getrusage(resource.RUSAGE_SELF)
    gc.enable()
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    faults = after.ru_minflt - before.ru_minflt
    return {
        "times": times,
        "faults": faults / len(times),
        "cpu": used / len(times),
        "after": dict(contender.after()),
    }


def samples(
    call: Callable[..., Any],
    seconds: float,
    least: int,
    *,
    prepare: Callable[[], tuple] = tuple,
) -> list[float]:
    """Seconds of each call until the time is over.

    Args:
      call: what is timed.
      seconds: after which no other call begins.
      least: calls that are timed in any case.
      prepare: makes the arguments of a call, which is not timed.
    """
    times: list[float] = []
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline or len(times) < least:
        args = prepare()
        start = time.perf_counter()
        call(*args)
        times.append(time.perf_counter() - start)
    return times


def profile(contender: Contender, folder: str) -> dict[str, Any]:
    """Writes a trace and returns its table."""
    if contender.profile is None:
        raise Refused("this contender writes no trace.")
    return {"text": contender.profile(Path(folder))}


VERBS: dict[str, Callable[..., dict[str, Any]]] = {
    "check": check,
    "run": run,
    "profile": profile,
}

if __name__ == "__main__":
    main()
