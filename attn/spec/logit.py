"""What a logits piece is: `apply(logits, site) -> logits`, joined by `>>`."""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from attn import numerics
from attn.spec.field import is_array, is_varying
from attn.spec.piece import Parameter, Piece, piece
from attn.spec.site import Site

LEARNED = "learned"


class Logits(Piece):
    """Base of the logits pieces.

    `opaque` says that a user's function is inside, whose derivative at hidden pairs
    nobody vouches for.
    """

    kind = "logits"
    opaque: ClassVar[bool] = False

    def apply(self, logits: jax.Array, site: Site) -> jax.Array:
        """New logits [T, S] of logits [T, S]."""
        raise NotImplementedError

    def apply_visible(self, raw: jax.Array, site: Site, allowed: Any) -> jax.Array:
        """`apply`, so that nothing of a hidden pair comes back in a gradient.

        A hidden similarity may have overflowed, and a distance that the mask forbids
        be no number to a user's function: the derivative there is NaN, and so is
        0 * NaN. Pieces see zeros instead, and users' functions the query's position.

        Args:
          raw: [T, S], similarities.
          site: Where they are.
          allowed: Booleans that broadcast to [T, S]; None where every pair counts.

        Returns:
          Logits [T, S]; the caller hides what is not allowed.
        """
        if allowed is None or isinstance(self, Identity):
            return self.apply(raw, site)
        if self.has_opaque():
            site = site.visible(allowed)
        return self.apply(numerics.hide(raw, allowed, 0.0), site)

    def has_opaque(self) -> bool:
        """Whether a user's function is anywhere inside."""
        return any(getattr(inner, "opaque", False) for inner in self.walk())

    def __rshift__(self, other):
        if not isinstance(other, Logits):
            return NotImplemented
        if isinstance(self, Identity) or isinstance(other, Identity):
            return other if isinstance(self, Identity) else self
        if isinstance(other, Then):  # one tree whatever the brackets
            return Then(self >> other.left, other.right)
        return Then(self, other)


def check_number(piece_: Piece, field: str, *, positive: bool = False) -> None:
    """Checks a static number; arrays and the word `learned` pass."""
    value, words = getattr(piece_, field), piece_.own_parameters(1)
    if is_array(value) or is_varying(value) or field in words:
        return
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not good or not math.isfinite(value) or (positive and value <= 0):
        what = "a positive number" if positive else "a finite number"
        if field in piece_.replace(**{field: LEARNED}).own_parameters(1):
            what = f"{what} or {LEARNED!r}"
        raise ValueError(f"{piece_.name}: `{field}` must be {what}, got {value!r}.")


def known(piece_: Piece, field: str, dtype: Any) -> jax.Array:
    """A field as an array; raises if a module was to learn it and none did."""
    value = getattr(piece_, field)
    if field in piece_.own_parameters(1):
        raise ValueError(
            f"{piece_.name}: `{field}` is to be learned and has no value yet: use it "
            f"in a module, or give an array, {piece_.name}({field}=...)."
        )
    return jnp.asarray(value, dtype)


@piece("identity")
class Identity(Logits):
    """Leaves the logits as they are; the neutral piece."""

    reference: ClassVar[str] = "Vaswani et al. 2017, eq. 1, arXiv 1706.03762"

    def apply(self, logits, site):
        return logits


@piece("then")
class Then(Logits):
    """One piece after another, in reading order: `left >> right`."""

    left: Any
    right: Any

    def apply(self, logits, site):
        return self.right.apply(self.left.apply(logits, site), site)

    def __repr__(self):
        return f"{self.left!r} >> {self.right!r}"


def learned_scalar(value: Any, field: str, num_heads: int, start: float) -> dict:
    """The parameter of a field that says "learned": a number a head; else none."""
    if not isinstance(value, str) or value != LEARNED:
        return {}
    init = jax.nn.initializers.constant(start)
    return {field: Parameter((num_heads,), init, per_head=True)}
