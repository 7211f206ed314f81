"""The download and its cache, against a server on this machine."""

import hashlib
import http.server
import io
import os
import stat
import threading
import time
import urllib.request

import pytest

from experiments import fetch
from experiments.config import ConfigError, load
from experiments.tasks import corpora
from experiments.tasks.corpora import tinyshakespeare

PLAY = b"First Citizen:\nBefore we proceed any further, hear me speak.\n" * 3
SHA256 = hashlib.sha256(PLAY).hexdigest()


class Theatre(http.server.BaseHTTPRequestHandler):
    """A server that plays every part: good, slow, false, large, endless."""

    def do_GET(self):
        self.server.asked.append(self.path)
        part = self.path.split("?")[0].strip("/").split("/")
        getattr(self, f"play_{part[0]}")(*part[1:])

    def say(self, body, status=200, length=None, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def play_good(self):
        self.say(PLAY)

    def play_false(self):
        self.say(b"<html>Please log in to this network</html>")

    def play_absent(self):
        self.say(b"no", status=404)

    def play_short(self):
        self.say(PLAY[:50], length=len(PLAY))

    def play_large(self):
        self.say(bytes(5000))

    def play_hop(self, left):
        target = f"/hop/{int(left) - 1}" if int(left) > 1 else "/good"
        self.say(b"", status=302, Location=target)

    def play_circle(self):
        self.say(b"", status=302, Location="/circle")

    def play_astray(self):
        self.say(b"", status=302, Location="ftp://localhost/etc/passwd")

    def play_silent(self):
        self.server.over.wait(10)

    def play_drip(self):
        self.say(b"", length=len(PLAY))
        for value in PLAY:
            if self.server.over.wait(0.02):
                return
            self.wfile.write(bytes([value]))

    def play_nonsense(self):
        self.wfile.write(b"nonsense\r\n\r\n")

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Theatre) as made:
        made.asked, made.over = [], threading.Event()
        made.handle_error = lambda *_: None  # a client that hangs up is meant to
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.over.set()
        made.shutdown()
        thread.join()


@pytest.fixture
def url(server, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    server.asked.clear()
    return f"http://127.0.0.1:{server.server_port}"


def reason(address, **limits):
    with pytest.raises(fetch.FetchError) as caught:
        fetch.fetch(address, sha256=SHA256, **{"most": 4000} | limits)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_download_is_the_bytes(url):
    assert fetch.fetch(f"{url}/good", sha256=SHA256, most=4000) == PLAY


def test_few_redirects_are_followed(url):
    hops = f"{url}/hop/{fetch.MOST_REDIRECTS}"
    assert fetch.fetch(hops, sha256=SHA256, most=4000) == PLAY


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("absent", "{url}/absent: the server answered 404 Not Found"),
        ("large", "{url}/large is larger than 4,000 bytes"),
        ("false", "{url}/false gave other bytes than expected: 42 of SHA-256 "),
        ("short", "{url}/short gave other bytes than expected: 50 of SHA-256 "),
        ("hop/4", "{url}/hop/4: the server answered 302 "),
        ("circle", "{url}/circle: the server answered 302 "),
        ("astray", "{url}/astray redirects to ftp"),
        ("nonsense", "{url}/nonsense: "),
        ("false?token=secret", "{url}/false gave other bytes"),
    ],
)
def test_a_failure_says_why(url, path, says):
    text = reason(f"{url}/{path}")
    assert text.startswith(says.format(url=url))
    assert "secret" not in text


def test_a_silent_server_is_left(url):
    assert reason(f"{url}/silent", silence=0.1) == f"{url}/silent: no answer in time"


def test_a_slow_drip_is_left(url):
    began = time.monotonic()
    text = reason(f"{url}/drip", deadline=0.2)
    assert text.startswith(f"{url}/drip is too slow (")
    assert time.monotonic() - began < 2


def test_nobody_there(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    assert reason("http://127.0.0.1:9/x") == "http://127.0.0.1:9/x: Connection refused"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("file:///etc/passwd", "file:///etc/passwd"),
        ("ftp://localhost/x", "ftp://localhost/x"),
        ("play.txt", "play.txt"),
        ("", ""),
        ("http://[::1", "the URL"),
    ],
)
def test_only_the_web_is_asked(address, shown):
    assert reason(address) == f"{shown} is no http or https address"


def test_a_redirect_never_leaves_encryption():
    request, body = urllib.request.Request("https://u:p@host/a?token=1"), io.BytesIO()
    with pytest.raises(fetch.FetchError, match=r"^https://host/a redirects to http$"):
        fetch._Redirects().redirect_request(request, body, 302, "", {}, "http://host/b")
    assert body.closed


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and a play short enough for a test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tinyshakespeare, "SHA256", SHA256)
    return tmp_path / "cache" / "attn"


def read(address):
    overrides = ["data.source=tinyshakespeare", f"data.url={address}"]
    return corpora.read(load(None, overrides).data)


def test_the_text_is_fetched_once_and_kept_private(url, server, cache):
    old = os.umask(0o022)
    try:
        first = read(f"{url}/good")
    finally:
        os.umask(old)
    assert first.text == PLAY.decode()
    assert first.fingerprint == SHA256
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert [path.name for path in cache.iterdir()] == ["tinyshakespeare.txt"]
    assert read(f"{url}/good") == first
    assert server.asked == ["/good"]


def test_a_cache_that_others_could_enter_is_closed(url, cache):
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    read(f"{url}/good")
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


@pytest.mark.parametrize("damage", [b"", PLAY[:-1], b"x" + PLAY])
def test_a_damaged_cache_is_fetched_again(url, cache, damage):
    cache.mkdir(parents=True)
    (cache / "tinyshakespeare.txt").write_bytes(damage)
    assert read(f"{url}/good").text == PLAY.decode()
    assert (cache / "tinyshakespeare.txt").read_bytes() == PLAY


@pytest.mark.parametrize("part", ["false", "short", "absent", "large"])
def test_a_failure_leaves_nothing_and_names_the_remedy(url, cache, part, monkeypatch):
    monkeypatch.setattr(tinyshakespeare, "MOST_BYTES", 4000)
    with pytest.raises(ConfigError) as caught:
        read(f"{url}/{part}")
    text = str(caught.value)
    assert text.startswith(f"override `data.url={url}/{part}`: tinyshakespeare could")
    assert text.endswith("; with a copy of your own, set data.path=FILE.")
    assert "\n" not in text
    assert not list(cache.glob("*"))


def test_offline_the_remedy_is_named(cache, monkeypatch):
    monkeypatch.setattr(tinyshakespeare, "URL", "http://127.0.0.1:9/input.txt")
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(ConfigError) as caught:
        corpora.read(load(None, ["data.source=tinyshakespeare"]).data)
    assert str(caught.value) == (
        "override `data.source=tinyshakespeare`: tinyshakespeare could not be"
        " downloaded: http://127.0.0.1:9/input.txt: Connection refused;"
        " with a copy of your own, set data.path=FILE."
    )


def test_a_cache_that_cannot_be_made_is_named(url, cache):
    cache.parent.write_text("a file where the folder should be")
    with pytest.raises(ConfigError) as caught:
        read(f"{url}/good")
    assert "cannot be kept in" in str(caught.value)
    assert "set XDG_CACHE_HOME to a folder of yours" in str(caught.value)
