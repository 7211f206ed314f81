"""`attn explain`: which backend would compute a spec, and why the others do not."""

import json
import re
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.commands.options import AsJson
from experiments.errors import UserError

if TYPE_CHECKING:
    from attn.shapes import Shapes
    from attn.spec.attention import Attention

MOST = 2**31 - 1  # of any axis
DTYPES = ("float32", "bfloat16", "float16", "float64")
PLATFORMS = ("cpu", "gpu", "tpu")


def explain(
    spec: Annotated[
        str, typer.Argument(help='Notation, such as "causal & window(back=128)".')
    ] = "causal",
    shape: Annotated[
        str, typer.Option(help="Batch x positions x heads x width.")
    ] = "1x1024x8x64",
    keys: Annotated[
        str | None,
        typer.Option(help="Key positions x key heads, if they are others."),
    ] = None,
    dtype: Annotated[str, typer.Option(help="Number format.")] = "float32",
    platform: Annotated[
        str | None,
        typer.Option(help="cpu, gpu or tpu (default: this machine's)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say which backend would compute a spec, and why the others refuse."""
    _check("--dtype", dtype, DTYPES)
    _check("--platform", platform or "cpu", PLATFORMS)
    shapes = read_shapes(shape, keys, dtype)
    found = answers(spec, shapes, platform)
    if as_json:
        print(json.dumps(found, indent=2))
        return
    sizes = f"{shape}, keys {keys}" if keys else shape
    print(f"{found['spec']} on {found['platform']}, {sizes}, {dtype}")
    cost = found["cost"]
    print(
        f"{cost['flops']:,} FLOPs in products, {cost['pairs']:.1%} of all pairs;"
        f" decoding remembers {cost['state_bytes_per_token']:,.0f} bytes a token"
    )
    for name, reason in found["backends"].items():
        why = f" ({found['why']})" if reason == "runs" else ""
        print(f"  {name:<11}{reason}{why}")


def _check(option: str, name: str, known: tuple[str, ...]) -> None:
    from experiments.config import did_you_mean  # late, for start-up time

    if name not in known:
        hint = did_you_mean(name, known)
        raise UserError(f"attn explain: {option} does not know `{name[:40]}`. {hint}")


def read_shapes(shape: str, keys: str | None, dtype: str) -> "Shapes":
    """The sizes that the options name.

    Raises:
      UserError: they cannot be read, or the heads do not divide.
    """
    from attn.shapes import Shapes  # late: it imports JAX

    batch, t, heads, width = _numbers("--shape", shape, 4, "1x1024x8x64")
    s, key_heads = _numbers("--keys", keys, 2, "2048x2") if keys else (t, heads)
    if heads % key_heads:
        raise UserError(
            f"attn explain: key heads must divide heads, got {key_heads} and {heads}."
        )
    return Shapes(
        t, s, width, width, heads=heads, key_heads=key_heads, batch=batch, dtype=dtype
    )


def _numbers(option: str, text: str, count: int, example: str) -> list[int]:
    found = [int(word) for word in re.findall("[0-9]{1,10}", text)]
    form = re.fullmatch(r"[0-9]{1,10}([x*, ]+[0-9]{1,10})*", text.strip())
    if form is None or len(found) != count or not all(0 < n <= MOST for n in found):
        raise UserError(
            f"attn explain: {option} expected {count} whole numbers such as {example},"
            f" got {text[:60]!a}."
        )
    return found


def answers(spec: str, shapes: "Shapes", platform: str | None) -> dict:
    """What each backend says: runs and why, could run, or why it refuses."""
    from attn import explain  # late, like the one below
    from attn.spec.attention import as_attention

    found = explain(spec, shapes, platform=platform)
    said = {
        name: f"refuses: {reason}" if reason else "could run"
        for name, reason in found.reasons.items()
    }
    return {
        "spec": found.spec,
        "platform": found.platform,
        "cost": declared(as_attention(spec), shapes),
        "backends": said | {found.runs: "runs"},
        "why": found.why,
    }


def declared(spec: "Attention", shapes: "Shapes") -> dict[str, float]:
    """What the mathematics of a call costs, whatever computes it."""
    import jax.numpy as jnp  # late, like the one below

    from attn.spec.cost import attention_flops, pairs, remembered

    flops = attention_flops(
        spec,
        shapes.t,
        shapes.s,
        heads=shapes.heads,
        width=shapes.h,
        value_width=shapes.e,
    )
    token = shapes.key_heads * (shapes.h + shapes.e) * jnp.dtype(shapes.dtype).itemsize
    return {
        "flops": shapes.batch * flops,
        "pairs": pairs(spec.mask, shapes.t, shapes.s) / (shapes.t * shapes.s),
        "state_bytes_per_token": token * remembered(spec.mask, shapes.s) / shapes.s,
    }
