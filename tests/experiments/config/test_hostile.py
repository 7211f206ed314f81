"""Whatever stands in a file: a config, or one clear line a fault, at once."""

import os
import subprocess
import sys
import time

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.config import Config, ConfigError, dump, load
from experiments.config.paths import fields
from tests.experiments.config.test_load import OTHER

LONGEST = 800  # characters of a line that somebody has to read
QUICK = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def outcome(path, overrides=()) -> Config | ConfigError:
    """The config or its error; anything else is a failure of the test."""
    start = time.monotonic()
    try:
        result = load(path, overrides)
    except ConfigError as error:
        result = error
    assert time.monotonic() - start < 2  # seconds, on a busy machine
    for fault in getattr(result, "faults", ()):
        line = str(fault)
        assert line.isprintable(), line
        assert len(line) < LONGEST, line
        assert line.endswith((".", "?")), line
    assert str(result)
    return result


BYTES = {
    "binary": b"\x00\x01\x02\xff\xfe",
    "latin": b"name: caf\xe9\n",
    "utf-16": "seed: 1\n".encode("utf-16"),
    "nul": b"seed: 1\x00\n",
    "bell": b"notes: \x07\n",
    "escape": b"notes: \x1b[31mred\n",
    "half utf-8": b"notes: \xe2\x82\n",
    "png": b"\x89PNG\r\n\x1a\n" + bytes(99),
    "gzip": b"\x1f\x8b\x08" + bytes(99),
    "zeros": bytes(1000),
    "large": b"# " + b"x" * 70_000,
    "huge": b"a: 1\n" * 1_000_000,
}
TEXTS = {
    "laughs": "a: &a [x]\n" + "".join(f"a{i}: &a{i} [*a]\n" for i in range(9)),
    "alias": "a: &a [*a]\n",
    "merge": "a: &a {<<: *a}\n",
    "deep list": "a: " + "[" * 20_000,
    "deep map": "a: " + "{a: " * 10_000,
    "deep block": "".join(" " * i + "a:\n" for i in range(300)),
    "deep dash": "- " * 20_000 + "x",
    "deep question": "? " * 20_000 + "x",
    "wide": "".join(f"k{i}: 1\n" for i in range(5000)),
    "long key": "k" * 60_000 + ": 1\n",
    "long value": "seed: " + "9" * 60_000 + "\n",
    "long text": "name: " + "n" * 60_000 + "\n",
    "long float": "optim: {lr: 1e" + "9" * 50_000 + "}\n",
    "python": 'a: !!python/object/apply:os.system ["touch owned"]\n',
    "python name": "a: !!python/name:os.system\n",
    "python new": 'a: !!python/object/new:os.system ["touch owned"]\n',
    "set": "a: !!set {x}\n",
    "omap": "a: !!omap [x: 1]\n",
    "custom": "a: !include /etc/passwd\n",
    "surrogate": 'notes: "\\ud800"\n',
    "surrogate key": '"\\ud800": 1\n',
    "look-alike": "\u0455eed: 1\n",
    "right to left": 'notes: "x"\n"\\u202eseed": 1\n',
    "bom inside": "se\ufeffed: 1\n",
    "many documents": "---\n" * 1000,
    "tabs": "\t\t\t",
    "colons": ": : : :",
    "percent": "%" * 100,
    "quotes": '"' * 999,
    "folded": "seed: >\n" + " x\n" * 5000,
    "keys of keys": "? {a: 1}\n: 2\n",
    "self": "extends: bad.yaml\n",
    "device": "extends: /dev/zero\n",
    "folder": "extends: ..\n",
    "nul path": 'extends: "a\\0b"\n',
    "long path": "extends: " + "x" * 5000 + "\n",
}


@pytest.mark.parametrize("name", BYTES)
def test_no_text_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.yaml").write_bytes(BYTES[name])
    assert isinstance(outcome("bad.yaml"), ConfigError)


@pytest.mark.parametrize("name", TEXTS)
def test_a_trap_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.yaml").write_text(TEXTS[name], encoding="utf-8")
    assert isinstance(outcome("bad.yaml"), ConfigError)
    assert os.listdir(tmp_path) == ["bad.yaml"]


def test_a_byte_order_mark_is_no_fault(tmp_path):
    (tmp_path / "x.yaml").write_bytes("\ufeffseed: 3\n".encode())
    assert load(tmp_path / "x.yaml").seed == 3


def test_windows_line_ends_are_no_fault(tmp_path):
    (tmp_path / "x.yaml").write_bytes(b"seed: 3\r\nmodel:\r\n  layers: 2\r\n")
    assert load(tmp_path / "x.yaml").model.layers == 2


class TestFiles:
    def test_missing(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "tiny_lm.yaml").write_text("seed: 1\n")
        text = "tinylm.yaml: no such file. Did you mean `tiny_lm.yaml`?"
        assert str(outcome("tinylm.yaml")) == text

    @pytest.mark.parametrize("path", [".", "/dev/zero", "/dev/null", "a/b/c", "\0", ""])
    def test_no_file(self, path):
        assert isinstance(outcome(path), ConfigError)

    def test_a_pipe_without_a_writer_does_not_hang(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.yaml")
        assert "not a config file" in str(outcome(tmp_path / "pipe.yaml"))

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_no_permission(self, tmp_path):
        (tmp_path / "x.yaml").write_text("seed: 1\n")
        (tmp_path / "x.yaml").chmod(0)
        assert "permission denied" in str(outcome(tmp_path / "x.yaml")).lower()


keys = st.sampled_from([*OTHER, "zebra", "model", "optim", "extends", "learning_rate"])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from([*map(str, OTHER.values()), "10%", "5min", "1e3steps", "~", "no"]),
)
values = st.recursive(
    scalars, lambda x: st.lists(x) | st.dictionaries(keys, x), max_leaves=8
)


@QUICK
@given(text=st.text(max_size=200))
def test_any_text(text, tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(text.encode(errors="replace"))
    outcome(path)


@QUICK
@given(raw=st.binary(max_size=100))
def test_any_bytes(raw, tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(raw)
    outcome(path)


@QUICK
@given(key=keys, value=values)
def test_any_value_of_any_key(key, value, tmp_path):
    data = value
    for part in reversed(key.split(".")):
        data = {part: data}
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8", errors="replace")
    result = outcome(path)
    if isinstance(result, Config):
        path.write_text(dump(result), encoding="utf-8")
        assert load(path) == result


@QUICK
@given(texts=st.lists(st.builds("{}={}".format, keys, scalars) | st.text(max_size=30)))
def test_any_overrides(texts):
    outcome(None, texts)


@QUICK
@given(path=st.sampled_from(sorted(OTHER)), data=st.data())
def test_a_typo_in_a_key_is_led_back_to_it(path, data):
    *_, key = path.split(".")
    i = data.draw(st.integers(0, len(key) - 1))
    typo = key[:i] + key[i + 1 :] if len(key) > 4 else key + key[-1]
    wrong = path.removesuffix(key) + typo
    if tuple(wrong.split(".")) in fields():
        return
    result = outcome(None, [f"{wrong}=1"])
    assert isinstance(result, ConfigError)
    assert f"Did you mean `{path}`?" in str(result)


@QUICK
@given(notes=st.text(max_size=40))
def test_any_text_survives_dump_and_load(notes, tmp_path):
    config = load(None).model_copy(update={"notes": notes})
    (tmp_path / "x.yaml").write_text(dump(config), encoding="utf-8")
    assert load(tmp_path / "x.yaml").notes == notes


def test_configs_need_no_jax():
    code = (
        "import sys; from experiments.config import load; load(None);"
        "from experiments import cli;"
        "print([m for m in ('jax', 'flax', 'optax', 'orbax') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout.strip() == "[]", found.stderr
