"""A profile without a viewer: which operations of a compiled program take the time.

with recorded(folder):
    for _ in range(10):
        jax.block_until_ready(step(*args))
print(table(top_operations(folder, step.lower(*args).compile().as_text(), calls=10)))
"""

import contextlib
import re
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
from jax.profiler import ProfileData

from experiments.errors import UserError

TRACES = "**/*.xplane.pb"
CONTAINERS = ("while", "call", "conditional", "tuple", "get-tuple-element")
SHOWN = 12
LINE = re.compile(r"^\s*(?:ROOT )?%?(?P<name>[\w.-]+) = (?P<rest>.*)$", re.MULTILINE)
SOURCE = re.compile(r'op_name="([^"]*)"')
KIND = re.compile(r"\s([a-z][\w-]*)\(")


@dataclass(frozen=True)
class Operation:
    """Operations of the optimized program that are alike, over all calls and threads.

    A model of many layers has the same operation in each: alone none of them tells
    where the time goes.

    Args:
      name: in the program, as `fusion.3`; of several, what their names begin with.
      kind: of the instruction, as `dot`; empty where the program was not given.
      shape: of its result, likewise.
      source: the JAX operation that it comes from, likewise.
      seconds: of all threads together, a call.
      count: how often they ran, a call.
      share: of the time of all operations.
    """

    name: str
    kind: str
    shape: str
    source: str
    seconds: float
    count: float
    share: float


@contextlib.contextmanager
def recorded(folder: Path) -> Iterator[Path]:
    """Writes what runs inside as a trace that TensorBoard and Perfetto read, too."""
    folder.mkdir(parents=True, exist_ok=True)
    with jax.profiler.trace(str(folder)):
        yield folder


def top_operations(
    folder: Path, program: str = "", *, calls: int = 1, most: int = SHOWN
) -> list[Operation]:
    """The operations that took the most time, first the most.

    Args:
      folder: where a trace lies; the newest counts.
      program: the optimized HLO, which says what an operation is.
      calls: of the program while it was traced; numbers are of one call.
      most: how many.

    Raises:
      UserError: there is no trace.
    """
    spent, counts = _by_operation(_newest(folder))
    told = {found["name"]: found["rest"] for found in LINE.finditer(program)}
    # A loop's own event spans those of its body, which are there by themselves.
    names = [name for name in spent if _stem(name) not in CONTAINERS]
    whole = sum(spent[name] for name in names) or 1.0
    found = []
    for (stem, *what), members in _alike(names, told).items():
        seconds = sum(spent[name] for name in members)
        found.append(
            Operation(
                members[0] if len(members) == 1 else stem,
                *what,
                seconds=seconds / calls,
                count=sum(counts[name] for name in members) / calls,
                share=seconds / whole,
            )
        )
    return sorted(found, key=lambda each: -each.seconds)[:most]


def _alike(names: Sequence[str], told: dict[str, str]) -> dict[tuple, list[str]]:
    """Names by stem, kind, shape and source; one that the program lacks is alone."""
    groups = defaultdict(list)
    for name in names:
        stem = _stem(name) if name in told else name
        groups[(stem, *_told(told.get(name, "")))].append(name)
    return groups


def _stem(name: str) -> str:
    """A name without the number that tells it from others."""
    return re.sub(r"[\d.]+$", "", name)


def _newest(folder: Path) -> Path:
    found = sorted(folder.glob(TRACES), key=lambda path: path.stat().st_mtime)
    if not found:
        raise UserError(f"{folder}: no trace here; expected a file {TRACES}.")
    return found[-1]


def _by_operation(path: Path) -> tuple[dict[str, float], dict[str, int]]:
    """Seconds and counts of every operation of a trace."""
    spent: dict[str, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    with warnings.catch_warnings():
        # jax 0.12 makes a type here that Python 3.13 finds old-fashioned.
        warnings.simplefilter("ignore", DeprecationWarning)
        _read(path, spent, counts)
    return spent, counts


def _read(path: Path, spent: dict[str, float], counts: dict[str, int]) -> None:
    for plane in ProfileData.from_file(str(path)).planes:
        for line in plane.lines:
            for event in line.events:
                name = dict(event.stats).get("hlo_op")
                if name is not None:
                    spent[str(name)] += event.duration_ns * 1e-9
                    counts[str(name)] += 1


def _told(rest: str) -> tuple[str, str, str]:
    """Kind, shape and source of an instruction of the program."""
    kind, source = KIND.search(rest), SOURCE.search(rest)
    shape = rest.split("{")[0].split(" ")[0]
    return kind[1] if kind else "", shape, source[1] if source else ""


def table(operations: Sequence[Operation]) -> str:
    """Lines for a terminal."""
    lines = [f"{'share':>6} {'ms':>9} {'times':>6}  operation"]
    for each in operations:
        source = "/".join(each.source.split("/")[-2:])
        what = "  ".join(filter(None, (each.name, each.shape, source)))
        lines.append(
            f"{each.share:6.1%} {1e3 * each.seconds:9.3f} {each.count:6.0f}  {what}"
        )
    return "\n".join(lines)
