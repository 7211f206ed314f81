"""What is measured: each rival computes a case as its users would call it."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

DOCUMENTS = 8  # of a packed sequence
WINDOW_BACK = 255
CAP = 50.0


@dataclasses.dataclass(frozen=True)
class Case:
    """One attention call.

    Attributes:
      kind: causal, full, window, documents or alibi_softcap.
      batch: B.
      heads: N.
      length: T = S.
      width: H = E.
      backward: Whether gradients of query, key and value are computed too.
    """

    kind: str
    batch: int
    heads: int
    length: int
    width: int = 64
    backward: bool = False

    @property
    def label(self) -> str:
        """A line for tables."""
        work = "fwd+bwd" if self.backward else "fwd"
        shape = (self.batch, self.heads, self.length, self.width)
        return f"{self.kind} {work} {shape}"

    def arrays(self) -> list[np.ndarray]:
        """Query, key, value and output cotangent, [B, T, N, H] float32."""
        random = np.random.default_rng(0)
        shape = (self.batch, self.length, self.heads, self.width)
        return [random.standard_normal(shape, np.float32) for _ in range(4)]

    def mask(self) -> np.ndarray:
        """Booleans [T, T] of the cases that a dense mask must say."""
        i, j = np.ogrid[: self.length, : self.length]
        if self.kind == "window":
            return (j <= i) & (j >= i - WINDOW_BACK)
        size = self.length // DOCUMENTS
        return (j <= i) & (i // size == j // size)


def ours(case: Case) -> Callable[[], Any]:
    """A plain call of `attn.attend_heads`."""
    import jax.numpy as jnp  # each rival lives in a process of its own

    import attn

    at, spec = None, {"full": "everything"}.get(case.kind, "causal")
    if case.kind == "window":
        spec = f"causal & window(back={WINDOW_BACK})"
    if case.kind == "documents":
        spec = "causal & segments"
        segment = jnp.arange(case.length) // (case.length // DOCUMENTS)
        at = attn.at(segment=segment)
    if case.kind == "alibi_softcap":
        spec = attn.parse(f"Attention(logits=softcap({CAP}) >> alibi, mask=causal)")
    return _jax(case, lambda *x: attn.attend_heads(spec, *x, at=at).value)


def jax_nn(case: Case) -> Callable[[], Any]:
    """`jax.nn.dot_product_attention`, jitted."""
    import jax

    causal = case.kind == "causal"
    return _jax(case, lambda *x: jax.nn.dot_product_attention(*x, is_causal=causal))


def plain(case: Case) -> Callable[[], Any]:
    """ALiBi and softcap written in plain jax.numpy, jitted."""
    import jax
    import jax.numpy as jnp

    slopes = 2.0 ** (-8.0 * np.arange(1, case.heads + 1) / case.heads)

    def compute(query, key, value):
        logits = jnp.einsum("btnh,bsnh->bnts", query, key) / np.sqrt(case.width)
        logits = CAP * jnp.tanh(logits / CAP)
        i, j = jnp.arange(case.length)[:, None], jnp.arange(case.length)[None]
        distance = jnp.abs(i - j).astype(jnp.float32)
        logits -= jnp.asarray(slopes, jnp.float32)[:, None, None] * distance
        weights = jax.nn.softmax(jnp.where(j <= i, logits, -jnp.inf), -1)
        return jnp.einsum("bnts,bsnh->btnh", weights, value)

    return _jax(case, compute)


def _jax(case: Case, compute: Callable) -> Callable[[], Any]:
    import jax
    import jax.numpy as jnp

    *inputs, cotangent = map(jnp.asarray, case.arrays())

    def both(*inputs_and_cotangent):
        *inputs, cotangent = inputs_and_cotangent
        output, pull = jax.vjp(compute, *inputs)
        return output, *pull(cotangent)

    if case.backward:
        step, inputs = jax.jit(both), (*inputs, cotangent)
    else:
        step = jax.jit(lambda *x: (compute(*x),))
    return lambda: jax.block_until_ready(step(*inputs))


def torch_sdpa(case: Case) -> Callable[[], Any]:
    """`scaled_dot_product_attention`; inputs lie as torch likes them, [B, N, T, H]."""
    import torch

    arrays = [torch.tensor(x.swapaxes(1, 2).copy()) for x in case.arrays()]
    *inputs, cotangent = arrays
    options: dict[str, Any] = {"is_causal": case.kind == "causal"}
    if case.kind in ("window", "documents"):
        options = {"attn_mask": torch.tensor(case.mask())}
    attend = torch.nn.functional.scaled_dot_product_attention

    def forward():
        with torch.no_grad():
            return (attend(*inputs, **options).transpose(1, 2),)

    def both():
        for x in inputs:
            x.grad = None
            x.requires_grad_()
        output = attend(*inputs, **options)
        output.backward(cotangent)
        return tuple(
            x.transpose(1, 2) for x in (output.detach(), *[x.grad for x in inputs])
        )

    return both if case.backward else forward


RIVALS = {"ours": ours, "jax.nn": jax_nn, "plain jnp": plain, "torch": torch_sdpa}
