"""Attention in JAX: pure pieces over one head, lifted by vmap."""

from attn.backends.dispatch import Output, attend
from attn.backends.explain import Explanation, explain
from attn.heads import attend_heads, embed_positions, rotate_heads
from attn.spec.attention import Attention, as_attention, dropout
from attn.spec.field import per_batch, per_head
from attn.spec.logits import LOGITS
from attn.spec.mask import Cover
from attn.spec.masks import MASKS
from attn.spec.normalizers import NORMALIZERS
from attn.spec.notation import NotationError, parse
from attn.spec.piece import Piece
from attn.spec.positions import POSITIONS
from attn.spec.scaling import SCALINGS
from attn.spec.similarity import SIMILARITIES
from attn.spec.site import At, Site, at

dot = SIMILARITIES["dot"]
cosine = SIMILARITIES["cosine"]
bilinear = SIMILARITIES["bilinear"]
additive = SIMILARITIES["additive"]
l2 = SIMILARITIES["l2"]
identity = LOGITS["identity"]
scale = LOGITS["scale"]
log_length = LOGITS["log_length"]
softcap = LOGITS["softcap"]
alibi = LOGITS["alibi"]
t5 = LOGITS["t5"]
decay = LOGITS["decay"]
bias = LOGITS["bias"]
fn = LOGITS["fn"]
everything = MASKS["everything"]
causal = MASKS["causal"]
window = MASKS["window"]
prefix = MASKS["prefix"]
segments = MASKS["segments"]
first = MASKS["first"]
dilated = MASKS["dilated"]
chunked = MASKS["chunked"]
global_tokens = MASKS["global_tokens"]
random_blocks = MASKS["random_blocks"]
blocks = MASKS["blocks"]
dense = MASKS["dense"]
predicate = MASKS["predicate"]
softmax = NORMALIZERS["softmax"]
softmax_one = NORMALIZERS["softmax_one"]
sigmoid = NORMALIZERS["sigmoid"]
relu2 = NORMALIZERS["relu2"]
stick_breaking = NORMALIZERS["stick_breaking"]
entmax = NORMALIZERS["entmax"]
sparsemax = NORMALIZERS["sparsemax"]
none = POSITIONS["none"]
sinusoidal = POSITIONS["sinusoidal"]
learned = POSITIONS["learned"]
rotary = POSITIONS["rotary"]
linear = SCALINGS["linear"]
ntk = SCALINGS["ntk"]
yarn = SCALINGS["yarn"]

__all__ = [
    "LOGITS",
    "MASKS",
    "NORMALIZERS",
    "POSITIONS",
    "SCALINGS",
    "SIMILARITIES",
    "At",
    "Attention",
    "Cover",
    "Explanation",
    "NotationError",
    "Output",
    "Piece",
    "Site",
    "additive",
    "alibi",
    "as_attention",
    "at",
    "attend",
    "attend_heads",
    "bias",
    "bilinear",
    "blocks",
    "causal",
    "chunked",
    "cosine",
    "decay",
    "dense",
    "dilated",
    "dot",
    "dropout",
    "embed_positions",
    "entmax",
    "everything",
    "explain",
    "first",
    "fn",
    "global_tokens",
    "identity",
    "l2",
    "learned",
    "linear",
    "log_length",
    "none",
    "ntk",
    "parse",
    "per_batch",
    "per_head",
    "predicate",
    "prefix",
    "random_blocks",
    "relu2",
    "rotary",
    "rotate_heads",
    "scale",
    "segments",
    "sigmoid",
    "sinusoidal",
    "softcap",
    "softmax",
    "softmax_one",
    "sparsemax",
    "stick_breaking",
    "t5",
    "window",
    "yarn",
]
