"""Downloads: small, checked against a SHA-256, whole or not at all."""

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from typing import IO, Any
from urllib.parse import urlsplit, urlunsplit

SILENCE = 10.0  # seconds without a byte
DEADLINE = 60.0  # seconds for all of it; a slow drip must not hold a run forever
MOST_REDIRECTS = 3
CHUNK = 1 << 16


class FetchError(Exception):
    """Why a download failed, to stand inside a sentence."""


def fetch(
    url: str,
    *,
    sha256: str,
    most: int,
    silence: float = SILENCE,
    deadline: float = DEADLINE,
) -> bytes:
    """The bytes behind a URL.

    Args:
      url: http or https. A redirect never leads from https to http.
      sha256: of the bytes, in hexadecimal.
      most: bytes at which it gives up.
      silence: seconds to wait for the next bytes.
      deadline: seconds for the whole.

    Raises:
      FetchError: unreachable, refused, too large, too slow, or not what was expected.
    """
    name = public(url)
    if not name.startswith(("http://", "https://")):
        raise FetchError(f"{name} is no http or https address")
    opener = urllib.request.build_opener(_Redirects())
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "attn"})
        with opener.open(request, timeout=silence) as response:
            raw = _read(response, name, most, time.monotonic() + deadline)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FetchError(f"{name}: {_reason(error)}") from None
    found = hashlib.sha256(raw).hexdigest()
    if found != sha256:
        raise FetchError(
            f"{name} gave other bytes than expected: {len(raw):,} of SHA-256"
            f" {found[:12]}..., not {sha256[:12]}..."
        )
    return raw


def public(url: str) -> str:
    """A URL without what may be secret in it: the user, the password, the query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the URL"  # an address that cannot be taken apart may hide a secret
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _read(response: Any, name: str, most: int, end: float) -> bytes:
    parts, size = [], 0
    # read1 returns what has come; read would wait for a whole chunk of a slow drip.
    while part := response.read1(CHUNK):
        parts.append(part)
        size += len(part)
        if size > most:
            raise FetchError(f"{name} is larger than {most:,} bytes")
        if time.monotonic() > end:
            raise FetchError(f"{name} is too slow ({size:,} bytes so far)")
    return b"".join(parts)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Few redirects, and none to a weaker or another kind of address."""

    max_redirections = MOST_REDIRECTS

    def redirect_request(
        self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme != "https" and scheme != req.type:
            fp.close()
            raise FetchError(f"{public(req.full_url)} redirects to {scheme}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        text = f"the server answered {error.code} {error.reason}"
        error.close()
        return text.splitlines()[0]
    if isinstance(error, urllib.error.URLError) and error.reason:
        error = error.reason if isinstance(error.reason, Exception) else error
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0]
