"""The run directory: one owner, whole files, names that stay where they belong."""

import contextlib
import errno
import json
from pathlib import Path

import pytest

from experiments import storage
from experiments.config import config_hash, load
from experiments.folder import RunError, check_name
from experiments.run import Run, directory


@pytest.fixture
def config():
    return load(None)


@pytest.fixture
def run(config, tmp_path):
    with Run.begin(config, tmp_path) as run:
        yield run


def contents(path):
    """Every file below a folder with its text, but for the lock."""
    files = [each for each in path.rglob("*") if each.is_file() and each.name != "lock"]
    return {str(each.relative_to(path)): each.read_text() for each in files}


class TestBegin:
    def test_the_directory_is_named_after_the_config(self, config, run, tmp_path):
        assert run.path == tmp_path / f"run-{config_hash(config)[:8]}"
        assert run.path == directory(config, tmp_path)
        names = {"manifest.json", "config.yaml", "checkpoints", "samples", "lock"}
        assert {each.name for each in run.path.iterdir()} == names

    def test_a_new_run_says_so(self, run):
        assert run.status == "new"
        assert run.result is None
        assert run.metrics() == []
        assert run.is_untouched

    def test_the_stored_config_is_the_resolved_one(self, config, run):
        assert Run.open(run.path).config == config

    def test_beginning_again_reopens(self, config, run, tmp_path):
        run.append_metrics({"step": 1})
        run.set_status("stopped")
        run.close()
        with Run.begin(config, tmp_path) as again:
            assert again.status == "stopped"
            assert again.metrics() == [{"step": 1}]
            assert not again.is_untouched

    def test_fresh_starts_over(self, config, run, tmp_path):
        run.append_metrics({"step": 1})
        run.write_result({"loss": 1.0})
        (run.checkpoints / "step_1").mkdir()
        run.write_text("samples/1.txt", "x")
        run.set_status("done")
        run.close()
        with Run.begin(config, tmp_path, fresh=True) as again:
            assert again.status == "new"
            assert again.is_untouched
            assert again.result is None
            assert not list(again.samples.iterdir())

    def test_fresh_that_comes_to_nothing_puts_it_back(self, config, run, tmp_path):
        run.append_metrics({"step": 1})
        run.write_result({"loss": 1.0})
        run.set_status("done")
        run.close()
        before = contents(run.path)
        for end in (Run.close, Run.discard):
            again = Run.begin(config, tmp_path, fresh=True)
            again.append_metrics({"step": 7})
            again.append_perf({"event": "new"})
            again.set_status("failed")
            assert again.is_provisional
            end(again)
            assert contents(run.path) == before

    def test_fresh_that_has_begun_forgets_the_earlier_run(self, config, run, tmp_path):
        run.write_result({"loss": 1.0})
        run.set_status("done")
        run.close()
        with Run.begin(config, tmp_path, fresh=True) as again:
            again.forget_earlier()
            assert not again.is_provisional
        assert Run.open(run.path).status == "new"
        assert not list(run.path.glob(".earlier*"))

    @pytest.mark.parametrize("killed_at", range(14))
    def test_a_kill_during_fresh_loses_nothing(
        self, config, run, tmp_path, monkeypatch, killed_at
    ):
        """At any rename of setting aside and of putting back."""
        run.write_result({"loss": 1.0})
        run.set_status("done")
        run.close()
        before, rename, left = contents(run.path), Path.rename, [killed_at]

        class Killed(BaseException):
            """Nothing may tidy up after it, so nothing may be renamed either."""

        def counted(path, target):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return rename(path, target)

        monkeypatch.setattr(Path, "rename", counted)
        with contextlib.suppress(Killed):
            Run.begin(config, tmp_path, fresh=True).close()
        monkeypatch.undo()
        Run.begin(config, tmp_path).close()
        assert contents(run.path) == before

    def test_fresh_follows_no_links(self, config, run, tmp_path):
        precious = tmp_path / "precious"
        precious.mkdir()
        (precious / "file").write_text("keep me")
        (run.path / "samples" / "link").symlink_to(precious)
        (run.path / "link").symlink_to(precious)
        run.close()
        Run.begin(config, tmp_path, fresh=True).close()
        assert (precious / "file").read_text() == "keep me"

    def test_what_changes_no_result_may_change(self, run, tmp_path):
        run.close()
        with Run.begin(load(None, ["train.budget=5min"]), tmp_path) as again:
            assert again.path == run.path
        assert str(Run.open(run.path).config.train.budget) == "5min"

    def test_another_config_in_the_same_place_is_refused(self, run, tmp_path):
        run.close()
        other = load(None, ["optim.lr=0.5", "model.layers=3"])
        with pytest.raises(RunError) as caught:
            Run.begin(other, tmp_path, at=run.path)
        changes = "model.layers: 4 -> 3; optim.lr: 0.001 -> 0.5"
        assert str(caught.value) == (
            f"{run.path}: was started with another config ({changes});"
            " use `attn train --fresh` to start over, or another `name`."
        )

    def test_other_devices_compute_the_same_run(self, run, tmp_path):
        run.close()
        places = ["mesh.devices=1", "process.simulated_devices=4", "platform=cpu"]
        with Run.begin(load(None, places), tmp_path, at=run.path) as again:
            assert again.moved == (
                "platform: null -> cpu",
                "mesh.devices: null -> 1",
                "process.simulated_devices: null -> 4",
            )
        with Run.begin(load(None, places), tmp_path, at=run.path) as again:
            assert again.moved == ()

    def test_a_moved_run_can_be_continued(self, config, run, tmp_path):
        run.close()
        moved = run.path.rename(tmp_path / "moved")
        with Run.begin(config, tmp_path, at=moved) as again:
            assert again.path == moved

    def test_stale_temporary_files_are_removed(self, config, run, tmp_path):
        run.close()
        (run.path / f".manifest.json.123{storage.TEMPORARY}").write_text("half")
        Run.begin(config, tmp_path).close()
        assert not list(run.path.glob(f"*{storage.TEMPORARY}"))

    def test_a_folder_of_somebody_else_is_left_alone(self, config, tmp_path):
        path = directory(config, tmp_path)
        path.mkdir()
        (path / "thesis.tex").write_text("years of work")
        for fresh in (False, True):
            with pytest.raises(RunError, match=r"not a run directory .*'thesis.tex'"):
                Run.begin(config, tmp_path, fresh=fresh)
        assert [each.name for each in path.iterdir()] == ["thesis.tex"]

    def test_a_file_in_the_way_is_named(self, config, tmp_path):
        directory(config, tmp_path).write_text("")
        with pytest.raises(RunError, match="is a file; move it away"):
            Run.begin(config, tmp_path)

    def test_a_link_out_of_the_root_is_refused(self, config, tmp_path):
        (tmp_path / "away").mkdir()
        (tmp_path / "runs").mkdir()
        directory(config, tmp_path / "runs").symlink_to(tmp_path / "away")
        with pytest.raises(RunError, match="is a link out of"):
            Run.begin(config, tmp_path / "runs")
        assert not list((tmp_path / "away").iterdir())

    def test_discard_leaves_nothing(self, run, tmp_path):
        run.discard()
        assert not list(tmp_path.iterdir())


class TestOpen:
    def test_no_run(self, tmp_path):
        with pytest.raises(RunError, match=r"not a run directory \(it has no manifest"):
            Run.open(tmp_path)

    @pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "[" * 9999, "\x00"])
    def test_a_damaged_manifest(self, text, run):
        (run.path / "manifest.json").write_text(text)
        with pytest.raises(RunError, match=r"manifest\.json: cannot be read as JSON"):
            Run.open(run.path)

    @pytest.mark.parametrize("text", ["", "seed: x", "- a", "zebra: 1", "\x00"])
    def test_a_damaged_config(self, text, run):
        (run.path / "config.yaml").write_text(text)
        with pytest.raises(
            RunError, match=r"its config\.yaml is damaged: .*config\.yaml"
        ):
            Run.open(run.path)

    def test_reading_needs_no_lock_and_writes_nothing(self, run):
        reader = Run.open(run.path)
        with pytest.raises(AssertionError):
            reader.append_metrics({"step": 1})


class TestManifest:
    def test_it_says_where_the_run_comes_from(self, run):
        run.start_session(devices=["cpu:0"], data="abc")
        session = run.manifest["sessions"][-1]
        keys = {"command", "versions", "python", "host", "git", "pid", "start", "cores"}
        assert keys <= session.keys()
        assert session["devices"] == ["cpu:0"]
        assert session["versions"]["jax"]
        assert run.manifest["seed"] == 0
        assert run.status == "running"
        run.set_status("stopped", reason="SIGTERM")
        session = run.manifest["sessions"][-1]
        assert session["status"] == "stopped"
        assert session["end"] >= session["start"]
        assert run.manifest["reason"] == "SIGTERM"

    def test_every_session_is_kept(self, config, run, tmp_path):
        run.start_session()
        run.close()
        with Run.begin(config, tmp_path) as again:
            again.start_session()
            assert len(again.manifest["sessions"]) == 2


class TestMetrics:
    def test_lines_are_json_and_never_nan(self, run):
        run.append_metrics({"step": 1, "train/loss": 0.1})
        run.append_metrics({"step": 2, "train/loss": float("nan"), "x": [float("inf")]})
        lines = (run.path / "metrics.jsonl").read_text().splitlines()
        assert lines[0] == '{"step": 1, "train/loss": 0.1}'
        assert json.loads(lines[1]) == {"step": 2, "train/loss": None, "x": [None]}

    def test_keeping_the_first_lines(self, run):
        for step in range(5):
            run.append_metrics({"step": step})
        run.keep_metrics(2)
        assert [each["step"] for each in run.metrics()] == [0, 1]
        with pytest.raises(RunError, match="has 2 lines, but its checkpoint"):
            run.keep_metrics(3)

    @pytest.mark.parametrize(
        "torn", ['{"step": 3', '{"step"', "{", "\x00\x00", '"x"\n']
    )
    def test_a_torn_line_is_dropped(self, torn, run):
        run.append_metrics({"step": 1})
        run.append_metrics({"step": 2})
        with (run.path / "metrics.jsonl").open("a") as file:
            file.write(torn)
        assert [each["step"] for each in run.metrics()] == [1, 2]
        run.keep_metrics(2)
        run.append_metrics({"step": 3})
        assert [each["step"] for each in run.metrics()] == [1, 2, 3]

    def test_a_full_disk_leaves_no_half_line(self, run, monkeypatch):
        run.append_metrics({"step": 1})
        before = (run.path / "metrics.jsonl").read_bytes()

        class Full:
            def __init__(self, path):
                self.file = open(path, "ab", buffering=0)  # noqa: SIM115

            def __enter__(self):
                return self

            def __exit__(self, *_):
                self.file.close()

            def write(self, line):
                return self.file.write(line[:5])

            def __getattr__(self, name):
                return getattr(self.file, name)

        monkeypatch.setattr(Path, "open", lambda path, *_, **__: Full(path))
        with pytest.raises(OSError, match="No space left") as caught:
            run.append_metrics({"step": 2})
        assert caught.value.errno == errno.ENOSPC
        monkeypatch.undo()
        assert (run.path / "metrics.jsonl").read_bytes() == before


BAD_NAMES = [
    "", ".", "..", "...", "../x", "..\\x", "/etc/passwd", "a/b", "a\\b", "a/../b",
    "~", "~root", "-x", "--fresh", ".hidden", " x", "x ", "x\n", "x\ny", "x\ty",
    "x\x00y", "\x00", "x\x1b[31m", "con", "CON", "prn", "aux", "nul", "NUL.txt",
    "com1", "lpt9", "Com1.log", "x.", "x..", "a:b", "C:", "C:\\x", "a*b", "a?b",
    "a|b", "a<b", "a>b", 'a"b', "a'b", "a`b", "$HOME", "${x}", "a;b", "a&b", "a&&b",
    "$(x)", "a b", "\xe9", "\uff58", "\u0445", "x\u202ey", "x\u200by", "\ufeffx",
    "\U0001f600", "%2e%2e", "%00", "a%2fb", "x" * 82, "x" * 300, "a,b", "a=b", "a+b",
    "a@b", "a#b", "a!b", "[x]", "{x}", "(x)", "^", "<script>", "x\u2028y", "x\r",
    "\u0661", "\ufb01", "a\u0301",
]  # fmt: skip
GOOD_NAMES = [
    "x",
    "tiny_lm",
    "a.b",
    "a-b",
    "0",
    "A1",
    "x" * 81,
    "console",
    "nullify",
    "x..y",
]


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_names_that_are_refused(name):
    with pytest.raises(RunError, match="is not a run name"):
        check_name(name)


@pytest.mark.parametrize("prefix", ["", "a", "0"])
@pytest.mark.parametrize("code", [*range(33), *range(127, 161), 0x2215, 0x2024, 0xFF0E])
def test_letters_that_are_refused(prefix, code):
    with pytest.raises(RunError):
        check_name(prefix + chr(code) + "b")


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_names_that_are_fine(name):
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["../x.txt", "/x", "samples/../../x", "a//b", ""])
def test_a_run_writes_nothing_outside(name, run, tmp_path):
    with pytest.raises(RunError):
        run.write_text(name, "x")
    assert [each.name for each in tmp_path.iterdir()] == [run.path.name]
