"""`attn doctor`: is this machine fit to run on, and if not, what to do."""

import math
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from experiments import manifest
from experiments.errors import UserError

OK, WARNING, BAD = "ok", "warning", "bad"
RANGES = {"jax": ((0, 10, 2), (0, 13)), "flax": ((0, 12, 8), (0, 13))}
KNOWN_BAD = {
    ("jaxlib", "0.10.0"): "aborts on gradients of set attention (jax#39264)",
    ("jaxlib", "0.10.1"): "aborts on gradients of set attention (jax#39264)",
    ("jaxlib", "0.10.2"): "wrong results were reported on CPU (jax#39103)",
}


@dataclass(frozen=True)
class Finding:
    """What one check found, and what to do about it."""

    check: str
    state: str
    text: str
    remedy: str = ""


def examine(runs: Path) -> Iterator[Finding]:
    """Runs every check; one that fails is a finding, not an end."""
    checks: dict[str, Callable[[], list[Finding]]] = {
        "versions": versions,
        "devices": devices,
        "compiler": compiler,
        "cache": compilation_cache,
        "step": step,
        "runs": lambda: writable(runs),
    }
    for name, check in checks.items():
        yield from _guarded(name, check)


def _guarded(name: str, check: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return check()
    except UserError as error:
        return [Finding(name, BAD, str(error))]
    except Exception as error:  # whatever is broken here is what the user asks about
        text = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        remedy = "Reinstall in a fresh environment: pip install --force-reinstall attn"
        return [Finding(name, BAD, text, remedy)]


def versions() -> list[Finding]:
    """Installed versions against the tested range and the known-bad ones."""
    found = manifest.versions()
    text = ", ".join(f"{name} {number}" for name, number in found.items() if number)
    listed = [Finding("versions", OK, text)]
    for name, (least, below) in RANGES.items():
        number = tuple(map(int, re.findall("[0-9]+", found[name] or "0")[:3]))
        if not least <= number < below:
            said = f"{name} {found[name]} is outside the tested range"
            remedy = f"pip install '{name}>={_dotted(least)},<{_dotted(below)}'"
            listed.append(Finding("versions", WARNING, said, remedy))
    for (name, number), what in KNOWN_BAD.items():
        if found.get(name) == number:
            remedy = "The compiler check below says whether it happens here."
            listed.append(
                Finding("versions", WARNING, f"{name} {number}: {what}", remedy)
            )
    return listed


def _dotted(number: tuple[int, ...]) -> str:
    return ".".join(map(str, number))


def devices() -> list[Finding]:
    """What JAX runs on."""
    import jax  # here, not above: whether it can be imported is a finding

    kinds = ", ".join(f"{each.platform} {each.device_kind}" for each in jax.devices())
    return [Finding("devices", OK, f"{kinds}; {manifest.cores()} cores")]


def compiler() -> list[Finding]:
    """Compiled against op-by-op results on the patterns with reported errors."""
    import jax

    from experiments.canary import CANARIES

    wrong = []
    for name, (function, definition, arguments) in CANARIES.items():
        with jax.disable_jit():
            plain = definition(*arguments)
        compiled = jax.jit(function)(*arguments)
        if not np.allclose(plain, compiled, rtol=1e-4, atol=1e-4):
            wrong.append(name)
    if not wrong:
        return [Finding("compiler", OK, f"{len(CANARIES)} canaries, jit = op by op")]
    text = f"jit differs from op by op: {', '.join(wrong)}"
    remedy = (
        "Upgrade jaxlib, or set XLA_FLAGS=--xla_cpu_experimental_ynn_fusion_type="
        " (jaxlib 0.10 and 0.11)."
    )
    return [Finding("compiler", BAD, text, remedy)]


def compilation_cache() -> list[Finding]:
    """Whether a second start will find what the first one compiled."""
    from experiments import cache

    said = cache.begin()
    if said.startswith(cache.OFF):
        remedy = "Nothing need be done, but every start compiles anew."
        return [Finding("cache", WARNING, said, remedy)]
    count, size = cache.content(Path(said))
    text = f"{said}: {count} programs, {size / 1e6:.1f} MB, read back when needed"
    return [Finding("cache", OK, text)]


def step() -> list[Finding]:
    """One training step of the default config on its own data, timed."""
    import jax

    from experiments import tasks
    from experiments.config import load
    from experiments.setup import assemble
    from experiments.shipped import find_config

    config = load(find_config(None))
    setup = assemble(config, tasks.build(config.data))
    state, seconds = setup.start(), []
    for _ in range(3):
        began = time.perf_counter()
        state, metrics, _ = setup.train_call(state, setup.inputs, np.int32(1))
        loss = float(jax.block_until_ready(metrics["loss"])[0])
        seconds.append(time.perf_counter() - began)
    text = (
        f"loss {loss:.3f}, compiled in {seconds[0]:.1f} s,"
        f" then {1e3 * seconds[-1]:.0f} ms for {setup.derived.tokens_per_step:,} tokens"
    )
    if math.isfinite(loss):
        return [Finding("step", OK, text)]
    return [
        Finding("step", BAD, text, "The loss is not finite: see the compiler above.")
    ]


def writable(runs: Path) -> list[Finding]:
    """Whether runs can be written where they would go."""
    place = next(each for each in (runs, *runs.absolute().parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            return [Finding("runs", OK, f"{runs} can be written")]
    except OSError as error:
        text = f"{place} cannot be written: {error.strerror}"
        return [Finding("runs", BAD, text, "Choose another folder with --runs.")]


def as_dicts(findings: list[Finding]) -> list[dict[str, str]]:
    """The findings for JSON."""
    return [asdict(each) for each in findings]
