"""The doctor finds what is planted, and says what to do."""

import json
import pathlib

import jax
import numpy as np
import pytest

from experiments import canary, cli, doctor, manifest, shipped
from experiments.doctor import BAD, OK, WARNING

GOOD = {"jax": "0.12.0.1", "jaxlib": "0.12.0.1", "flax": "0.12.12"}


@pytest.fixture
def installed(monkeypatch):
    def install(**versions):
        monkeypatch.setattr(manifest, "versions", lambda: GOOD | versions)
        return doctor.versions()

    return install


def test_good_versions(installed):
    (found,) = installed()
    assert found.state == OK
    assert found.text == "jax 0.12.0.1, jaxlib 0.12.0.1, flax 0.12.12"


@pytest.mark.parametrize("version", ["0.10.0", "0.10.1", "0.10.2"])
def test_versions_with_known_faults(version, installed):
    _, found = installed(jaxlib=version)
    assert found.state == WARNING
    assert found.text.startswith(f"jaxlib {version}: ")
    assert found.remedy


@pytest.mark.parametrize("version", ["0.9.2", "0.13.0", "0.13.0rc1", "1.0", None])
def test_versions_outside_the_tested_range(version, installed):
    _, found = installed(jax=version)
    assert found.state == WARNING
    assert found.remedy == "pip install 'jax>=0.10.2,<0.13'"


def test_the_compiler_here_is_right():
    (found,) = doctor.compiler()
    assert found.state == OK, found


def test_a_compiler_that_is_wrong_is_found(monkeypatch):
    def wrong(x):
        return x + isinstance(x, jax.core.Tracer) * 0.01  # only when compiled

    planted = {"planted": (wrong, wrong, (np.float32(1.0),))}
    monkeypatch.setattr(canary, "CANARIES", canary.CANARIES | planted)
    (found,) = doctor.compiler()
    assert found.state == BAD
    assert found.text == "jit differs from op by op: planted"
    assert "upgrade jaxlib" in found.remedy.lower()


def test_a_folder_that_can_be_written(tmp_path):
    (found,) = doctor.writable(tmp_path / "deep" / "runs")
    assert found.state == OK
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "runs").write_text("")
    (found,) = doctor.writable(tmp_path / "runs")
    assert found.state == BAD
    assert "--runs" in found.remedy


def test_a_check_that_fails_is_a_finding(monkeypatch, tmp_path):
    def broken():
        raise ImportError("no jaxlib\nat all")

    monkeypatch.setattr(doctor, "devices", broken)
    monkeypatch.setattr(doctor, "compiler", list)
    monkeypatch.setattr(doctor, "step", list)
    (found,) = [each for each in doctor.examine(tmp_path) if each.state == BAD]
    assert found.check == "devices"
    assert found.text == "ImportError: no jaxlib at all"


def test_the_command(monkeypatch, tmp_path, capsys):
    """Everything at once, with a step of a model that is small."""
    (tmp_path / "text").write_text("a cat and a mat; " * 99)
    (tmp_path / "tiny.yaml").write_text(
        f"model: {{layers: 1, heads: 1, width: 8}}\n"
        f"data: {{path: {tmp_path / 'text'}, context: 8, batch: 4}}\n"
    )
    monkeypatch.setattr(
        shipped, "find_config", lambda _: pathlib.Path(tmp_path, "tiny.yaml")
    )
    monkeypatch.setattr(doctor, "compiler", list)
    with jax.numpy_dtype_promotion("standard"):  # optax does not keep the strict one
        assert cli.main(["doctor", "--json", "--runs", str(tmp_path)]) == 0
    found = {each["check"]: each for each in json.loads(capsys.readouterr().out)}
    assert found["step"]["state"] == OK
    assert "ms for 32 tokens" in found["step"]["text"]
    monkeypatch.setattr(doctor, "step", list)
    assert cli.main(["doctor", "--runs", str(tmp_path / "text")]) == 2
    out = capsys.readouterr().out
    assert "bad      runs" in out
    assert "-> Choose another folder with --runs." in out
