"""Which values of a config cannot go together: a function and a row in `RULES` each."""

from collections.abc import Callable, Iterator
from typing import Any

from experiments.config.errors import Fault
from experiments.config.grid import faults as grid_faults
from experiments.config.origin import dotted, split
from experiments.config.paths import fields
from experiments.config.resolve import resolve
from experiments.config.schema import Config


def check(config: Config) -> list[Fault]:
    """Every combination of values that cannot be meant."""
    return [_fault(config, *each) for rule in RULES for each in rule(config)]


Finding = tuple[str, str, tuple[str, ...]]  # key, message, the other keys involved


def _fault(config: Config, key: str, message: str, others: tuple[str, ...]) -> Fault:
    return config._origins.fault(split(key), message, *(split(each) for each in others))


def heads(config: Config) -> Iterator[Finding]:
    """Heads divide the width, key heads divide heads."""
    model = config.model
    if model.head_width is None and model.width % model.heads:
        yield (
            "model.heads",
            f"must divide model.width, got {model.heads} heads and width {model.width};"
            " change one, or set model.head_width.",
            ("model.width",),
        )
    if model.key_heads is not None and model.heads % model.key_heads:
        yield (
            "model.key_heads",
            f"must divide model.heads, got {model.key_heads} and {model.heads} heads.",
            ("model.heads",),
        )


def foreign_keys(config: Config) -> Iterator[Finding]:
    """What only another kind of model would read."""
    kind = config.model.kind
    for path, field in fields().items():
        models = (field.json_schema_extra or {}).get("models", [kind])
        section = getattr(config, path[0])
        if kind not in models and getattr(section, path[-1]) != field.default:
            message = f"means nothing for a {kind} model; remove it."
            yield dotted(path), message, ("model.kind",)


def rotary(config: Config) -> Iterator[Finding]:
    """Rotary positions turn pairs of features."""
    width = resolve(config).head_width
    divided = config.model.head_width or not config.model.width % config.model.heads
    for key in ("position", "cross_position"):
        if (
            not divided
            or getattr(config.model, key).strip() != "rotary"
            or not width % 2
        ):
            continue
        yield (
            f"model.{key}",
            f"rotary needs an even head width, got {width};"
            " change model.width, model.heads or model.head_width.",
            ("model.width", "model.heads", "model.head_width"),
        )


def norms(config: Config) -> Iterator[Finding]:
    """RMSNorm has no bias."""
    if config.model.norm_bias and config.model.norm == "rms":
        message = "rms norm has no bias; set model.norm=layer or norm_bias=false."
        yield "model.norm_bias", message, ("model.norm",)


def convolution(config: Config) -> Iterator[Finding]:
    """Taps need a convolution, and tokens to weigh."""
    taps, length = config.model.taps, config.data.length
    if taps is not None and not config.model.convolve:
        message = "means nothing without model.convolve; remove it, or say where."
        yield "model.taps", message, ("model.convolve",)
    elif taps is not None and taps > length and config.model.kind != "seq2seq":
        message = f"expected at most the {length} tokens of an example, got {taps}."
        yield "model.taps", message, ("data.context",)


def vocabulary(config: Config) -> Iterator[Finding]:
    """Only byte pairs have a size to choose."""
    data = config.data
    if data.vocabulary == "bpe" and data.vocabulary_size is None:
        message = "is needed for vocabulary bpe, such as 512."
        yield "data.vocabulary_size", message, ("data.vocabulary",)
    elif data.vocabulary == "bpe" and data.vocabulary_size < 257:
        message = f"must be above 256, the single bytes, got {data.vocabulary_size}."
        yield "data.vocabulary_size", message, ()
    elif data.vocabulary != "bpe" and data.vocabulary_size is not None:
        message = (
            f"means nothing for vocabulary {data.vocabulary}; remove it, or use bpe."
        )
        yield "data.vocabulary_size", message, ("data.vocabulary",)


def source(config: Config) -> Iterator[Finding]:
    """A file needs its path, a download its name."""
    data, used = config.data, resolve(config).source
    if used == "file" and not data.path:
        message = "is needed for source file: a file, a folder or a glob."
        yield "data.path", message, ("data.source",)
    if data.url is not None and used != "tinyshakespeare":
        message = f"is only for source tinyshakespeare, but the source is {used}."
        yield "data.url", message, ("data.source", "data.path")


def batch(config: Config) -> Iterator[Finding]:
    """A batch splits evenly into its parts and over its devices."""
    size, parts = config.data.batch, config.optim.accumulate
    if size % parts:
        message = f"must divide data.batch, got {parts} parts of a batch of {size}."
        yield "optim.accumulate", message, ("data.batch",)
    elif config.mesh.devices and (size // parts) % config.mesh.devices:
        message = (
            f"must divide the batch, got {config.mesh.devices} devices and"
            f" {size // parts} examples at once (data.batch / optim.accumulate)."
        )
        yield "mesh.devices", message, ("data.batch", "optim.accumulate")


def schedule(config: Config) -> Iterator[Finding]:
    """Warm-up and decay fit into the run, and are used."""
    derived, kind = resolve(config), config.optim.schedule.kind
    used = ("optim.schedule.decay", "optim.schedule.kind", "train.duration")
    if derived.warmup > derived.steps:
        message = f"is longer than the run, {derived.warmup} of {derived.steps} steps."
        yield "optim.schedule.warmup", message, ("train.duration",)
    elif derived.warmup + derived.decay > derived.steps:
        message = (
            f"warm-up and decay are longer than the run, {derived.warmup} +"
            f" {derived.decay} of {derived.steps} steps."
        )
        yield used[0], message, ("optim.schedule.warmup", *used[1:])
    if config.optim.schedule.decay is not None and kind != "wsd":
        message = f"is only for schedule wsd, but the schedule is {kind}; remove it."
        yield used[0], message, used[1:2]
    if kind == "constant" and _changed(config, "optim.schedule.floor"):
        message = "means nothing for schedule constant, which never falls; remove it."
        yield "optim.schedule.floor", message, used[1:2]


def muon(config: Config) -> Iterator[Finding]:
    """Only Muon iterates."""
    if config.optim.newton_schulz is not None and config.optim.kind != "muon":
        message = f"means nothing for {config.optim.kind}; remove it, or use muon."
        yield "optim.newton_schulz", message, ("optim.kind",)


def optimizer(config: Config) -> Iterator[Finding]:
    """Gradient descent has a momentum, and no second moment."""
    if config.optim.kind != "sgd":
        return
    if _changed(config, "optim.eps"):
        message = "means nothing for sgd; remove it."
        yield "optim.eps", message, ("optim.kind",)
    unused = fields()["optim", "betas"].default[1]
    if config.optim.betas[1] != unused:
        message = (
            f"the second means nothing for sgd, whose momentum is the first; write"
            f" [{config.optim.betas[0]:g}, {unused:g}]."
        )
        yield "optim.betas", message, ("optim.kind",)


def _changed(config: Config, key: str) -> bool:
    """Whether a value is none that nobody needs to write."""
    found: Any = config
    for part in split(key):
        found = getattr(found, str(part))
    return found != fields()[split(key)].default


def devices(config: Config) -> Iterator[Finding]:
    """Only a CPU can be split, and only so far."""
    process, mesh, platform = config.process, config.mesh, config.platform
    if process.simulated_devices and platform not in (None, "cpu"):
        message = f"splits the CPU, but platform is {platform}; remove one."
        yield "process.simulated_devices", message, ("platform",)
    if process.simulated_devices and (mesh.devices or 0) > process.simulated_devices:
        message = (
            f"got {mesh.devices}, but process.simulated_devices makes only"
            f" {process.simulated_devices}."
        )
        yield "mesh.devices", message, ("process.simulated_devices",)


def grid(config: Config) -> Iterator[Finding]:
    """The difficulties to evaluate on exist, and the model can read them."""
    for axis, message in grid_faults(config, config.eval.grid):
        yield f"eval.grid.{axis}", message, ("eval.grid",)


RULES: tuple[Callable[[Config], Iterator[Finding]], ...] = (
    heads,
    foreign_keys,
    rotary,
    norms,
    convolution,
    vocabulary,
    source,
    batch,
    schedule,
    muon,
    optimizer,
    devices,
    grid,
)
