"""Contenders that need no library: they sleep for a given time, or misbehave.

Asleep they need no processor, so that a loaded machine disturbs them little.
"""

import dataclasses
import os
import pathlib
import tempfile
import time

import numpy as np

from experiments.bench.contender import Contender, Refused

SECONDS = 10e-3  # 5% of it are more than a sleeper oversleeps


def _contender(seconds, value=1.0):
    def outputs():
        return [np.full(3, value)]

    given = lambda: {"weights": np.full(2, 7.0)}  # noqa: E731
    return Contender(
        lambda: time.sleep(seconds), outputs, {"kernel": "sleep"}, given=given
    )


def ours(work, given):
    assert not given or given["weights"].tolist() == [7, 7]  # given: as the control
    return _contender(SECONDS)


def same(work, given):
    assert given["weights"].tolist() == [7, 7]
    return _contender(SECONDS)


def slower(work, given):
    return _contender(1.05 * SECONDS)


def wrong(work, given):
    return _contender(SECONDS, value=1.001)


def nan_second(work, given):
    """Right in its first output, as a forward pass before broken gradients."""
    outputs = lambda: [np.ones(3), np.array([1.0, np.nan])]  # noqa: E731
    return dataclasses.replace(_contender(SECONDS), outputs=outputs)


_PROCESSES = []


def same_process(work, given):
    """Refuses a second process for another kind of ceiling."""
    if work.kind != "matmul" and not _PROCESSES:
        raise Refused("this process is new")
    _PROCESSES.append(work.kind)
    return _contender(SECONDS)


def no_exponentials(work, given):
    if work.kind == "exp":
        raise Refused("it has no exp")
    return _contender(SECONDS)


def unable(work, given):
    raise Refused("it has no such kernel")


def missing(work, given):
    import no_such_library  # noqa: F401


def dying(work, given):
    made = _contender(SECONDS)
    return Contender(lambda: os._exit(3), made.outputs)


def no_profile(work, given):
    made = _contender(SECONDS)

    def profile(folder):
        raise OSError("no room for a trace")

    return dataclasses.replace(made, profile=profile)


def dying_as_control(work, given):
    return _contender(SECONDS) if not given else dying(work, given)


def dying_in_a_turn(work, given):
    calls = []
    made = _contender(SECONDS)

    def call():
        calls.append(1)
        if len(calls) > 5:
            os._exit(3)

    return dataclasses.replace(made, call=call)


def failing_later(work, given):
    calls = []

    def call():
        calls.append(1)
        if len(calls) > 3:
            raise MemoryError("all gone")

    return Contender(call, lambda: [np.ones(3)])


def _bear(path):
    """A child that outlives a careless parent; it holds the parent's pipe, too."""
    if (child := os.fork()) == 0:
        time.sleep(60)
        os._exit(0)
    pathlib.Path(path).write_text(str(child))


def hanging(work, given):
    _bear(work.kind)
    time.sleep(60)


def running(work, given):
    """A run of a minute in a process of its own, as a recipe is."""
    return Contender(lambda: (_bear(work.kind), os.wait()), list)


def littering(work, given):
    """Leaves a temporary file, and its name at `kind` once both are there."""
    path = pathlib.Path(tempfile.mkdtemp()) / "file"
    path.write_text("left")
    place = pathlib.Path(work.kind)
    place.with_suffix(".new").write_text(str(path))
    place.with_suffix(".new").rename(place)
    time.sleep(60)


def dying_childbearer(work, given):
    _bear(work.kind)
    os._exit(3)
