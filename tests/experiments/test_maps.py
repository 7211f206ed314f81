"""Maps while training: what is written, read again, and the same after a stop."""

import numpy as np
import pytest

from experiments.config import load
from experiments.course import due_at, next_stop
from experiments.errors import UserError
from experiments.maps import map_steps, read_maps, summary, to_bytes
from experiments.run import Run
from experiments.setup import assemble
from experiments.signals import Stop
from experiments.train import train
from tests.experiments.relaxed import relaxed  # noqa: F401
from tests.experiments.stub import Task
from tests.experiments.worker import SMALL

SETTINGS = ("train.duration=6steps", "sample.every=null", "optim.ema=null")
MAPS = ("log.maps_every=3steps", "model.mask=causal & window(back=4)")


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text(SMALL)
    return load(path, [*SETTINGS, *MAPS])


class StopAt(Stop):
    """Asks to stop once it has been asked often enough."""

    def __init__(self, asked: int):
        super().__init__()
        self.left = asked

    @property
    def requested(self) -> bool:
        self.left -= 1
        self.reason = "SIGTERM" if self.left < 0 else None
        return self.left < 0


@pytest.fixture(scope="module")
def runs(config, tmp_path_factory):
    """The same run twice: whole, and stopped before the first maps."""
    paths = []
    for name, stops in (("whole", []), ("cut", [2])):
        root = tmp_path_factory.mktemp(name)
        for asked in (*stops, 10**9):
            with Run.begin(config, root) as run:
                run.start_session()
                code = train(config, run, Task(6, 11), stop=StopAt(asked), quiet=True)
            assert code == (75 if asked in stops else 0)
            assert asked not in stops or not map_steps(run.path)
        paths.append(run.path)
    return paths


def test_maps_are_due_as_often_as_asked(config):
    derived = assemble(config, Task(6, 11)).derived
    assert derived.maps_every == 3
    assert due_at(3, derived) == ["log", "maps"]
    assert next_stop(1, derived) == 3
    assert "maps" in due_at(6, derived)


def test_a_run_writes_maps_that_sum_to_one_within_the_window(runs):
    assert map_steps(runs[0]) == [3, 6]
    maps = read_maps(runs[0])
    assert maps is not None
    assert maps.step == 6
    (layer,) = maps.layers
    assert layer.weights.shape == (2, 11, 11)
    np.testing.assert_allclose(layer.weights.sum(-1), 1, atol=2e-3)
    assert not layer.weights[:, 6, 0].any()  # 6 back, and the window has 4
    assert len(maps.texts["tokens"]) == 11
    assert read_maps(runs[0], 5) is None


def test_head_scores_are_metrics(runs):
    rows = {
        row["step"]: row for row in Run.open(runs[0]).metrics() if "heads/first" in row
    }
    assert sorted(rows) == [3, 6]
    maps = read_maps(runs[0], 3)
    assert maps is not None
    assert rows[3] == {"step": 3} | summary(maps.layers)
    assert rows[3]["heads/previous"] == max(maps.layers[0].scores["previous"])


def test_a_run_that_was_stopped_writes_the_same_bytes(runs):
    whole, cut = (
        {
            path.relative_to(run): path.read_bytes()
            for path in [run / "metrics.jsonl", *sorted(run.glob("maps/*"))]
        }
        for run in runs
    )
    assert len(whole) == 3
    assert whole == cut


def test_a_file_is_read_as_it_was_written(runs):
    maps = read_maps(runs[0])
    assert maps is not None
    content = to_bytes(maps.texts, maps.layers)
    assert content == (runs[0] / "maps" / "step_00000006.npz").read_bytes()


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "step_00000007.npz").write_bytes(b"PK no zip")
    with pytest.raises(UserError, match=r"step_00000007\.npz: damaged; remove it"):
        read_maps(tmp_path)
    assert read_maps(tmp_path / "nowhere") is None
