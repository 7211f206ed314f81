"""What a sweep leaves behind: which runs belong to it, and what they are called there.

runs/<name>-<hash8>.sweep/plan.json   the runs, their variants, tasks and tuned values
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments import folder, storage
from experiments.config import config_hash
from experiments.config.many import Many, Point
from experiments.config.sweeps import Study
from experiments.errors import UserError
from experiments.goals import goal_of
from experiments.run import directory

SUFFIX, FILE = ".sweep", "plan.json"


@dataclass(frozen=True)
class Entry:
    """One run of a sweep.

    Args:
      run: the name of its directory.
      variant: what is compared.
      task: the name of the task in a study; empty in a sweep.
      tuned: dotted key to the value among which the best is chosen.
    """

    run: str
    variant: str
    task: str = ""
    tuned: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Index:
    """A sweep or a study on disk.

    Args:
      path: its directory.
      kind: sweep or study.
      title: for the reader.
      metric: what is compared first.
      goal: min or max.
      reference: the variant that others are tested against.
      entries: its runs.
    """

    path: Path
    kind: str
    title: str
    metric: str
    goal: str
    reference: str
    entries: tuple[Entry, ...]

    @property
    def name(self) -> str:
        """The name of its directory."""
        return self.path.name

    def runs(self) -> list[Path]:
        """The directories of its runs, in order."""
        return [self.path.parent / entry.run for entry in self.entries]

    def write(self) -> None:
        """Puts it on disk."""
        self.path.mkdir(parents=True, exist_ok=True)
        record = {
            "format": 1,
            **{k: getattr(self, k) for k in ("kind", "title", "metric", "goal")},
            "reference": self.reference,
            "runs": [
                {"run": e.run, "variant": e.variant, "task": e.task, "tuned": e.tuned}
                for e in self.entries
            ],
        }
        text = storage.to_json(record, indent=1)
        storage.write_atomic(self.path / FILE, text + "\n")


def index_of(many: Many, points: Sequence[Point], root: Path) -> Index:
    """The index of a sweep: its name says which runs are in it."""
    plan = many.plan
    hashes = [config_hash(point.config) for point in points]
    if getattr(plan, "mode", "grid") != "grid":  # its points are not known beforehand
        hashes = [config_hash(many.base), plan.model_dump_json()]
    digest = hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    is_study = isinstance(plan, Study)
    first = next(iter(plan.variants)) if is_study else ""
    entries = [
        Entry(directory(p.config, root).name, p.variant, p.task, dict(p.tuned))
        for p in points
    ]
    return Index(
        path=folder.inside(root, f"{many.base.name}-{digest[:8]}{SUFFIX}"),
        kind="study" if is_study else "sweep",
        title=(plan.title if is_study else "") or many.base.name,
        metric=plan.metric,
        goal=goal_of(plan.metric, plan.goal),
        reference=(plan.reference if is_study else None) or first,
        entries=tuple(entries),
    )


def read_index(path: Path) -> Index:
    """The sweep in a directory.

    Raises:
      UserError: it is damaged.
    """
    try:
        data = json.loads((path / FILE).read_text(encoding="utf-8"))
        entries = tuple(
            Entry(folder.check_name(e["run"]), e["variant"], e["task"], e["tuned"])
            for e in data["runs"]
        )
        said = {k: data[k] for k in ("kind", "title", "metric", "goal", "reference")}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise UserError(
            f"{path}: its {FILE} is missing or damaged; run the sweep again, what is"
            " done is not computed anew."
        ) from None
    return Index(path=path, entries=entries, **said)


def is_index(path: Path) -> bool:
    """Whether a directory is that of a sweep."""
    return (path / FILE).is_file()
