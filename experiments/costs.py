"""What a model costs, as its parts declare it; written into `result.json`."""

from typing import Any

import jax
from flax import nnx

from experiments import tasks
from experiments.config import Config


def costs(config: Config, model: Any) -> dict[str, float]:
    """Costs of one example, divided by its tokens.

    Args:
      config: says what the model reads.
      model: of the config; it may be abstract, its numbers do not matter.

    Returns:
      `cost/params`, exact; `cost/flops_per_token` of the forward pass, sums of products
      only, without hidden pairs (see `attn.spec.cost`); and, where the model decodes,
      `cost/state_bytes_per_token`, what it remembers at the end of an example. Tokens
      are those of the target where there is a source beside it.
    """
    t = config.data.length
    sizes = (t, source_of(config)) if config.model.kind == "seq2seq" else (t,)
    params = jax.tree.leaves(nnx.state(model, nnx.Param))
    found = {
        "cost/params": sum(each.size for each in params),
        "cost/flops_per_token": model.flops(*sizes) / t,
    }
    if hasattr(model, "state_bytes"):
        found["cost/state_bytes_per_token"] = model.state_bytes(*sizes) / t
    return found


def source_of(config: Config) -> int:
    """Tokens of a source."""
    return tasks.declared(config.data.kind).options(config.data).source
