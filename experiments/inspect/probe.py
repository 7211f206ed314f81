"""One jitted pass that keeps what the model computes on the way."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from attn.modules import Decoder, watch
from experiments.config import Config
from experiments.model import FORWARD, build_model
from experiments.step import Tree

LIKELIEST = 5  # next tokens that the lens names

# (params, constants, batch) -> logits, weights by layer, lens or None.
Probe = Callable[[Tree, Tree, Any], tuple[Array, dict[str, Array], Any]]


def make_probe(config: Config, vocabulary: int, *, lens: bool = True) -> Probe:
    """Compiles once for each shape of a batch of ONE example.

    Args:
      config: of the run.
      vocabulary: number of tokens.
      lens: whether to read every layer as if it were the last.

    Returns:
      A jitted function: logits [1, ...] as in an ordinary pass, weights [N, T, S] by
      dotted path of the layer, and the arrays of the lens by name (None without it, or
      where the model says no next token).
    """
    model = nnx.eval_shape(lambda: build_model(config, vocabulary))
    graph, _, _ = nnx.split(model, nnx.Param, ...)
    forward = FORWARD[config.model.kind]

    def probe(params: Tree, constants: Tree, batch: Any):
        state = nnx.merge_state(nnx.State(params), nnx.State(constants))
        model = nnx.merge(graph, state)
        logits, seen = watch(model, lambda model: forward(model, batch, None))
        weights = {k: v["weights"][0] for k, v in seen.items() if "weights" in v}
        path, decoder = decoder_of(model)
        if not lens or decoder is None:
            return logits, weights, None
        blocks = [seen[f"{path}blocks.{i}"] for i in range(decoder.config.layers)]
        stream = [blocks[0]["before"], *(block["after"] for block in blocks)]
        wanted = jnp.where(batch.weights[0] > 0, batch.targets[0], -1)
        return logits, weights, read_stream(decoder, jnp.stack(stream)[:, 0], wanted)

    return jax.jit(probe)


def decoder_of(model: nnx.Module) -> tuple[str, Decoder | None]:
    """The part of a model that says next tokens, with the path to it; or None."""
    if isinstance(model, Decoder):
        return "", model
    found = getattr(model, "decoder", None)
    return "decoder.", found if isinstance(found, Decoder) else None


def read_stream(decoder: Decoder, stream: Array, wanted: Array) -> dict[str, Array]:
    """The logit lens: each layer's residual stream, scored as if it were the last.

    Args:
      decoder: whose last norm and head read the stream.
      stream: [L + 1, T, D].
      wanted: [T], the right next token or -1.

    Returns:
      The arrays of `view.Lens` by name.
    """
    logits = decoder.score(decoder.norm(stream)).astype(jnp.float32)
    shares = jax.nn.softmax(logits, axis=-1)
    likeliest, tokens = jax.lax.top_k(shares, min(LIKELIEST, shares.shape[-1]))
    at = jnp.broadcast_to(jnp.maximum(wanted, 0)[None, :, None], (*tokens.shape[:2], 1))
    right = jnp.take_along_axis(logits, at, axis=-1)
    rank = 1 + jnp.sum(logits > right, axis=-1)
    known = wanted[None] >= 0
    return {
        "tokens": tokens,
        "probabilities": likeliest,
        "wanted": wanted,
        "rank": jnp.where(known, rank, 0),
        "probability": jnp.where(
            known, jnp.take_along_axis(shares, at, axis=-1)[..., 0], 0.0
        ),
    }
