"""Every field of a config changes what is computed, or is refused: none is ignored."""

import dataclasses
import math

import jax
import numpy as np
import pytest
from flax import nnx

from attn.modules import (
    Block,
    Classifier,
    ClassifierConfig,
    Decoder,
    DecoderConfig,
    Encoder,
    EncoderConfig,
    Linear,
    MultiHeadAttention,
    Precision,
    RMSNorm,
    Seq2Seq,
    Seq2SeqConfig,
)

B, S, T, V = 2, 7, 5, 11
SIZES = {"vocabulary": V, "layers": 1, "heads": 4, "width": 24, "init_std": 0.3}
ENCODER = EncoderConfig(**SIZES, context=S)
DECODER = DecoderConfig(**SIZES, context=T)
READER = dataclasses.replace(DECODER, cross="everything")
STREAM = np.ones((B, T, SIZES["width"]), np.float32)

# A value unlike the default for every field, with what else has to be said for it to
# mean something.
SHARED = {
    "vocabulary": {"vocabulary": 13},
    "context": {"context": 19, "position": "learned"},
    "layers": {"layers": 2},
    "heads": {"heads": 2},
    "key_heads": {"key_heads": 1},
    "width": {"width": 32},
    "head_width": {"head_width": 8},
    "hidden": {"hidden": 5},
    "activation": {"activation": "swiglu"},
    "norm": {"norm": "layer"},
    "norm_bias": {"norm_bias": True, "norm": "layer"},
    "bias": {"bias": True},
    "position": {"position": "none"},
    "similarity": {"similarity": "cosine"},
    "logits": {"logits": "softcap(0.1)"},
    "mask": {"mask": "window(back=1, ahead=0)"},
    "normalizer": {"normalizer": "sigmoid"},
    "convolve": {"convolve": ("attention",)},
    "taps": {"taps": 2, "convolve": ("hidden",)},
    "query_key_norm": {"query_key_norm": True},
    "dropout": {"dropout": 0.5},
    "init_std": {"init_std": 0.1},
    "output_scale": {"output_scale": 0.0},
    "precision": {"precision": Precision(compute="bfloat16")},
}
DECODERS = {
    "tie": {"tie": False},
    "softcap": {"softcap": 0.1},
    "cross": {"cross": "window(back=1, ahead=1)"},
    "cross_position": {"cross_position": "rotary"},
}
CLASSIFIERS = {"classes": {"classes": 5}, "pooling": {"pooling": "max"}}
# How, not what: tests of the modules say that these change nothing.
HOW = {"backend", "remat", "scan"}


def tokens(length, seed):
    return jax.random.randint(jax.random.key(seed), (B, length), 0, V)


def leaves(model):
    state = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    flat = jax.tree_util.tree_leaves_with_path(state)
    return {jax.tree_util.keystr(path): np.asarray(x, np.float32) for path, x in flat}


def encode(config):
    model = Encoder(config, rngs=nnx.Rngs(0))
    return leaves(model), model(tokens(S, 0), rng=jax.random.key(3)).value


def decode(config):
    model = Seq2Seq(encoder=ENCODER, decoder=config, rngs=nnx.Rngs(0))
    return leaves(model), model(tokens(S, 0), tokens(T, 1), rng=jax.random.key(3))


def classify(config):
    model = Classifier(config, rngs=nnx.Rngs(0))
    return leaves(model), model(tokens(S, 0), rng=jax.random.key(3))


MODELS = {
    "encoder": (encode, ENCODER, SHARED),
    "decoder": (decode, DECODER, SHARED | DECODERS),
    "classifier": (
        classify,
        ClassifierConfig(**SIZES, context=S, classes=3),
        {name: SHARED[name] for name in ("mask", "dropout")} | CLASSIFIERS,
    ),
}
ROWS = [(model, field) for model, row in MODELS.items() for field in row[2]]


def differs(one, other):
    """Parameters of other shapes or values, or outputs that differ."""
    (before, left), (after, right) = one, other
    if before.keys() != after.keys() or left.shape != right.shape:
        return True
    same = [np.array_equal(x, after[name]) for name, x in before.items()]
    return not all(same) or np.abs(np.float32(left) - np.float32(right)).max() > 1e-5


@pytest.fixture(scope="module")
def base():
    return {name: run(config) for name, (run, config, _) in MODELS.items()}


@pytest.mark.parametrize(("model", "field"), ROWS)
def test_every_option_changes_the_result(base, model, field):
    run, config, table = MODELS[model]
    options = table[field]
    needed = {name: x for name, x in options.items() if name != field}
    plain = run(dataclasses.replace(config, **needed)) if needed else base[model]
    assert differs(run(dataclasses.replace(config, **options)), plain)


def test_the_table_has_every_field():
    fields = lambda kind: {f.name for f in dataclasses.fields(kind)}  # noqa: E731
    assert fields(EncoderConfig) - HOW == set(SHARED)
    assert fields(DecoderConfig) - HOW - {"source_width"} == set(SHARED | DECODERS)
    assert fields(ClassifierConfig) - fields(EncoderConfig) == set(CLASSIFIERS)
    assert fields(Seq2SeqConfig) == {"encoder", "decoder"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Decoder(DECODER, cross_position="rotary", rngs=nnx.Rngs(0)),
            r"Decoder: cross_position='rotary' means nothing without cross-attention",
        ),
        (
            lambda: Decoder(DECODER, source_width=8, rngs=nnx.Rngs(0)),
            r"Decoder: source_width=8 means nothing without cross-attention",
        ),
        (
            lambda: decode(dataclasses.replace(DECODER, source_width=8)),
            r"Seq2Seq: decoder.source_width must be the encoder's width 24, got 8",
        ),
        (
            lambda: decode(dataclasses.replace(DECODER, cross="casual")),
            "causal",
        ),
        (
            lambda: decode(dataclasses.replace(DECODER, cross_position="learned")),
            r"position must be rotary\(...\) or none",
        ),
        (
            lambda: classify(
                ClassifierConfig(**SIZES, context=S, classes=2, pooling="last")
            ),
            r"Classifier: pooling must be one of mean, first, max, .*, got 'last'",
        ),
        (
            lambda: encode(dataclasses.replace(ENCODER, norm="batch")),
            r"Encoder: norm must be one of layer, rms, got 'batch'",
        ),
        (
            lambda: Decoder(DECODER, rngs=nnx.Rngs(0))(
                tokens(T, 1), Encoder(ENCODER, rngs=nnx.Rngs(0))(tokens(S, 0))
            ),
            r"Block: got a source \[2, 7, 24\] and has no cross-attention; leave it",
        ),
        (
            lambda: Decoder(DECODER, cross="everything", rngs=nnx.Rngs(0))(
                tokens(T, 1)
            ),
            r"Block: got no source for its cross-attention; give source=",
        ),
        (
            lambda: Decoder(DECODER, init_std=math.nan, rngs=nnx.Rngs(0)),
            r"Decoder: init_std must be a finite number of at least 0, got nan",
        ),
        (
            lambda: MultiHeadAttention(
                width=8, heads=2, output_scale=-1, rngs=nnx.Rngs(0)
            ),
            r"MultiHeadAttention: output_scale must be a finite number of at least 0",
        ),
        (
            lambda: Linear(3, 5, std="small", rngs=nnx.Rngs(0)),
            r"Linear: std must be a finite number of at least 0, got 'small'",
        ),
        (
            lambda: Decoder(DECODER, softcap="50", rngs=nnx.Rngs(0)),
            r"Decoder: softcap must be a positive number, got '50'; leave it out",
        ),
        (
            lambda: decode(dataclasses.replace(DECODER, precision="bfloat16")),
            r"precision must be a Precision, got 'bfloat16'; write for example Prec",
        ),
        (
            lambda: RMSNorm(8, precision=np.float32),
            r"precision must be a Precision, got <class 'numpy.float32'>; write for",
        ),
        (
            lambda: Block(DECODER, rngs=nnx.Rngs(0))(STREAM, STREAM),
            r"Block: got a source \[2, 5, 24\] and has no cross-attention; leave it",
        ),
        (
            lambda: Block(READER, rngs=nnx.Rngs(0))(STREAM),
            r"Block: got no source for its cross-attention; give source=",
        ),
    ],
)
def test_what_means_nothing_is_refused(make, message):
    with pytest.raises(ValueError, match=message) as error:
        make()
    assert "\n" not in str(error.value)
