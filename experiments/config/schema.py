"""What a config can say: every section, key, default and meaning.

The descriptions are the help of the command line and of editors.
"""

from experiments.config import names
from experiments.config.fields import (
    Beams,
    Betas,
    Count,
    Flag,
    Fraction,
    Grid,
    Name,
    NotNegative,
    Options,
    Path,
    Positive,
    Rate,
    Seed,
    Separator,
    Share,
    Tags,
    Text,
    choice,
    choices,
    lasting,
    notation,
)
from experiments.config.section import Section, says, section

LANGUAGE = ("decoder", "seq2seq")  # the kinds of model that write
ENCODING = ("seq2seq", "classifier")  # those with an encoder


class Model(Section):
    """The network."""

    kind: choice(names.MODELS) = says("decoder", "family of network")
    layers: Count = says(4, "number of blocks")
    heads: Count = says(4, "query heads of a layer; divides width unless head_width")
    key_heads: Count | None = says(None, "key and value heads (null: as many as heads)")
    width: Count = says(128, "width of the residual stream")
    head_width: Count | None = says(None, "width of a head (null: width / heads)")
    hidden: Count | None = says(None, "width inside the MLP (null: 4 x width)")
    activation: choice(names.ACTIVATIONS) = says("gelu", "non-linearity of the MLP")
    norm: choice(names.NORMS) = says("rms", "normalisation before each half block")
    norm_bias: Flag = says(False, "a learned bias in each norm; layer norm only")
    bias: Flag = says(False, "a learned bias in each linear map")
    position: notation("positions", "rotary(base=10000.0)") = says(
        "rotary", "how positions enter: rotary, learned, sinusoidal, none"
    )
    mask: notation("masks", "causal & window(back=128)") = says(
        "causal", "which keys a query of a decoder may attend to", models=LANGUAGE
    )
    encoder_layers: Count | None = says(
        None, "number of blocks of the encoder (null: layers)", models=("seq2seq",)
    )
    encoder_mask: notation("masks", "window(back=8, ahead=8)") = says(
        "everything", "which keys a query of an encoder may attend to", models=ENCODING
    )
    cross: notation("attention", "everything") = says(
        "everything",
        "attention of the decoder to the encoder: a piece or an Attention(...)",
        models=("seq2seq",),
    )
    cross_position: notation("positions", "rotary(base=10000.0)") = says(
        "none", "how positions turn queries and keys there", models=("seq2seq",)
    )
    pooling: choice(names.POOLINGS) = says(
        "mean", "how tokens become one vector", models=("classifier",)
    )
    logits: notation("logits pieces", "softcap(50) >> alibi") = says(
        "identity", "what happens to logits before the normalizer"
    )
    normalizer: notation("normalizers", "softmax") = says(
        "softmax", "logits to weights"
    )
    similarity: notation("similarities", "dot") = says("dot", "query and key to logits")
    convolve: choices(names.CONVOLUTIONS) = says(
        (), "where a short convolution mixes neighbours, as [mlp]"
    )
    taps: Count | None = says(None, "tokens that each of them mixes (null: 4)")
    query_key_norm: Flag = says(False, "normalise queries and keys per head")
    dropout: Rate = says(0.0, "share of values dropped while training")
    tie: Flag = says(True, "the head reads the embedding table", models=LANGUAGE)
    softcap: Positive | None = says(
        None, "cap of the final logits (null: none)", models=LANGUAGE
    )
    init_std: Positive | None = says(
        None, "of initial kernels and embedding (null: by width)"
    )
    output_scale: NotNegative | None = says(
        None, "initial size of each block's output maps (null: by depth)"
    )
    remat: Flag = says(False, "compute blocks again going backwards, to save memory")
    scan: Flag = says(False, "blocks as one loop: compiles fast, runs slower on a CPU")
    backend: Name = says("auto", "how attention is computed; see `attn explain`")

    @property
    def masks(self) -> str:
        """Which keys a query may attend to, by the masks that its kind has."""
        if self.kind == "seq2seq":
            own = f"encoder {self.encoder_mask}, decoder {self.mask}"
            return f"{own}, cross {self.cross}"
        return self.encoder_mask if self.kind == "classifier" else self.mask


class Precision(Section):
    """Number formats; sums, moments and averages are in float32 always."""

    parameters: choice(names.STORED) = says("float32", "format of stored parameters")
    compute: choice(names.DTYPES) = says("float32", "format of activations")


class Data(Section):
    """What is learned."""

    kind: choice(names.TASKS, "task") = says("text", "what has to be learned")
    preset: choice(names.PRESETS) | None = says(
        None, "options to start from (null: tiny); text has none", inert=True
    )
    options: Options = says({}, "options of the task; see `attn list tasks`")
    source: choice(names.SOURCES) = says("stdlib", "which text; `path` overrules it")
    path: Path | None = says(
        None, "your own text: a file, a folder or a glob; .bin is a token file"
    )
    url: Text | None = says(None, "where tinyshakespeare is downloaded from")
    documents: Separator | None = says(
        None, "what ends a document; `segments` in model.mask keeps them apart"
    )
    vocabulary: choice(names.VOCABULARIES, file="tokenizer.json") = says(
        "byte", "what a token is"
    )
    vocabulary_size: Count | None = says(None, "number of tokens; bpe only")
    context: Count | None = says(
        None, "tokens of one example (null: as the task needs; text 128)"
    )
    batch: Count = says(16, "examples of one optimizer step")
    validation: Fraction = says(0.1, "share of the text kept for validation")

    @property
    def length(self) -> int:
        """T, tokens of one example; a config that was loaded knows it."""
        assert self.context is not None
        return self.context


class Schedule(Section):
    """The learning rate over time."""

    kind: choice(names.SCHEDULES) = says("cosine", "shape after the warm-up")
    warmup: lasting("steps", "tokens", "%", positive=False) = says(
        "5%", "time until the full rate"
    )
    decay: lasting("steps", "tokens", "%") | None = says(
        None, "length of the final decay; wsd only (null: 20%)"
    )
    floor: Share = says(0.1, "last rate as a share of lr")


class Optim(Section):
    """How parameters change."""

    kind: choice(names.OPTIMIZERS) = says("adamw", "optimizer")
    lr: Positive = says(1e-3, "highest learning rate")
    betas: Betas = says((0.9, 0.95), "decay of the two moments")
    eps: Positive = says(1e-8, "added to the denominator")
    weight_decay: NotNegative = says(0.1, "decay, of matrices and tables")
    newton_schulz: Count | None = says(
        None, "iterations that orthogonalise a step; muon only (null: 5)"
    )
    clip: Positive | None = says(1.0, "largest global gradient norm (null: none)")
    accumulate: Count = says(1, "parts a batch is computed in, to save memory")
    ema: Rate | None = says(None, "decay of averaged parameters (null: none)")
    schedule: Schedule = section(Schedule, "the learning rate over time")


class Train(Section):
    """How long, and how many steps a call."""

    duration: lasting("steps", "tokens") = says("2000steps", "length of the run")
    weights: Path | None = says(
        None, "a run whose weights are the start (null: drawn from the seed)"
    )
    steps_per_call: Count = says(10, "optimizer steps in one compiled call")
    budget: lasting("min") | None = says(
        None, "clock time after which it saves and stops (null: none)", inert=True
    )
    fail_on_recompile: Flag = says(False, "recompiling is an error", inert=True)


class Eval(Section):
    """Loss on held-out text."""

    every: lasting("steps", "tokens", "%") = says("10%", "time between evaluations")
    batches: Count | None = says(20, "batches of data.batch at a time (null: all)")
    grid: Grid = says({}, "difficulties to evaluate on at the end; see `attn eval`")


class Sample(Section):
    """Text written by the model while it trains."""

    every: lasting("steps", "tokens", "%") | None = says(
        "25%", "time between samples (null: none)"
    )
    length: Count = says(200, "tokens of a sample", models=("decoder",))
    prompt: Text | None = says(None, "text to start from (null: the task's own)")
    temperature: NotNegative = says(
        0.8, "0 takes the likeliest token", models=("decoder",)
    )
    top_k: Count | None = says(
        None, "draw among the k likeliest (null: all)", models=("decoder",)
    )
    top_p: Share | None = says(
        None, "draw among the likeliest of this share (null: all)", models=("decoder",)
    )
    beam: Beams = says(
        1, "beginnings of an answer that go on; 1 is greedy", models=("seq2seq",)
    )
    length_penalty: NotNegative = says(
        0.6, "favours longer answers of a beam; 0 not at all", models=("seq2seq",)
    )


class Checkpoint(Section):
    """What is kept on disk."""

    every: lasting("steps", "tokens", "%") = says(
        "10%", "time between checkpoints", inert=True
    )
    keep: Count = says(2, "how many of the latest stay", inert=True)
    best: Flag = says(True, "also keep the one of lowest validation loss", inert=True)


class Log(Section):
    """What is written while training."""

    every: lasting("steps", "tokens", "%") = says("10steps", "time between log lines")
    maps_every: lasting("steps", "tokens", "%") | None = says(
        None, "time between attention maps and head scores (null: none)"
    )
    sinks: choices(names.SINKS) = says(
        (), "where metrics also go: a list of tensorboard, wandb", inert=True
    )


class Mesh(Section):
    """Devices."""

    devices: Count | None = says(None, "devices that share a batch (null: all local)")


class Process(Section):
    """Settings of the whole process, made before JAX starts."""

    allocator: Flag = says(
        True, "keep freed memory for the next step (glibc only)", inert=True
    )
    simulated_devices: Count | None = says(None, "split the CPU into so many devices")
    xla_flags: Text | None = says(None, "added to the environment's XLA_FLAGS")
    compilation_cache: Flag = says(
        True, "keep compiled programs in the user's cache folder", inert=True
    )


class Config(Section):
    """One experiment."""

    name: Name = says("run", "first part of the run directory's name", inert=True)
    seed: Seed = says(0, "draws parameters, batches, dropout and samples")
    notes: Text = says("", "for the reader", inert=True)
    tags: Tags = says((), "for the reader", inert=True)
    platform: choice(names.PLATFORMS) | None = says(None, "null: JAX's own choice")
    model: Model = section(Model, "the network")
    precision: Precision = section(Precision, "number formats")
    data: Data = section(Data, "what is learned")
    optim: Optim = section(Optim, "how parameters change")
    train: Train = section(Train, "how long")
    eval: Eval = section(Eval, "loss on held-out text")
    sample: Sample = section(Sample, "text written while training")
    checkpoint: Checkpoint = section(Checkpoint, "what is kept on disk")
    log: Log = section(Log, "what is written while training")
    mesh: Mesh = section(Mesh, "devices")
    process: Process = section(Process, "settings of the whole process")
