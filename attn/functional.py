"""What a transformer layer computes besides attention, as pure functions.

Axis letters: B batch, T positions, D model width, F feed-forward width, V vocabulary.
Sums run in float32, those of float64 in float64. What maps an `x` returns its dtype,
except for `unembed`, whose logits keep the dtype of their sums.
"""

import math
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from attn.numerics import accumulation_dtype, largest, look_up


def embed(table: Array, tokens: Array) -> Array:
    """Looks up one row of the table per token.

    Args:
      table: [V, D].
      tokens: [...] integers in 0..V-1.

    Returns:
      [..., D], dtype of `table`. A token outside the vocabulary, negative ones too,
      reads NaN, so that it is seen rather than silently replaced by another.
    """
    return look_up(table, tokens)


def unembed(table: Array, x: Array, *, accumulate: DTypeLike | None = None) -> Array:
    """Scores every token of the vocabulary: logits = x @ table.T.

    Args:
      table: [V, D].
      x: [..., D].
      accumulate: dtype of the sums and of the result; None means float64 for a
        float64 `x`, else float32.

    Returns:
      [..., V] in `accumulate`: the loss needs more digits than the layers do.
    """
    wide = accumulation_dtype(x.dtype) if accumulate is None else accumulate
    return jnp.einsum("...d,vd->...v", x, table, preferred_element_type=wide)


def linear(
    x: Array,
    kernel: Array,
    bias: Array | None = None,
    *,
    accumulate: DTypeLike | None = None,
) -> Array:
    """Maps the last axis: x @ kernel + bias.

    Args:
      x: [..., D].
      kernel: [D, F].
      bias: [F], or None.
      accumulate: dtype of the sums; None means float64 for a float64 `x`, else
        float32.

    Returns:
      [..., F], dtype of `x`.

    Raises:
      ValueError: `x` is not as wide as the kernel is high.
    """
    if x.shape[-1:] != kernel.shape[:1]:
        raise ValueError(
            f"linear: `x` must be [..., D] with D={kernel.shape[0]}, got {x.shape}."
        )
    # One plain matrix product: with more axes XLA:CPU transposes the wider operand of
    # the kernel's gradient and computes what made it again, element by element.
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    rows, kernel = apart_in_cache(rows, kernel)
    wide = accumulation_dtype(x.dtype) if accumulate is None else accumulate
    output = jnp.matmul(rows, kernel, preferred_element_type=wide)
    if bias is not None:
        output = output + along_last(bias, output)
    return output.astype(x.dtype).reshape(*x.shape[:-1], kernel.shape[-1])


def apart_in_cache(rows: Array, kernel: Array) -> tuple[Array, Array]:
    """Widens rows whose width would make a column fall on few lines of a cache.

    The kernel's gradient reads `rows` by columns. Where neighbours in a column are a
    multiple of 2,048 bytes apart, a CPU's first cache has 2 places for all of them:
    the gradient of [768, 512] takes 970 us, that of [768, 528] 630. Zeros add nothing.

    Args:
      rows: [R, D].
      kernel: [D, F].

    Returns:
      Both with D wider by a few zeros, or as they are where that does not help.
    """
    stride = rows.shape[1] * rows.dtype.itemsize
    if jax.default_backend() != "cpu" or stride == 0 or stride % 2048:
        return rows, kernel
    more = 64 // rows.dtype.itemsize  # one cache line
    return jnp.pad(rows, ((0, 0), (0, more))), jnp.pad(kernel, ((0, more), (0, 0)))


def split_heads(x: Array, heads: int) -> Array:
    """Cuts the last axis into heads: [..., N * H] to [..., N, H]."""
    return x.reshape(*x.shape[:-1], heads, x.shape[-1] // heads)


def merge_heads(x: Array) -> Array:
    """Concatenates the heads: [..., N, H] to [..., N * H]."""
    return x.reshape(*x.shape[:-2], x.shape[-2] * x.shape[-1])


def layer_norm(
    x: Array, scale: Array, bias: Array | None = None, *, epsilon: float = 1e-5
) -> Array:
    """Subtracts the mean, divides by the standard deviation, scales and shifts.

    Args:
      x: [..., D].
      scale: [D].
      bias: [D], or None.
      epsilon: added to the variance.

    Returns:
      [..., D], dtype of `x`; the statistics are float32 or wider.

    Reference: Ba, Kiros, Hinton 2016, eq. 4, arXiv 1607.06450.
    """
    wide = widen(x)
    centred = wide - wide.mean(-1, keepdims=True)
    variance = jnp.square(centred).mean(-1, keepdims=True)
    output = centred * jax.lax.rsqrt(variance + epsilon)
    output = output * along_last(scale, output)
    if bias is not None:
        output = output + along_last(bias, output)
    return output.astype(x.dtype)


def rms_norm(x: Array, scale: Array | None = None, *, epsilon: float = 1e-6) -> Array:
    """Divides by the root mean square and scales.

    Args:
      x: [..., D].
      scale: [D]; None leaves the direction alone.
      epsilon: added to the mean square.

    Returns:
      [..., D], dtype of `x`; the statistics are float32 or wider.

    Reference: Zhang, Sennrich 2019, eq. 4, arXiv 1910.07467.
    """
    wide = widen(x)
    output = wide * jax.lax.rsqrt(jnp.square(wide).mean(-1, keepdims=True) + epsilon)
    if scale is not None:
        output = output * along_last(scale, output)
    return output.astype(x.dtype)


def widen(x: Array) -> Array:
    """The array in the dtype that its sums run in."""
    return x.astype(accumulation_dtype(x.dtype))


def along_last(vector: Array, like: Array) -> Array:
    """A vector [D] with the rank and dtype of `like`, ready to broadcast."""
    return vector.astype(like.dtype).reshape((1,) * (like.ndim - 1) + (-1,))


@jax.custom_jvp
def gelu(x: Array) -> Array:
    """Gaussian error linear unit, exact. Hendrycks, Gimpel 2016, arXiv 1606.08415."""
    wide = widen(x)
    return (wide * _normal_cdf(wide)).astype(x.dtype)


@gelu.defjvp
def _gelu_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    # Both from one error function; backward then remembers the slope and nothing else.
    (x,), (tangent,) = primals, tangents
    wide = widen(x)
    below = _normal_cdf(wide)
    slope = below + wide * jnp.exp(-0.5 * wide * wide) * (2 * math.pi) ** -0.5
    return (wide * below).astype(x.dtype), slope.astype(x.dtype) * tangent


def _normal_cdf(x: Array) -> Array:
    """How likely a standard normal draw is to be smaller than x."""
    return 0.5 * (1.0 + jax.lax.erf(x * 0.5**0.5))


def relu(x: Array) -> Array:
    """Rectifier: max(x, 0). Nair, Hinton 2010."""
    return jax.nn.relu(x)


def relu2(x: Array) -> Array:
    """Squared rectifier. So et al. 2021 (Primer), arXiv 2109.08668."""
    return jnp.square(jax.nn.relu(x))


def silu(x: Array) -> Array:
    """Sigmoid linear unit: x * sigmoid(x). Elfwing et al. 2017, arXiv 1702.03118."""
    return jax.nn.silu(x)


ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "gelu": gelu,
    "relu": relu,
    "relu2": relu2,
    "silu": silu,
}

# Gated activations: the feed-forward width is split into a gate and what it gates.
# Shazeer 2020, arXiv 2002.05202.
GATES: Mapping[str, Callable[[Array], Array]] = {
    "swiglu": silu,
    "geglu": gelu,
    "reglu": relu,
}


def gated(gate: Array, x: Array, activation: Callable[[Array], Array]) -> Array:
    """Lets one half of the features switch the other: activation(gate) * x."""
    return activation(gate) * x


def softcap(logits: Array, cap: float | None) -> Array:
    """Bounds logits smoothly: cap * tanh(logits / cap); None leaves them alone."""
    return logits if cap is None else cap * jnp.tanh(logits / cap)


def mean_pool(x: Array, present: Array) -> Array:
    """The mean of the rows that are there.

    Args:
      x: [..., T, D].
      present: [..., T] bool.

    Returns:
      [..., D], dtype of `x`; zeros where there is no row. Sums are float32 or wider.
    """
    wide = jnp.where(present[..., None], widen(x), 0.0)
    count = jnp.maximum(present.sum(-1, keepdims=True), 1).astype(wide.dtype)
    return (wide.sum(-2) / count).astype(x.dtype)


def first_pool(x: Array, present: Array) -> Array:
    """The first of the rows that are there, or 0 without any."""
    if not x.shape[-2]:  # of no rows none is the first
        return jnp.zeros((*x.shape[:-2], x.shape[-1]), x.dtype)
    first = present.argmax(-1)[..., None, None]
    row = jnp.take_along_axis(x, first, axis=-2)[..., 0, :]
    return jnp.where(present.any(-1, keepdims=True), row, jnp.zeros((), x.dtype))


def max_pool(x: Array, present: Array) -> Array:
    """The largest of each feature over the rows that are there, or 0 without any."""
    lowest = jnp.finfo(x.dtype).min
    most = largest(jnp.where(present[..., None], x, lowest), axis=-2)
    return jnp.where(present.any(-1, keepdims=True), most, jnp.zeros((), x.dtype))


def dropout(x: Array, rate: float, rng: Array | None) -> Array:
    """Zeroes a share `rate` of the entries and scales the rest by 1 / (1 - rate).

    Without an `rng` (evaluation) or at rate 0 the input comes back unchanged.

    Reference: Srivastava et al. 2014, JMLR 15, section 4.
    """
    if rng is None or rate == 0.0:
        return x
    kept = jax.random.bernoulli(rng, 1.0 - rate, x.shape)
    return jnp.where(kept, x / (1.0 - rate), jnp.zeros((), x.dtype))
