"""Seeded random text for the training steps: as large as Shakespeare's alphabet."""

import string

import numpy as np

# In the order of their codes, which is the vocabulary's.
TEXT = "".join(sorted(string.ascii_letters + string.digits + " .\n"))
LENGTH = 400_000
SEED = 0


def symbols() -> np.ndarray:
    """Tokens [LENGTH], uniformly drawn."""
    drawn = np.random.default_rng(SEED).integers(0, len(TEXT), LENGTH)
    drawn[: len(TEXT)] = np.arange(len(TEXT))  # every symbol is there
    return drawn
