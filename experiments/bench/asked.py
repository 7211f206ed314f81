"""From the words of a command line to cases."""

import re
from dataclasses import dataclass, replace

from experiments.bench.cases import SUITES, Case, Goal, of_suite
from experiments.bench.fit import per_token, unfit
from experiments.bench.rivals import CONTENDERS
from experiments.bench.work import AttentionWork, LayerWork
from experiments.config import did_you_mean
from experiments.errors import UserError

DOCUMENTS = 8  # of a spec that asks for some, as in the table's own case
BACKENDS = ("auto", "dense", "blockwise", "fused", "pallas")
FORM = re.compile(r"[1-9][0-9]{0,7}(x[1-9][0-9]{0,7}){3}")


@dataclass(frozen=True)
class Asked:
    """What `attn bench` was asked for; None and empty mean the table's own.

    Args:
      suite: attention, layer, step, compile, recipe or flash_grid.
      only: part of the labels.
      everything: cases that are not brief, too.
      spec, shape, backend: of one attention case instead of the table's.
      rivals: names with commas between.
    """

    suite: str
    only: str = ""
    everything: bool = False
    spec: str | None = None
    shape: str | None = None
    backend: str = "auto"
    rivals: str | None = None


def chosen(asked: Asked) -> list[Case]:
    """The cases to measure.

    Raises:
      UserError: an unknown word, or no case is left.
    """
    check_suite(asked.suite, "list", "diff")
    everything = asked.everything or bool(asked.only)
    cases = of_suite(asked.suite, everything=everything)
    if asked.spec is not None or asked.shape is not None:
        cases = own(asked)
    if asked.rivals is not None:
        goals = named(asked)
        cases = [replace(each, goals=wished(each, goals)) for each in cases]
    if asked.backend != "auto":
        check_backend(asked)
        cases = [
            replace(each, work=replace(each.work, backend=asked.backend))
            for each in cases
        ]
    found = [each for each in cases if asked.only in each.work.label]
    if not found:
        raise UserError(
            f"attn bench: no case of {asked.suite} contains {asked.only[:60]!r};"
            " see `attn bench list`."
        )
    return found


def check_suite(name: str, *others: str) -> None:
    """Refuses a word that is no suite.

    Args:
      name: the word.
      *others: words that may have been meant, too.

    Raises:
      UserError: in one line.
    """
    if name not in SUITES:
        hint = did_you_mean(name, [*SUITES, *others])
        raise UserError(f"attn bench: there is no suite {name[:40]!r}. {hint}")


def check_backend(asked: Asked) -> None:
    """Refuses what has no backend, or none of that name.

    Raises:
      UserError: in one line.
    """
    if asked.suite not in ("attention", "flash_grid"):
        raise UserError(
            f"attn bench: --backend is of attention, not {asked.suite}; say"
            " `attn bench attention`."
        )
    if asked.backend not in BACKENDS:
        hint = did_you_mean(asked.backend, BACKENDS)
        raise UserError(
            f"attn bench: there is no backend {asked.backend[:40]!r}. {hint}"
        )


def named(asked: Asked) -> list[str]:
    """The rivals by name.

    Raises:
      UserError: there is none of that name.
    """
    names = [each.strip() for each in (asked.rivals or "").split(",") if each.strip()]
    suite = SUITES[asked.suite][0].suite
    known = [name for name in CONTENDERS[suite] if name != "ours"]
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise UserError(
                f"attn bench: {asked.suite} has no rival {name[:40]!r}. {hint}"
            )
        if names.count(name) > 1:
            raise UserError(f"attn bench: --rivals has {name!r} twice; keep one.")
    return names


def wished(case: Case, names: list[str]) -> tuple[Goal, ...]:
    """The goals of some rivals; one without a goal in the table has none."""
    known = {each.rival: each for each in case.goals}
    return tuple(known.get(name, Goal(name)) for name in names)


def own(asked: Asked) -> list[Case]:
    """Forward, and forward + backward, of a spec and a shape.

    Raises:
      UserError: the suite has neither, the shape cannot be read, or the spec needs data
        that no case has.
    """
    if asked.suite not in ("attention", "layer"):
        raise UserError(
            f"attn bench: --spec and --shape are of attention and layer, not"
            f" {asked.suite}; say `attn bench attention`."
        )
    if asked.everything:
        raise UserError(
            "attn bench: --all is of the cases of a suite; leave it out with --spec and"
            " --shape."
        )
    shape = asked.shape or "4x512x8x64"
    if FORM.fullmatch(shape) is None:
        raise UserError(
            "attn bench: --shape expected 4 whole numbers such as 1x1024x8x64, got"
            f" {shape[:60]!a}."
        )
    spec = asked.spec or "causal"
    documents = DOCUMENTS if "segment" in per_token(spec) else 0
    batch, length, heads, width = map(int, shape.split("x"))
    if asked.suite == "layer":
        work = LayerWork(batch, length, heads, heads * width, spec=spec)
        rivals = [name for name in CONTENDERS["layer"] if name != "ours"]
    else:
        work = AttentionWork(spec, batch, length, heads, width, documents=documents)
        rivals = ["jax.nn", "torch"]
    if reason := unfit(work):
        raise UserError(f"attn bench --spec {spec[:60]!r}: {reason}.")
    goals = tuple(map(Goal, rivals))
    return [Case(replace(work, backward=back), goals) for back in (False, True)]
