"""The model that a config describes, and how it reads a batch."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax.numpy as jnp
from flax import nnx
from jax import Array

from attn.modules import (
    Classifier,
    ClassifierConfig,
    Decoder,
    DecoderConfig,
    EncoderConfig,
    Seq2Seq,
    Seq2SeqConfig,
)
from attn.modules.block import StackConfig
from attn.modules.precision import Precision
from attn.spec.site import At, at
from experiments import tasks
from experiments.config import Config
from experiments.config.notation import check_notation
from experiments.packed import stand
from experiments.step import INIT_STREAM, Forward, stream
from experiments.tasks.task import Batch, Labelled, Translation

Sizes = TypeVar("Sizes", bound=StackConfig)


def read_tokens(model: Decoder, batch: Batch, rng: Array | None) -> Array:
    """A decoder's logits [B, T, V] of the next token at each position."""
    return model(batch.tokens, at=stand(model, batch), rng=rng)


def read_source(model: Seq2Seq, batch: Translation, rng: Array | None) -> Array:
    """The logits [B, T, V] of an answer's tokens, each knowing those before it."""
    source_at = padded(batch.source_present)
    return model(batch.source, batch.tokens, source_at=source_at, rng=rng)


def read_text(model: Classifier, batch: Labelled, rng: Array | None) -> Array:
    """The logits [B, C] of the classes of whole texts."""
    return model(batch.tokens, at=padded(batch.present), rng=rng)


def padded(present: Array) -> At:
    """Where tokens stand of which only some are there: [B, T] bool."""
    return at(segment=present.astype(jnp.int32))


# What a kind of model reads of a batch; the loss compares its logits with the targets.
FORWARD: Mapping[str, Forward] = {
    "decoder": read_tokens,
    "seq2seq": read_source,
    "classifier": read_text,
}


def sized(kind: type[Sizes], config: Config, vocabulary: int, **options: Any) -> Sizes:
    """A config of the library: what `model` and `precision` say, and what is given."""
    known = {field.name for field in dataclasses.fields(kind)}
    # Not `model_dump`: a sweep may have traced the numbers, which do not serialise.
    said = {name: x for name, x in config.model if name in known}
    precision = Precision(
        parameters=config.precision.parameters, compute=config.precision.compute
    )
    given = {"vocabulary": vocabulary, "precision": precision, **options}
    return kind(**{**said, **given})


def decoder_config(config: Config, vocabulary: int) -> DecoderConfig:
    """The sizes and choices of a language model."""
    context = config.data.length
    return sized(DecoderConfig, config, vocabulary, context=context, cross=None)


def seq2seq_config(config: Config, vocabulary: int) -> Seq2SeqConfig:
    """Those of both halves; the task says how long a source is."""
    knobs = tasks.declared(config.data.kind).options(config.data)
    model = config.model
    encoder = sized(
        EncoderConfig,
        config,
        vocabulary,
        context=knobs.source,
        layers=model.encoder_layers or model.layers,
        mask=model.encoder_mask,
    )
    context = config.data.length
    decoder = sized(DecoderConfig, config, vocabulary, context=context)
    return Seq2SeqConfig(encoder=encoder, decoder=decoder)


def classifier_config(config: Config, vocabulary: int) -> ClassifierConfig:
    """Those of a classifier; the task says which classes there are."""
    return sized(
        ClassifierConfig,
        config,
        vocabulary,
        context=config.data.length,
        classes=len(classes_of(config)),
        mask=config.model.encoder_mask,
    )


def classes_of(config: Config) -> tuple[str, ...]:
    """The names of the classes of a config's task, in the order of its targets."""
    task = tasks.declared(config.data.kind)
    assert task.classes is not None
    return task.classes(task.options(config.data))


BUILDERS: Mapping[str, tuple[Callable[..., nnx.Module], Callable[..., Any]]] = {
    "decoder": (Decoder, decoder_config),
    "seq2seq": (Seq2Seq, seq2seq_config),
    "classifier": (Classifier, classifier_config),
}


def build_model(config: Config, vocabulary: int, seed: int | Array = 0) -> nnx.Module:
    """The network of a config, its parameters drawn from a seed, which may be traced.

    Raises:
      ConfigError: notation that does not parse, at the line where it was written, or
        what cannot be built, in one line.
    """
    check_notation(config)
    kind, configured = BUILDERS[config.model.kind]
    rngs = nnx.Rngs(params=stream(seed, INIT_STREAM))
    try:
        return kind(configured(config, vocabulary), rngs=rngs)
    except ValueError as error:
        raise config.fault("model", " ".join(str(error).split())) from None
