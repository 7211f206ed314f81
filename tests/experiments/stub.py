"""A small task with known text, and configs of seconds, for the tests of training."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

TEXT = ("the cat sat on the mat. " * 400 + "a dog ran to the red hill. " * 300).encode()


class Batch(NamedTuple):
    """Tokens, targets and weights, [B, T] each."""

    tokens: jax.Array
    targets: jax.Array
    weights: jax.Array
    slices: dict[str, jax.Array] = {}  # noqa: RUF012 - a tuple of arrays, never changed


class Bytes:
    """The byte vocabulary."""

    size = 256
    is_text = True

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode(self, tokens: list[int]) -> str:
        return bytes(tokens).decode(errors="replace")


class Task:
    """Windows of a short text, the last fifth of it for validation."""

    vocabulary = Bytes()
    fingerprint = "stub"
    bytes_per_token = 1.0
    whole = False

    def __init__(self, batch: int, context: int):
        self.shape = (batch, context)
        cut = len(TEXT) * 4 // 5
        halves = {"train": TEXT[:cut], "validation": TEXT[cut:]}
        self.arrays = {k: np.frombuffer(v, np.uint8) for k, v in halves.items()}
        self.validation_steps = (len(halves["validation"]) - 1) // (batch * context)

    def describe(self) -> str:
        return "stub text"

    def batch(self, arrays, seed, split, step):
        rows, context = self.shape
        text = arrays[split]
        if split == "train":
            rng = jax.random.fold_in(jax.random.key(seed), step)
            start = jax.random.randint(rng, (rows,), 0, text.size - context - 1)
        else:
            start = (step * rows + jnp.arange(rows)) * context
        window = text[start[:, None] + jnp.arange(context + 1)[None]].astype(jnp.int32)
        weights = jnp.ones((rows, context), jnp.float32)
        return Batch(window[:, :-1], window[:, 1:], weights)
