"""Folders that belong to the user, where the platform keeps such things."""

from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """What may be deleted at any time; on Linux ~/.cache/attn by default."""
    return platformdirs.user_cache_path("attn", appauthor=False)
