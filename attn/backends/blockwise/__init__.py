"""A fold over key blocks: O(T) memory, forward and backward, on every platform."""

from attn.backends.blockwise.call import attend, supports, tiles

__all__ = ["attend", "supports", "tiles"]
