"""How fast programs ran on this machine, kept beside the runs: `runs/.pace.json`.

A pace belongs to a program, to a way of computing it and to a machine. It is noted
after every job, so that the next plan can say how long it will take.
"""

import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import storage
from experiments.manifest import cores, version

if TYPE_CHECKING:
    from experiments.sweep.plan import Part

FILE = ".pace.json"
START = 4.0  # seconds until a new process has imported JAX
RUN = 1.0  # and of a run beside its steps: its folder, first state and checkpoint
WORTH = 0.6  # lanes have to save that much, or runs are computed one after the other


@dataclass(frozen=True)
class Way:
    """How runs of one program are computed.

    Args:
      workers: processes at once, each on its share of the cores.
      lanes: runs side by side in one process; 1 is one after the other.
    """

    workers: int = 1
    lanes: int = 1

    def words(self) -> str:
        """For a reader."""
        turn = "one after the other"
        how = turn if self.lanes == 1 else f"{self.lanes} side by side in a program"
        return how if self.workers == 1 else f"{how} in {self.workers} processes"


@dataclass
class Paces:
    """Seconds per step by program and way.

    Args:
      path: the file.
      table: key to {"step": seconds a step and run, "overhead": seconds to compile}.
    """

    path: Path
    table: dict[str, dict[str, float]]

    @classmethod
    def read(cls, root: Path) -> "Paces":
        """What is known; a damaged file is no loss."""
        path = root / FILE
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            table = {}
        good = isinstance(table, dict)
        return cls(path, {k: v for k, v in table.items() if _good(v)} if good else {})

    def seconds(self, part: "Part", way: Way) -> float | None:
        """How long one worker needs for a part; None if nothing is known.

        A program that never ran is taken to be as fast as the others of its way.
        """
        known = self.table.get(_key(part.program, way))
        if known is None:
            end = _key("", way)
            like = [v for k, v in self.table.items() if k.endswith(end)]
            if not like:
                return None
            known = {k: sum(v[k] for v in like) / len(like) for k in like[0]}
        return known["overhead"] + RUN * len(part.runs) + known["step"] * part.cost

    def note(self, program: str, way: Way, *, step: float, overhead: float) -> None:
        """Keeps a measurement; the file is read anew, as another sweep may run."""
        self.table = Paces.read(self.path.parent).table | self.table
        self.table[_key(program, way)] = {"step": step, "overhead": overhead}
        text = storage.to_json(self.table, indent=1)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        storage.write_atomic(self.path, text + "\n")

    def fastest(self, program: str) -> tuple[Way, float] | None:
        """The way that was fastest of those compared, and its share of the slow one.

        Lanes count only where they take at most 0.6 of the time of one after the
        other; None if the ways have not been compared.
        """
        found: dict[Way, float] = {}
        for key, value in self.table.items():
            name, workers, lanes, *_ = key.split("|")
            way = Way(int(workers), int(lanes))
            if name == program and key == _key(program, way):
                found[way] = value["step"] / way.workers
        alone = found.get(Way(1, 1))
        if alone is None or len(found) < 2:
            return None
        shares = {way: time / alone for way, time in found.items()}
        worth = {w: s for w, s in shares.items() if w.lanes == 1 or s <= WORTH}
        best = min(worth, key=lambda way: worth[way])
        return best, worth[best]


def _key(program: str, way: Way) -> str:
    machine = f"{socket.gethostname()}|{cores()}|{version('jaxlib')}"
    return f"{program}|{way.workers}|{way.lanes}|{machine}"


def _good(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(value.get(key), (int, float)) for key in ("step", "overhead")
    )
