"""Tiny Shakespeare: 40,000 lines of plays, downloaded once and kept."""

from pathlib import Path

from experiments import fetch, storage
from experiments.config.schema import Data
from experiments.places import cache_folder
from experiments.tasks.corpora.corpus import Corpus, fingerprint, join

URL = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/"
    "data/tinyshakespeare/input.txt"
)
SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
MOST_BYTES = 2 << 20  # it has 1,115,394
NAME = "tinyshakespeare.txt"


def read(config: Data) -> Corpus:
    """The text from the cache, or from `data.url` the first time.

    What lies in the cache is checked each time: a damaged file is fetched again.

    Raises:
      ConfigError: it is not there and cannot be fetched or kept.
    """
    path = cache_folder() / NAME
    try:
        raw = path.read_bytes()
    except OSError:
        raw = b""
    if fingerprint(raw) != SHA256:
        raw = _download(config, path)
    return join([raw], "tinyshakespeare")


def _download(config: Data, path: Path) -> bytes:
    """Fetches the text and puts it, whole and checked, at `path`."""
    url = config.url or URL
    try:
        raw = fetch.fetch(url, sha256=SHA256, most=MOST_BYTES)
    except fetch.FetchError as error:
        raise config.fault(
            "url" if config.url else "source",
            f"tinyshakespeare could not be downloaded: {error};"
            " with a copy of your own, set data.path=FILE.",
        ) from None
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        storage.write_atomic(path, raw.decode("utf-8"))
    except OSError as error:
        raise config.fault(
            "source",
            f"tinyshakespeare cannot be kept in {path.parent}: {error.strerror};"
            " set XDG_CACHE_HOME to a folder of yours, or data.path=FILE.",
        ) from None
    return raw
