"""What a page that we write may do in a browser."""

import base64
import hashlib


def content_policy(style: str, script: str) -> str:
    """A Content-Security-Policy: this style, this script, and no address whatever."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}';"
        " base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
