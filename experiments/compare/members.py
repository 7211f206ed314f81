"""Which runs are meant, and what each is called in a comparison."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from experiments.config import Config, config_hash, did_you_mean, load
from experiments.config.drafts import show_value
from experiments.config.errors import show
from experiments.config.show import inert
from experiments.errors import UserError
from experiments.find import is_start, meant
from experiments.folder import MANIFEST
from experiments.records import Damaged, RunRecord, read_runs
from experiments.shipped import find_config
from experiments.sweep.index import Index, is_index, read_index
from experiments.sweep.traced import put
from experiments.variants import WATCHED

SAID = 3  # keys of a label; with more a name says it better
# What tells nothing apart, or follows from the task.
UNSAID = ("seed", "sample.prompt", "data.context")


@dataclass(frozen=True)
class Member:
    """One run of a comparison.

    Args:
      record: the run.
      variant: what is compared.
      task: what it learns, in words.
      tuned: the values among which the best is chosen.
    """

    record: RunRecord
    variant: str
    task: str
    tuned: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        """Of the run."""
        return self.record.config.seed


@dataclass(frozen=True)
class Found:
    """What the words of a command line came to.

    Args:
      members: the runs that can be read and are done.
      damaged: those that cannot be read.
      left_out: run name to status, of those that are not done.
      index: the study or sweep, if there is one and nothing else.
    """

    members: tuple[Member, ...]
    damaged: tuple[Damaged, ...]
    left_out: Mapping[str, str]
    index: Index | None = None


def find(words: Sequence[str], root: Path, best_of: Sequence[str] = ()) -> Found:
    """The runs that words name: runs, sweeps, studies or configs.

    Args:
      words: paths or names; a config means all its runs, whatever their seeds.
      root: the folder of all runs.
      best_of: keys of a sweep whose best value counts.

    Raises:
      UserError: a word names nothing, or no run at all is done.
    """
    indexes, paths = [], []
    for word in words:
        at = _directory(word, root)
        if at is None:
            paths += _of_config(word, root)
        elif is_index(at):
            indexes.append(read_index(at))
            paths += indexes[-1].runs()
        else:
            paths.append(at)
    there = [each for each in dict.fromkeys(paths) if each.is_dir()]
    records, damaged = read_runs(there)
    done = [each for each in records if each.status == "done" and each.result]
    left = {each.name: each.status for each in records if each not in done}
    left |= {each.name: "not begun" for each in paths if each not in there}
    if not done:
        raise UserError(
            f"attn compare: no run is done yet ({_summary(left, damaged)})."
        )
    alone = indexes[0] if len(indexes) == 1 and len(words) == 1 else None
    members = _called(done, indexes, best_of)
    return Found(tuple(members), tuple(damaged), left, alone)


def _summary(left: Mapping[str, str], damaged: Sequence[Damaged]) -> str:
    counts = [f"{name} {status}" for name, status in list(left.items())[:3]]
    counts += [f"{each.name} damaged" for each in damaged[:3]]
    return ", ".join(counts) or "there is none"


def _directory(word: str, root: Path) -> Path | None:
    """The run or sweep that a word names; None if it looks like a config."""
    path = Path(word)
    if (path / MANIFEST).is_file() or is_index(path):
        return path
    there = [each for each in sorted(root.glob("*")) if each.is_dir()]
    close = meant(word, there, root)
    exact = [x for x in there if x.name == path.name and is_start(word, x, root)]
    if exact:
        return exact[0]
    if find_config(word).is_file():
        return None
    if len(close) == 1:
        return close[0]
    if close:
        listed = ", ".join(each.name for each in close[:5])
        raise UserError(f"{word}: is the start of {len(close)} runs: {listed}.")
    hint = did_you_mean(path.name, [each.name for each in there[-9:]])
    raise UserError(f"{word}: no such run, sweep or config. {hint}")


def _of_config(word: str, root: Path) -> list[Path]:
    """All runs of a config on disk, whatever their seed.

    Raises:
      UserError: there is none.
    """
    config = load(find_config(word))
    wanted = without_seed(config)
    records, _ = read_runs(each.parent for each in sorted(root.glob(f"*/{MANIFEST}")))
    found = [each.path for each in records if without_seed(each.config) == wanted]
    if found:
        return found
    alike = [each.name for each in records if each.config.name == config.name]
    hint = f" Of other values there are {', '.join(alike[:5])}." if alike else ""
    raise UserError(
        f"{word}: no runs of it in {root}.{hint} Train some: attn train {word}"
    )


def without_seed(config: Config, *keys: str) -> str:
    """The hash of a config whatever its seed, and whatever some other values."""
    same = dict.fromkeys(keys, "any")  # the hash looks at no types
    return config_hash(put(config, {**same, "seed": 0}))


def _called(
    records: Sequence[RunRecord], indexes: Sequence[Index], best_of: Sequence[str]
) -> list[Member]:
    """The runs with their names: those of a study, else what tells them apart."""
    entries = {
        entry.run: (index, entry) for index in indexes for entry in index.entries
    }
    if all(each.name in entries for each in records) and all(
        index.kind == "study" for index, _ in entries.values()
    ):
        if best_of:
            raise UserError(
                "attn compare: --best-of means nothing for a study, which says what"
                " is tuned; leave it out."
            )
        return [
            Member(each, entry.variant, entry.task or task_of(each), entry.tuned)
            for each in records
            for _, entry in [entries[each.name]]
        ]
    return told_apart(records, best_of)


def told_apart(records: Sequence[RunRecord], best_of: Sequence[str]) -> list[Member]:
    """Runs named by the values in which they differ, seeds and tuned values apart.

    Raises:
      UserError: a tuned key is none of their configs.
    """
    known = dict.fromkeys(key for each in records for key in each.flat)
    for key in best_of:
        if key not in known:
            hint = did_you_mean(key, known)
            raise UserError(f"attn compare: --best-of has no key `{key[:40]}`. {hint}")
    made = [
        Member(each, "", task_of(each), {key: each.flat.get(key) for key in best_of})
        for each in records
    ]
    hidden = {*unsaid(), *best_of}
    differing = [
        key
        for key in known
        if key not in hidden
        and not key.startswith("data.options.")
        and len({str(each.flat.get(key)) for each in records}) > 1
    ]
    if len({each.task for each in made}) > 1:
        differing = [key for key in differing if key != "data.kind"]
    learned = [key for key in differing if not key.startswith(WATCHED)]
    found = _labelled(made, learned)
    return found if _each_once(found) else _labelled(made, differing)


def unsaid() -> set[str]:
    """The keys that tell nothing apart: they change nothing that is computed."""
    return {*UNSAID, *(".".join(path) for path in inert())}


def _labelled(members: Sequence[Member], keys: Sequence[str]) -> list[Member]:
    return [replace(each, variant=_label(each.record, keys)) for each in members]


def _each_once(members: Sequence[Member]) -> bool:
    """Whether no two are the same seed of one variant, task and tuned value."""
    known = {(x.task, x.variant, x.seed, str(x.tuned)) for x in members}
    return len(known) == len(members)


def _label(record: RunRecord, keys: Iterable[str]) -> str:
    """`mask=causal`; the run's own name where it takes too many words."""
    keys = list(keys)
    if not keys or len(keys) > SAID:
        return record.config.name if not keys else record.name
    last = [key.rpartition(".")[2] for key in keys]
    short = last if len(set(last)) == len(last) else keys
    values = [show_value(record.flat.get(key)) for key in keys]
    return ", ".join(f"{k}={v}" for k, v in zip(short, values, strict=True))


def task_of(record: RunRecord) -> str:
    """What a run learns, `induction length=32 symbols=16`; equal if it is the same."""
    data = record.config.data
    options = " ".join(f"{key}={value}" for key, value in data.options.items())
    if data.kind != "text":
        return f"{data.kind} {options}".strip()
    text = f"text {data.path or record.derived.source} {data.vocabulary}"
    return f"{text}, documents by {show(data.documents)}" if data.documents else text
