"""What can be refused before minutes are spent on measuring it."""

from collections.abc import Sequence
from dataclasses import replace

from experiments.bench.cases import Case
from experiments.bench.work import (
    RECIPE,
    AttentionWork,
    CompileWork,
    LayerWork,
    RecipeWork,
    StepWork,
    Work,
)
from experiments.config import ConfigError, load
from experiments.errors import UserError
from experiments.shipped import find_config


def per_token(spec: str) -> tuple[str, ...]:
    """The data of each token that a spec reads, `segment` for documents.

    Raises:
      ValueError: the notation cannot be read; the message says what was meant.
    """
    from attn.spec.attention import as_attention  # late: `attn bench list` needs no JAX

    return as_attention(spec).needs_data()


def unfit(work: Work) -> str:
    """Why no process could do a piece of work as it is said; empty if one may.

    Raises:
      ValueError: the notation cannot be read.
    """
    if isinstance(work, StepWork | CompileWork | RecipeWork):
        return misconfigured(work)
    if not isinstance(work, AttentionWork | LayerWork):
        return ""
    if isinstance(work, LayerWork) and work.width % work.heads:
        return f"heads must divide width, got {work.heads} heads and width {work.width}"
    given = {"segment"} if getattr(work, "documents", 0) else set()
    missing = [name for name in per_token(work.spec) if name not in given]
    if not missing:
        return ""
    if missing == ["segment"] and isinstance(work, AttentionWork):
        return "it needs documents; say how many, like `documents: 8`"
    return (
        f"it needs {' and '.join(missing)} for each token, which a case of"
        f" {work.suite} has not; name a spec without"
    )


def misconfigured(work: StepWork | CompileWork | RecipeWork) -> str:
    """Why the runner would refuse the config, in a line; empty if it would not."""
    try:
        for overrides in work.configs():
            learned = load(find_config(work.config), overrides).data.kind
            if learned != "text":
                found = f"the config {work.config} learns {learned}, not a text"
                return f"{found}; name one that does, such as {RECIPE}"
            load(find_config(work.config), ["data.path=text.txt", *overrides])
    except ConfigError as error:
        return str(error.faults[0]).rstrip(".")
    return ""


def check_here(cases: Sequence[Case], here: str, *, force: bool) -> None:
    """Refuses a run of which nothing could be measured on this machine.

    Args:
      cases: of the run.
      here: its platform, cpu, gpu or tpu.
      force: whether cases of another platform are wanted.

    Raises:
      UserError: with the reason.
    """
    away = [each for each in cases if each.platform not in (None, here)]
    if len(away) == len(cases) and not force:
        raise UserError(
            f"attn bench: every case of this run is for a {cases[0].platform}, and this"
            f" is a {here}; measure them there, or here with --force."
        )
    # Elsewhere a backend may ask the device, which only the contenders may hold.
    reasons = [refusal(each.work, here) for each in cases] if here == "cpu" else [""]
    if all(reasons):
        raise UserError(f"attn bench: {reasons[0]}; leave the backend out, or `auto`.")


def refusal(work: Work, here: str) -> str:
    """Why the backend that work names will not run it; empty if it will."""
    if not isinstance(work, AttentionWork) or work.backend == "auto":
        return ""
    from attn.backends.explain import explain  # late: it imports JAX
    from attn.shapes import Shapes

    shapes = Shapes(
        work.length,
        work.length,
        work.width,
        work.width,
        work.heads,
        work.heads,
        work.batch,
        dtype=work.dtype,
    )
    reason = explain(work.spec, shapes, platform=here).reasons.get(work.backend)
    label = replace(work, backend="auto").label
    return f"backend {work.backend} refuses {label}: {reason}" if reason else ""
