"""A study of one's own: cases in a YAML file.

    suite: attention
    rounds: 7
    rivals: [jax.nn, torch]
    cases:
      - {spec: "causal & window(back=127)", length: 2048, batch: 1, backward: true}
      - {spec: causal, length: 2048, batch: 1, backward: true, rivals: [flex]}

A case has the fields of its work in `experiments.bench.work`, and may name its rivals.
"""

import dataclasses
from pathlib import Path
from typing import Any

from experiments.bench.asked import BACKENDS
from experiments.bench.cases import Case, Goal
from experiments.bench.fit import unfit
from experiments.bench.race import AGREE, Rules
from experiments.bench.rivals import CONTENDERS
from experiments.bench.work import KINDS, Work
from experiments.config import ConfigError, did_you_mean
from experiments.config.errors import Fault, show
from experiments.config.origin import Origin, Origins
from experiments.config.origin import Path as Place
from experiments.config.source import read_tree

SHORTEST = 0.01  # seconds of a turn
WORDS = {
    int: "a whole number of at least 1",
    float: f"a number of at least {SHORTEST}",
    bool: "true or false",
    str: "a text",
    tuple: "a list of texts",
}
WRITTEN = {float: (float, int), tuple: (list,)}  # in YAML, where not as it is here
NAMED = {"backend": BACKENDS, "dtype": tuple(AGREE)}  # key -> what it may be
KEYS = ("suite", "cases", "rivals", "rounds", "burst", "threads", "allocator")
NONE_OF = ("documents", "below")  # keys whose 0 says that there is none


def read_study(path: Path, rules: Rules) -> tuple[str, list[Case], Rules]:
    """The suite, the cases and the rules of a file.

    Args:
      path: of the file.
      rules: where the file says nothing.

    Raises:
      ConfigError: a fault, at its line; or no text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError([Fault("not UTF-8 text.", str(path))]) from None
    tree = read_tree(text, lambda line: Origin(f"{path}:{line}", 0, line))
    study = Study(tree.data, Origins(tree.origins, str(path)))
    if tree.faults:
        raise ConfigError(tree.faults)
    return study.suite(), study.cases(), study.rules(rules)


class Study:
    """A file as it was read.

    Args:
      data: its mapping.
      origins: where each value stands.
    """

    def __init__(self, data: Any, origins: Origins):
        self.data, self.origins = data, origins
        if not isinstance(data, dict):
            raise self.fault((), "expected `suite:` and `cases:`.")
        self.known(data, KEYS, ())

    def suite(self) -> str:
        """Its suite.

        Raises:
          ConfigError: there is none of that name.
        """
        name = self.data.get("suite")
        if not isinstance(name, str) or name not in CONTENDERS:
            hint = did_you_mean(str(name), CONTENDERS)
            raise self.fault(("suite",), f"unknown suite {show(name)}. {hint}")
        return name

    def rules(self, rules: Rules) -> Rules:
        """Rounds and the rest; what the file does not say stays.

        Raises:
          ConfigError: a value of another type.
        """
        said = {k: x for k, x in self.data.items() if k in KEYS[3:]}
        for key, value in said.items():
            self.like(value, getattr(rules, key), (key,))
        return dataclasses.replace(rules, **said)

    def cases(self) -> list[Case]:
        """Its cases.

        Raises:
          ConfigError: there are none, or one has a fault.
        """
        cases = self.data.get("cases")
        if not isinstance(cases, list) or not cases:
            raise self.fault(("cases",), "expected a list of at least one case.")
        found = [self.case(each, ("cases", n)) for n, each in enumerate(cases)]
        first: dict[str, int] = {}
        for n, each in enumerate(found):
            if (other := first.setdefault(each.work.label, n)) != n:
                message = f"is cases[{other}] again; keep one."
                raise self.fault(("cases", n), message)
        return found

    def case(self, said: Any, place: Place) -> Case:
        """One case.

        Raises:
          ConfigError: an unknown key, or a value of another type.
        """
        suite = self.suite()
        kind = KINDS[suite]
        defaults = kind()
        if not isinstance(said, dict):
            raise self.fault(place, f"expected a mapping, got {show(said)}.")
        fields = [each.name for each in dataclasses.fields(kind)]
        self.known(said, [*fields, "rivals"], place)
        values = {k: x for k, x in said.items() if k != "rivals"}
        for key, value in values.items():
            self.like(value, getattr(defaults, key), (*place, key))
            self.among(value, (*place, key))
            values[key] = tuple(value) if isinstance(value, list) else value
        here = place if "rivals" in said else ()
        rivals = said.get("rivals", self.data.get("rivals", []))
        self.check_rivals(rivals, suite, (*here, "rivals"))
        work = kind(**values)
        self.check_work(work, (*place, "spec") if "spec" in said else place)
        return Case(work, tuple(map(Goal, rivals)), brief=True)

    def check_work(self, work: Work, place: Place) -> None:
        """Refuses notation that cannot be read, and what its process would refuse."""
        try:
            reason = unfit(work)
        except ValueError as error:
            reason = str(error).rstrip(".")
        if reason:
            stop = "" if reason.endswith("?") else "."
            raise self.fault(place, f"{reason}{stop}")

    def check_rivals(self, rivals: Any, suite: str, place: Place) -> None:
        """Refuses what is no list of names of the suite's rivals."""
        if not isinstance(rivals, list):
            raise self.fault(place, f"expected a list of names, got {show(rivals)}.")
        names = [name for name in CONTENDERS[suite] if name != "ours"]
        for name in rivals:
            if name not in names:
                hint = did_you_mean(str(name), names)
                raise self.fault(place, f"unknown rival {show(name)}. {hint}")
            if rivals.count(name) > 1:
                raise self.fault(place, f"has {show(name)} twice; keep one.")

    def known(self, said: dict[str, Any], keys: Any, place: Place) -> None:
        """Refuses a key that means nothing."""
        for key in said:
            if key not in keys:
                hint = did_you_mean(key, keys)
                raise self.fault((*place, key), f"unknown key. {hint}")

    def like(self, value: Any, default: Any, place: Place) -> None:
        """Refuses a value of another type than the default's, and sizes below 1."""
        wanted = type(default)
        if default is None:
            wanted = {"threads": int, "allocator": bool}[str(place[-1])]
        is_fine = type(value) in WRITTEN.get(wanted, (wanted,))
        if is_fine and wanted is tuple:
            is_fine = all(isinstance(each, str) for each in value)
        elif is_fine and wanted in (int, float):
            least = SHORTEST if wanted is float else 1
            is_fine = value >= least or (value == 0 and place[-1] in NONE_OF)
        if not is_fine:
            raise self.fault(place, f"expected {WORDS[wanted]}, got {show(value)}.")

    def among(self, value: Any, place: Place) -> None:
        """Refuses a name that is none of the few of its key."""
        known = NAMED.get(str(place[-1]))
        if known is not None and value not in known:
            hint = did_you_mean(value, known)
            raise self.fault(place, f"unknown {place[-1]} {show(value)}. {hint}")

    def fault(self, place: Place, message: str) -> ConfigError:
        """The error for a place."""
        return ConfigError([self.origins.fault(place, message)])
