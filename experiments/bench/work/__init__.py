"""What is computed: a file for what belongs together, a row in `KINDS` for each."""

from typing import Any

from experiments.bench.work.attention import AttentionWork, LayerWork
from experiments.bench.work.others import CeilingWork, ExportedWork
from experiments.bench.work.training import RECIPE, CompileWork, RecipeWork, StepWork
from experiments.bench.work.work import BACKWARD, Work, normal

__all__ = [
    "BACKWARD",
    "KINDS",
    "RECIPE",
    "AttentionWork",
    "CeilingWork",
    "CompileWork",
    "ExportedWork",
    "LayerWork",
    "RecipeWork",
    "StepWork",
    "Work",
    "normal",
    "read",
]

KINDS = {
    kind.suite: kind
    for kind in (
        AttentionWork,
        LayerWork,
        StepWork,
        CompileWork,
        RecipeWork,
        CeilingWork,
        ExportedWork,
    )
}


def read(fields: dict[str, Any]) -> Any:
    """The work that `to_json` wrote."""
    fields = dict(fields)
    kind: Any = KINDS[fields.pop("suite")]
    return kind(
        **{k: tuple(x) if isinstance(x, list) else x for k, x in fields.items()}
    )
