"""What is shown: plain lines off a terminal, a bar on one, nothing that drives it."""

import io

import pytest
from rich.console import Console

from experiments import progress
from experiments.progress import Screen, duration, printable


def screen(**options):
    output = io.StringIO()
    console = Console(file=output, width=100, **options)
    return Screen(console, steps=50, tokens_per_step=10), output


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0s"), (59.4, "59s"), (125, "2m05s"), (3600, "1h00m"), (7384, "2h03m")],
)
def test_durations_read_well(seconds, text):
    assert duration(seconds) == text


def test_control_characters_are_written_out():
    text = "a\x1b[31m\x07\u202e\tb\nc é"
    assert printable(text) == "a\\x1b[31m\\x07\\u202e\tb\nc é"


def test_plain_lines_come_now_and_then(monkeypatch):
    clock = iter([100.0, 101.0, 107.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    shown, output = screen()
    shown.seconds_per_step = 2.0
    for step in (10, 20, 30):
        shown.log(step, 1.25)
    lines = output.getvalue().splitlines()
    assert lines == [
        "step 10/50  loss 1.2500  5 tokens/s  1m20s left",
        "step 30/50  loss 1.2500  5 tokens/s  40s left",
    ]


def test_what_is_left_has_the_evaluations_in_it(monkeypatch):
    clock = iter([100.0, 110.0, 130.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    shown, output = screen()
    shown.advance(10, 1.5, seconds=9.0, taken=10)
    shown.log(10, 1.5)
    shown.log(20, 1.5)  # 30 s later, of which an evaluation took most
    first, second = output.getvalue().splitlines()
    assert first.endswith("11 tokens/s  36s left")
    assert second.endswith("11 tokens/s  1m30s left")


def test_a_terminal_has_a_bar_and_no_plain_lines():
    shown, output = screen(force_terminal=True)
    with shown:
        shown.advance(20, 1.5, seconds=2.0, taken=10)
        shown.log(20, 1.5)
        shown.line("validation loss 1.4")
    text = output.getvalue()
    assert "20/50" in text
    assert "loss 1.5000" in text
    assert "50 tokens/s" in text
    assert "validation loss 1.4" in text
    assert "step 20/50" not in text


def test_markup_in_a_text_is_text():
    shown, output = screen()
    shown.line("[bold]def f(x): return x[0][/bold]")
    assert output.getvalue() == "[bold]def f(x): return x[0][/bold]\n"


def test_a_tall_terminal_shows_the_loss_as_a_plot():
    for height, has_plot in ((40, True), (12, False)):
        file = io.StringIO()
        console = Console(file=file, force_terminal=True, width=80, height=height)
        with Screen(console, steps=50, tokens_per_step=8) as screen:
            for step in range(1, 6):
                screen.log(step, 5.0 / step)
        drawn = any("\u2800" < sign < "\u2900" for sign in file.getvalue())
        assert drawn == has_plot
