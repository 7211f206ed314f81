"""Sinks show the metrics, never change them, and hold no point twice."""

import struct

import pytest

from experiments import sinks
from experiments.config import ConfigError, load
from experiments.config.names import SINKS
from experiments.run import Run
from experiments.sinks import opened


class Kept:
    """A sink that remembers."""

    points: list

    def __init__(self, run):
        Kept.points = []

    def write(self, step, row):
        if row.get("train/loss") == 13.0:
            raise OSError("no space")
        Kept.points.append((step, row))

    def close(self):
        Kept.points.append("closed")


@pytest.fixture
def kept(monkeypatch):
    monkeypatch.setitem(sinks.SINKS, "tensorboard", sinks.Kind(Kept, "json"))


def test_the_tables_agree():
    assert list(sinks.SINKS) == list(SINKS)


def test_a_resumed_run_has_each_point_once(kept, tmp_path):
    with Run.begin(load(None), tmp_path) as run:
        run.append_metrics({"step": 1, "train/loss": 3.0, "x": float("nan")})
        before = (run.path / "metrics.jsonl").read_bytes()
        for _ in range(2):
            with opened(run, ["tensorboard"], print) as write:
                write(2, {"train/loss": 2.0})
            first, second = (1, {"train/loss": 3.0}), (2, {"train/loss": 2.0})
            assert Kept.points == [first, second, "closed"]
        assert (run.path / "metrics.jsonl").read_bytes() == before


def test_a_sink_that_fails_is_named_and_the_run_goes_on(kept, tmp_path):
    said = []
    with (
        Run.begin(load(None), tmp_path) as run,
        opened(run, ["tensorboard"], said.append) as write,
    ):
        write(1, {"train/loss": 13.0})
        write(2, {"train/loss": 1.0})
    assert said == ["log.sinks: tensorboard stopped (OSError: no space)."]
    assert Kept.points == []


def test_a_missing_package_is_refused_with_the_remedy(monkeypatch):
    missing = sinks.Kind(Kept, "no_such_package")
    monkeypatch.setitem(sinks.SINKS, "tensorboard", missing)
    with pytest.raises(ConfigError, match=r"pip install 'attn\[tensorboard\]'"):
        sinks.check(load(None, ["log.sinks=[tensorboard]"]))
    sinks.check(load(None))


def test_bad_names_are_told_their_nearest():
    with pytest.raises(ConfigError, match="Did you mean `wandb`"):
        load(None, ["log.sinks=[wanbd]"])
    with pytest.raises(ConfigError, match="twice"):
        load(None, ["log.sinks=[wandb, wandb]"])


def test_tensorboard_files_hold_the_points(tmp_path):
    pytest.importorskip("tensorboardX", reason="tensorboardX is an extra")
    with Run.begin(load(None), tmp_path) as run:
        run.append_metrics({"step": 1, "train/loss": 3.0})
        for _ in range(2):
            with opened(run, ["tensorboard"], pytest.fail) as write:
                write(2, {"train/loss": 2.0})
        files = list((run.path / "tensorboard").iterdir())
    assert len(files) == 1
    found = list(records(files[0].read_bytes()))
    assert sum(b"train/loss" in record for record in found) == 2


def records(content):
    """The records of an event file: length, its checksum, content, its checksum."""
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        yield content[12 : 12 + length]
        content = content[16 + length :]
