"""The compilation cache: it is read back, it is private, and it goes out of the way."""

import os
import subprocess
import sys
import warnings

import pytest

from experiments import cache, doctor

PROGRAM = """
import jax
from experiments.process import Settings, made, prepare, start_jax
settings = Settings(compilation_cache={on})
prepare(settings)
start_jax(settings)
from experiments import cache
value = jax.jit(lambda x: (x * 3).sum())(jax.numpy.arange(7.0))
print(cache.counts()["hits"], cache.counts()["misses"], float(value))
print(made()["compilation_cache"])
"""


def start(home, on=True, **more):
    """Hits, misses, the result and what was said, of a fresh process; errors."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(on=on)],
        capture_output=True,
        text=True,
        env=os.environ | {"XDG_CACHE_HOME": str(home)} | more,
    )
    assert done.returncode == 0, done.stderr
    numbers, said = done.stdout.splitlines()
    hits, misses, value = numbers.split()
    return int(hits), int(misses), value, said, done.stderr


def test_a_second_start_reads_what_the_first_compiled(tmp_path):
    first, second = start(tmp_path), start(tmp_path)
    folder = tmp_path / "attn" / "xla"
    assert folder.stat().st_mode & 0o777 == 0o700
    if not (folder / cache.machine() / "loads").exists():
        pytest.skip(f"this jaxlib does not read back what it compiles: {first[3]}")
    assert first[0] == 0
    assert first[1] == second[0] > 0
    assert second[1] == 0
    assert second[2] == first[2] == "63.0"
    assert second[3] == str(folder / cache.machine())
    assert first[4] == second[4] == ""


def test_it_can_be_switched_off(tmp_path):
    assert start(tmp_path, on=False)[3] == "left alone"
    said = start(tmp_path, JAX_ENABLE_COMPILATION_CACHE="false")[3]
    assert said == "off: JAX_ENABLE_COMPILATION_CACHE"
    assert not list(tmp_path.iterdir())


@pytest.fixture
def foreign(tmp_path):
    """A cache folder that others can write to."""
    (tmp_path / "xla").mkdir()
    (tmp_path / "xla").chmod(0o777)
    return tmp_path / "xla"


def test_a_folder_that_others_can_write_to_is_refused(foreign, monkeypatch, capsys):
    monkeypatch.setattr(cache, "cache_folder", lambda: foreign.parent)
    monkeypatch.setattr(cache, "_told", lambda: None)
    said = cache.begin()
    assert (
        said == f"off: others can write to {foreign}, which is run as code; remove it"
    )
    assert capsys.readouterr().err.count("\n") == 1
    (found,) = doctor.compilation_cache()
    assert found.state == doctor.WARNING
    assert said in found.text
    foreign.chmod(0o755)
    assert cache.own_folder(foreign).stat().st_mode & 0o777 == 0o700


def test_another_users_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: os.stat(tmp_path).st_uid + 1)
    with pytest.raises(OSError, match="belongs to another user"):
        cache.own_folder(tmp_path)


def test_the_oldest_entries_go_first(tmp_path):
    for age, name in enumerate(["new", "old", "older"]):
        entry = tmp_path / "machine" / f"jit_{name}-cache"
        entry.parent.mkdir(exist_ok=True)
        entry.write_bytes(bytes(100))
        os.utime(entry, (1e9 - age, 1e9 - age))
    cache.prune(tmp_path, most=200)
    left = {each.name for each in tmp_path.glob("*/*")}
    assert left == {"jit_new-cache", "jit_old-cache"}


def test_a_torn_entry_is_removed_in_silence(tmp_path, monkeypatch):
    for name in ("jit_call-12", "jit_caller-12"):
        (tmp_path / f"{name}-cache").write_bytes(b"torn")
    monkeypatch.setattr(cache, "_told", lambda: str(tmp_path))
    heard = []
    monkeypatch.setattr(warnings, "showwarning", lambda *said, **_: heard.append(said))
    cache.mend()
    told = "Error reading persistent compilation cache entry for 'jit_call': torn"
    warnings.showwarning(UserWarning(told), UserWarning, "here", 1)
    assert [each.name for each in tmp_path.iterdir()] == ["jit_caller-12-cache"]
    assert not heard
    warnings.showwarning(UserWarning("else"), UserWarning, "here", 1)
    assert len(heard) == 1
