"""Flax NNX modules: parameters and wiring around the pure functions."""

from attn.modules.attention import AttentionConfig as AttentionConfig
from attn.modules.attention import MultiHeadAttention as MultiHeadAttention
from attn.modules.decoder import Block as Block
from attn.modules.decoder import Decoder as Decoder
from attn.modules.decoder import DecoderConfig as DecoderConfig
from attn.modules.layers import Embedding as Embedding
from attn.modules.layers import LayerNorm as LayerNorm
from attn.modules.layers import Linear as Linear
from attn.modules.layers import RMSNorm as RMSNorm
from attn.modules.mlp import MLP as MLP
from attn.modules.precision import Precision as Precision
