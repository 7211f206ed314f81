"""How a query and a key get a number: `compare(query [T,H], key [S,H]) -> [T,S]`."""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from attn.numerics import accumulation_dtype, finite
from attn.products import product
from attn.spec.field import is_array, is_varying
from attn.spec.piece import Piece, piece


class Similarity(Piece):
    """Base of the similarities."""

    kind = "similarity"

    def compare(self, query: jax.Array, key: jax.Array) -> jax.Array:
        """Logits [T, S] in the accumulation dtype, of query [T, H] and key [S, H]."""
        raise NotImplementedError

    def pair_flops(self, width: int) -> int:
        """FLOPs of one number, of a query and a key of `width`: their product."""
        return 2 * width

    def query_flops(self, width: int) -> int:
        """FLOPs that a query costs once, however many keys there are."""
        return 0

    def key_flops(self, width: int) -> int:
        """FLOPs that a key costs once, however many queries there are."""
        return 0


def compare_shielded(similarity: Similarity, query: jax.Array, key: jax.Array):
    """`similarity.compare` whose derivative ignores NaN and infinities in its input.

    A hidden pair has a cotangent of 0, and 0 * NaN would reach every gradient. The
    value is untouched: what a query sees of a NaN, it still sees.
    """
    if not any(piece.is_closed_over_traced() for piece in similarity.walk()):
        return _shielded(similarity, query, key)
    # No rule may close over what is traced, so everything is computed twice.
    seen = jax.lax.stop_gradient(similarity.compare(query, key))
    clean = similarity.compare(finite(query), finite(key))
    return jnp.where(seen == clean, clean, seen)


@jax.custom_jvp
def _shielded(similarity, query, key):
    return similarity.compare(query, key)


@_shielded.defjvp
def _shielded_jvp(primals, tangents):
    similarity, query, key = primals
    clean = similarity, finite(query), finite(key)
    _, tangent = jax.jvp(lambda s, q, k: s.compare(q, k), clean, tangents)
    return _shielded(*primals), tangent


def _product(query: jax.Array, key: jax.Array) -> jax.Array:
    """query @ key.T, summed in the accumulation dtype."""
    return product(query, key.T)


def _wide(*arrays: Any) -> list[jax.Array]:
    """The arrays in the accumulation dtype of the first."""
    dtype = accumulation_dtype(arrays[0].dtype)
    return [jnp.asarray(array, dtype) for array in arrays]


def _positive(name: str, field: str, value: Any) -> None:
    """Checks a static number; arrays and None pass."""
    if value is None or is_array(value) or is_varying(value):
        return
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not good or not 0 < value < math.inf:
        raise ValueError(f"{name}: `{field}` must be a positive number, got {value!r}.")


@piece("dot")
class Dot(Similarity):
    """Scaled dot product.

    query @ key.T * scale, with scale = 1 / sqrt(H) where it is None.

    Reference:
      Vaswani et al. 2017, equation 1, arXiv 1706.03762.
    """

    scale: Any = None
    numbers = ("scale",)
    reference: ClassVar[str] = "Vaswani et al. 2017, eq. 1, arXiv 1706.03762"

    def validate(self):
        _positive("dot", "scale", self.scale)

    def compare(self, query, key):
        logits = _product(query, key)
        scale = 1 / math.sqrt(query.shape[-1]) if self.scale is None else self.scale
        return logits * jnp.asarray(scale, logits.dtype)


@piece("cosine")
class Cosine(Similarity):
    """Cosine of the angle, divided by a temperature.

    query @ key.T / (|query| |key|) / temperature; a vector of zeros has cosine 0.

    Reference:
      Henry et al. 2020, section 3, arXiv 2010.04245 (query-key normalisation).
    """

    temperature: Any = 0.1
    numbers = ("temperature",)
    reference: ClassVar[str] = "Henry et al. 2020, section 3, arXiv 2010.04245"

    def validate(self):
        _positive("cosine", "temperature", self.temperature)

    def compare(self, query, key):
        query, key = _wide(query, key)
        logits = _product(unit(query), unit(key))
        return logits / jnp.asarray(self.temperature, logits.dtype)


def unit(array: jax.Array) -> jax.Array:
    """Rows of length 1; a row of zeros stays zero, with zero gradient."""
    # The square of 1e20 is infinite in 32 bits, that of 1e-23 zero: the largest entry
    # is divided out first, and as the length does not depend on it, nor do gradients.
    size = jnp.max(jnp.abs(array), axis=-1, keepdims=True, initial=0.0)
    size = jax.lax.stop_gradient(size)
    zero = size == 0
    array = array / jnp.where(zero, 1.0, size)
    square = jnp.sum(array * array, axis=-1, keepdims=True)
    return jnp.where(zero, 0.0, array * jax.lax.rsqrt(jnp.where(zero, 1.0, square)))


@piece("bilinear")
class Bilinear(Similarity):
    """Bilinear form with a learned matrix [H, H] (Luong's `general`).

    query @ matrix @ key.T

    Reference:
      Luong et al. 2015, equation 8, arXiv 1508.04025.
    """

    matrix: Any
    reference: ClassVar[str] = "Luong et al. 2015, eq. 8, arXiv 1508.04025"

    def validate(self):
        _array(self, "matrix", "[H, H]")

    def compare(self, query, key):
        query, key, matrix = _wide(query, key, self.matrix)
        _fits("bilinear", "matrix", matrix, (query.shape[-1], key.shape[-1]), "[H, H]")
        return _product(query @ matrix, key)

    def query_flops(self, width):
        return 2 * width * self.matrix.shape[-1]


@piece("additive")
class Additive(Similarity):
    """A small network of query and key (Bahdanau).

    tanh(query @ query_map + key @ key_map) @ vector, with maps [H, A], vector [A].

    Reference:
      Bahdanau et al. 2015, appendix A.1.2, arXiv 1409.0473.
    """

    query_map: Any
    key_map: Any
    vector: Any
    letters: ClassVar = {"query_map": "[H, A]", "key_map": "[H, A]", "vector": "[A]"}
    reference: ClassVar[str] = "Bahdanau et al. 2015, appendix A.1.2, arXiv 1409.0473"

    def validate(self):
        for field, letters in self.letters.items():
            _array(self, field, letters)

    def compare(self, query, key):
        query, key, a, b, vector = _wide(
            query, key, self.query_map, self.key_map, self.vector
        )
        hidden = vector.shape[-1]
        _fits("additive", "query_map", a, (query.shape[-1], hidden), "[H, A]")
        _fits("additive", "key_map", b, (key.shape[-1], hidden), "[H, A]")
        return jnp.tanh((query @ a)[:, None] + (key @ b)[None]) @ vector

    def pair_flops(self, width):
        return 2 * self.vector.shape[-1]

    def query_flops(self, width):
        return 2 * width * self.vector.shape[-1]

    key_flops = query_flops


@piece("l2")
class L2(Similarity):
    """Negative squared distance.

    -scale * |query - key|^2, with scale = 1 / sqrt(H) where it is None.

    Reference:
      Kim et al. 2021, section 3.2, arXiv 2006.04710 (L2 self-attention).
    """

    scale: Any = None
    numbers = ("scale",)
    reference: ClassVar[str] = "Kim et al. 2021, section 3.2, arXiv 2006.04710"

    def validate(self):
        _positive("l2", "scale", self.scale)

    def compare(self, query, key):
        query, key = _wide(query, key)
        lengths = jnp.sum(query**2, -1)[:, None] + jnp.sum(key**2, -1)[None]
        scale = 1 / math.sqrt(query.shape[-1]) if self.scale is None else self.scale
        distance = lengths - 2.0 * _product(query, key)
        return -distance * jnp.asarray(scale, distance.dtype)


def _array(similarity: Similarity, field: str, letters: str) -> None:
    """Refuses a number or a word where an array belongs; its shape is seen later."""
    value = getattr(similarity, field)
    if (
        not (is_array(value) or is_varying(value))
        or getattr(value, "shape", (1,)) == ()
    ):
        raise ValueError(
            f"{similarity.name}: `{field}` must be an array {letters}, got {value!r}."
        )


def _fits(name: str, field: str, array: Any, shape: tuple, letters: str) -> None:
    if array.shape != shape:
        raise ValueError(
            f"{name}: `{field}` must be {letters} = {list(shape)}, got {array.shape}."
        )


SIMILARITIES = {
    "dot": Dot(),
    "cosine": Cosine(),
    "bilinear": Bilinear,
    "additive": Additive,
    "l2": L2(),
}
