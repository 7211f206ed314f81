"""`jax.nn.dot_product_attention`: where a spec is exactly what it computes."""

import jax
import jax.numpy as jnp

from attn.shapes import Shapes
from attn.spec.attention import Attention
from attn.spec.logit import Identity
from attn.spec.mask import And, Everything, Mask
from attn.spec.masks import Causal, Window
from attn.spec.normalizers import Softmax
from attn.spec.similarity import Dot
from attn.spec.site import At

HALF = ("bfloat16", "float16")
WIDEST = 128  # of a head, for cuDNN on every generation of GPU since Ampere


def supports(
    spec: Attention, shapes: Shapes, platform: str, probes: tuple[str, ...] = ()
) -> str | None:
    """Why jax.nn computes something else, or None."""
    if type(spec.similarity) is not Dot or not isinstance(
        spec.similarity.scale, (int, float, type(None))
    ):
        return (
            f"its similarity is a dot product of fixed scale, not `{spec.similarity!r}`"
        )
    if not isinstance(spec.logits, Identity):
        return f"it has no logits piece such as `{spec.logits!r}`"
    if type(spec.normalizer) is not Softmax or spec.normalizer.sink is not None:
        return f"its normalizer is a plain softmax, not `{spec.normalizer!r}`"
    if spec.dropout.rate:
        return "its dropout would draw other numbers"
    if probes:
        return f"it returns no probes such as `{probes[0]}`"
    if shapes.placed:
        return "it counts positions from 0, and `at` gives others"
    return _mask_reason(spec.mask, shapes) or _shape_reason(shapes)


def _mask_reason(mask: Mask, shapes: Shapes) -> str | None:
    options = _options(mask)
    if options is None:
        return f"it has no mask such as `{mask!r}` that hides keys as exactly"
    if options and shapes.t != shapes.s:
        return "with T != S it aligns positions of its own"
    return None


def _shape_reason(shapes: Shapes) -> str | None:
    if jnp.dtype(shapes.dtype) == jnp.float64:
        return "it computes the softmax of float64 in float32"
    if shapes.mixed:
        return "query, key and value must be of one dtype"
    if shapes.h != shapes.e:
        return f"key and value must be of one width, got H={shapes.h}, E={shapes.e}"
    return None


def _options(mask: Mask) -> dict | None:
    """The arguments of jax.nn that say the mask, or None where none do."""
    if isinstance(mask, Everything):
        return {}
    if type(mask) is Causal:
        return {"is_causal": True}
    if isinstance(mask, And):
        sides = {type(mask.left): mask.left, type(mask.right): mask.right}
        if set(sides) == {Causal, Window} and isinstance(sides[Window].back, int):
            return {"is_causal": True, "local_window_size": (sides[Window].back, 0)}
    return None


def attend(
    spec: Attention,
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    *,
    at: At | None = None,
    rng: jax.Array | None = None,
    probes: tuple[str, ...] = (),
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Attention of one head by jax.nn, on GPU by cuDNN where it can; see `supports`.

    A NaN or an infinity in a hidden key reaches the rows that do not see it, as it does
    in jax.nn: where an input may hold one, name another backend.
    """
    (t, h), (s, e) = query.shape, value.shape
    shapes = Shapes(t, s, h, e, dtype=query.dtype)
    implementation = "cudnn" if is_kernel(shapes, jax.default_backend()) else "xla"
    output = jax.nn.dot_product_attention(
        query[:, None],
        key[:, None],
        value[:, None],
        scale=spec.similarity.scale,
        implementation=implementation,
        **_options(spec.mask) or {},
    )
    return output[:, 0], {}


def is_kernel(shapes: Shapes, platform: str) -> bool:
    """Whether cuDNN's kernel takes these shapes: half precision, narrow, even."""
    half = jnp.dtype(shapes.dtype).name in HALF
    narrow = shapes.h <= WIDEST and shapes.h % 8 == 0
    even = shapes.t % 2 == 0 and shapes.s % 2 == 0
    return _has_cudnn(platform) and half and narrow and even


def _has_cudnn(platform: str) -> bool:
    """Whether a GPU is one of NVIDIA's since Ampere, as it is taken to be from afar."""
    if platform != "gpu" or jax.default_backend() != "gpu":
        return platform == "gpu"
    capability = str(getattr(jax.devices()[0], "compute_capability", ""))
    return capability.split(".")[0].isdigit() and float(capability) >= 8
