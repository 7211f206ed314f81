"""Folders of the user."""

import sys

import pytest

from experiments import places


@pytest.mark.skipif(sys.platform != "linux", reason="other platforms have other rules")
def test_the_cache_follows_the_rule(monkeypatch):
    monkeypatch.setenv("HOME", "/home/u")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, says the rule
    assert str(places.cache_folder()) == "/home/u/.cache/attn"
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/c")
    assert str(places.cache_folder()) == "/var/c/attn"
