"""The model that a config describes, and how it reads a batch."""

from collections.abc import Mapping

from flax import nnx
from jax import Array

from attn.modules import Decoder, DecoderConfig
from attn.modules.precision import Precision
from attn.spec.notation import parse
from experiments.config import Config
from experiments.step import INIT_STREAM, Forward, stream
from experiments.tasks.task import Batch

NOTATION = ("position", "mask", "logits", "normalizer", "similarity")


def read_tokens(model: Decoder, batch: Batch, rng: Array | None) -> Array:
    """A decoder's logits [B, T, V] of the next token at each position."""
    return model(batch.tokens, rng=rng)


# What a kind of model reads of a batch; the loss compares its logits with the targets.
FORWARD: Mapping[str, Forward] = {"decoder": read_tokens}


def decoder_config(config: Config, vocabulary: int) -> DecoderConfig:
    """The `model`, `precision` and `data.context` of a config in the library's words.

    Raises:
      ConfigError: notation that does not parse, at the line where it was written.
    """
    for key in NOTATION:
        try:
            parse(getattr(config.model, key))
        except ValueError as error:
            raise config.model.fault(key, str(error)) from None
    precision = Precision(
        parameters=config.precision.parameters, compute=config.precision.compute
    )
    sizes = config.model.model_dump(exclude={"kind"})
    context = config.data.length
    return DecoderConfig(
        **sizes, vocabulary=vocabulary, context=context, precision=precision
    )


def build_model(config: Config, vocabulary: int, seed: int | Array = 0) -> nnx.Module:
    """The network of a config, its parameters drawn from a seed, which may be traced.

    Raises:
      ConfigError: what cannot be built, in one line.
    """
    made = decoder_config(config, vocabulary)
    rngs = nnx.Rngs(params=stream(seed, INIT_STREAM))
    try:
        return Decoder(made, rngs=rngs)
    except ValueError as error:
        raise config.fault("model", " ".join(str(error).split())) from None
