"""The picture of a run: what it shows, and what it says when there is nothing."""

import json

import pytest

from experiments.errors import UserError

plot = pytest.importorskip("experiments.plot", reason="altair: the extra `plots`")


def run_with(folder, rows):
    folder.mkdir()
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metrics.jsonl").write_text(lines)
    return folder


@pytest.fixture
def run(tmp_path):
    rows = [{"step": i, "train/loss": 4.0 - 0.001 * i} for i in range(1000)]
    rows += [{"step": 999, "val/loss": 3.1}]
    return run_with(tmp_path / "one-12345678", rows)


def test_every_validation_loss_is_shown_and_training_is_averaged(run):
    rows = plot.thin(plot.read_losses(run))
    assert [r["loss"] for r in rows if r["split"] == "validation"] == [3.1]
    train = [r for r in rows if r["split"] == "training"]
    assert len(train) <= plot.MOST_POINTS
    assert train[0]["loss"] == pytest.approx(4.0 - 0.001)
    assert train[-1]["step"] == 999


@pytest.mark.parametrize("ending", [".svg", ".png", ".html"])
def test_is_written_in_each_format_without_the_network(run, tmp_path, ending):
    path = tmp_path / f"loss{ending}"
    plot.save(plot.loss_chart([run]), path)
    content = path.read_bytes()
    starts = {".svg": b"<svg", ".png": b"\x89PNG", ".html": b"<!DOCTYPE html"}
    assert content.lstrip().startswith(starts[ending])
    assert ending == ".png" or b"one-12345678" in content
    assert ending != ".html" or b'<script src="http' not in content


@pytest.mark.parametrize(
    ("rows", "message"),
    [([], "nothing to plot yet"), ([{"step": 1, "lr": 0.1}], "nothing to plot yet")],
)
def test_a_run_without_losses_is_one_line(tmp_path, rows, message):
    with pytest.raises(UserError, match=message):
        plot.loss_chart([run_with(tmp_path / "r", rows)])


def test_another_ending_names_the_known_ones(run, tmp_path):
    with pytest.raises(UserError, match=r"\.svg, \.png, \.html, got '\.gif'"):
        plot.save(plot.loss_chart([run]), tmp_path / "loss.gif")


def test_a_torn_line_says_where(tmp_path):
    run = run_with(tmp_path / "r", [{"step": 1, "train/loss": 2.0}])
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "tra')
    with pytest.raises(UserError, match=r"metrics\.jsonl:2: not a line of JSON"):
        plot.read_losses(run)
