"""The runs that a user means."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from experiments.errors import UserError

PLAN = "plan.json"  # in the directory of a sweep


def find_run(name: str | None, root: Path) -> Path:
    """The directory of a run given by path, by name or by the start of its name.

    Args:
      name: None means the run that was worked on last.
      root: the folder of all runs.

    Raises:
      UserError: there is none, or more than one.
    """
    if name is not None and (Path(name) / "manifest.json").is_file():
        return Path(name)
    there = sorted(each.parent for each in root.glob("*/manifest.json"))
    if not there:
        raise UserError(f"{root}: no runs yet. Start one with `attn train`.")
    if name is None:
        return max(there, key=lambda path: (path / "manifest.json").stat().st_mtime)
    found = meant(name, there, root)
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(each.name for each in found[:5])
        raise UserError(
            f"{name}: is the start of {len(found)} runs: {listed}. Say which."
        )
    raise UserError(f"{name}: no such run. {_others(name, there)}")


def is_start(name: str, run: Path, root: Path) -> bool:
    """Whether a name is that of a run or its start; one in another folder is not."""
    path = Path(name)
    is_here = path.parent == Path() or path.parent.resolve() == root.resolve()
    return is_here and path.name != "" and run.name.startswith(path.name)


def meant(name: str, there: Iterable[Path], root: Path) -> list[Path]:
    """The runs that a name is the start of; those that have it whole, if any do.

    `a` is the run `a-1bdf315b`, though `ab-2f15e1ab` is there.
    """
    found = [each for each in there if is_start(name, each, root)]
    whole = [each for each in found if each.name.rpartition("-")[0] == Path(name).name]
    return whole or found


def find_runs(names: Sequence[str], root: Path) -> list[Path]:
    """The directories of runs given by path, by folder, or by the start of a name.

    Args:
      names: none means all of the root; a folder of runs or a sweep means its runs.
      root: the folder of all runs.

    Raises:
      UserError: a name fits nothing.
    """
    if not names and not root.is_dir():
        raise UserError(f"{root}: no runs yet. Start one with `attn train`.")
    found = [path for name in names or [str(root)] for path in _runs_of(name, root)]
    return list(dict.fromkeys(found))


def _runs_of(name: str, root: Path) -> list[Path]:
    path = Path(name)
    here = root / path.name
    for each in (path, here) if is_start(name, here, root) else (path,):
        if (each / "manifest.json").is_file():
            return [each]
        if (each / PLAN).is_file():
            from experiments.sweep.index import read_index  # late, for start-up time

            return [run for run in read_index(each).runs() if run.is_dir()]
    there = sorted(each.parent for each in root.glob("*/manifest.json"))
    if path.is_dir() and (inner := sorted(path.glob("*/manifest.json"))):
        return [each.parent for each in inner]
    close = [each for each in there if is_start(name, each, root)]
    if close:
        return close
    if not there:
        raise UserError(f"{root}: no runs yet. Start one with `attn train`.")
    raise UserError(f"{name}: no such run. {_others(name, there)}")


def _others(name: str, there: list[Path]) -> str:
    from experiments.config import did_you_mean  # late: `attn --help` needs no config

    return did_you_mean(Path(name).name, [each.name for each in there[-9:]])
