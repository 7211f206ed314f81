"""Flax NNX modules: parameters and wiring around the pure functions."""

from attn.modules.attention import AttentionConfig as AttentionConfig
from attn.modules.attention import MultiHeadAttention as MultiHeadAttention
from attn.modules.block import Block as Block
from attn.modules.classifier import Classifier as Classifier
from attn.modules.classifier import ClassifierConfig as ClassifierConfig
from attn.modules.convolution import ShortConvolution as ShortConvolution
from attn.modules.decoder import Decoder as Decoder
from attn.modules.decoder import DecoderConfig as DecoderConfig
from attn.modules.encoded import Encoded as Encoded
from attn.modules.encoder import Encoder as Encoder
from attn.modules.encoder import EncoderConfig as EncoderConfig
from attn.modules.layers import Embedding as Embedding
from attn.modules.layers import LayerNorm as LayerNorm
from attn.modules.layers import Linear as Linear
from attn.modules.layers import RMSNorm as RMSNorm
from attn.modules.mlp import MLP as MLP
from attn.modules.pooling import AttentionPool as AttentionPool
from attn.modules.precision import Precision as Precision
from attn.modules.seq2seq import Seq2Seq as Seq2Seq
from attn.modules.seq2seq import Seq2SeqConfig as Seq2SeqConfig
from attn.modules.watch import Watchable as Watchable
from attn.modules.watch import watch as watch
