"""The command line: what a stranger types first, and what they mistype."""

import io
import json
import os
import pathlib
import resource
import subprocess
import sys

import pytest

from experiments import cli
from experiments.commands import exits
from experiments.config import load
from tests.experiments.made import make_run

TINY = "name: tiny\nmodel: {layers: 1, heads: 1, width: 8}\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


@pytest.fixture
def attn(capsys, folder):
    """Runs a command line in this process: (exit code, stdout, stderr)."""

    def call(*words: str) -> tuple[int, str, str]:
        code = cli.main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return call


def shell(*words: str, **settings) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "experiments.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, **settings)


WRONG = [  # words, the line on stderr
    (["trian"], "attn: there is no verb `trian`. Did you mean `attn train`?"),
    (["Train"], "attn: there is no verb `Train`. Did you mean `attn train`?"),
    (["configs"], "attn: there is no verb `configs`. Did you mean `attn config`?"),
    (["smaple"], "attn: there is no verb `smaple`. Did you mean `attn sample`?"),
    (
        ["tiny.yaml"],
        "attn: there is no verb `tiny.yaml`. Did you mean `attn train tiny.yaml`?",
    ),
    (
        ["optim.lr=3"],
        "attn: there is no verb `optim.lr=3`. Did you mean `attn train optim.lr=3`?",
    ),
    (
        ["zebra"],
        f"attn: there is no verb `zebra`. The verbs are {', '.join(cli.VERBS)}",
    ),
    (["--fresh"], "attn: No such option: --fresh. See `attn --help`."),
    (
        ["train", "--fesh"],
        "attn train: No such option: --fesh (Possible options: --fre",
    ),
    (["train", "--lr=3"], "attn train: No such option: --lr"),
    (["train", "--lr", "3"], "attn train: No such option: --lr"),
    (
        ["train", "tiny.yaml", "--optim.lr=x"],
        "override `optim.lr=x`: expected a number above 0, got",
    ),
    (
        ["train", "--optim.lr", "3"],
        "attn train: No such option: --optim.lr Values are written key=value, without",
    ),
    (
        ["train", "tiny.yaml", "other.yaml"],
        "attn: expected one config, got `tiny.yaml` and `other.yaml`; overrides are "
        "written key=value, without spaces around the `=`.",
    ),
    (["train", "tiny.yaml", "seed", "=", "3"], "attn: expected one config, got `tiny."),
    (["train", "tinny.yaml"], "tinny.yaml: no such file. Did you mean `tiny.yaml`?"),
    (["train", "."], ".: a folder or a device, not a config file."),
    (
        ["train", "tiny.yaml", "lr=3"],
        "override `lr=3`: unknown key. Did you mean `optim.lr`?",
    ),
    (
        ["config", "check", "tiny.yaml", "model.mask=causl"],
        "override `model.mask=causl`: unknown name `causl`; did you mean `causal`?",
    ),
    (
        ["config", "check", "tiny.yaml", "model.mask=alibi"],
        "override `model.mask=alibi`: expected a mask piece, got `alibi`, of kind logi",
    ),
    (
        ["config", "check", "tiny.yaml", "model.backend=dens"],
        "override `model.backend=dens`: expected one of auto, dense",
    ),
    (["config", "schema", "--out", "."], ".: is a folder; --out is a file like"),
    (["config", "shw"], "attn config: No such command 'shw'. Did you mean 'show'? See"),
    (["resume"], "runs: no runs yet. Start one with `attn train`."),
    (["resume", "x"], "runs: no runs yet. Start one with `attn train`."),
    (
        ["eval", "--runs", "elsewhere"],
        "elsewhere: no runs yet. Start one with `attn tra",
    ),
    (
        ["sample", "--length", "0"],
        "attn sample: Invalid value for '--length': ",
    ),
    (
        ["sample", "--length", "x"],
        "attn sample: Invalid value for '--length': ",
    ),
    (["list", "maks"], "attn list: nothing called `maks`. Did you mean `masks`?"),
    (
        ["list", "zebra"],
        "attn list: nothing called `zebra`. Known: similarities, logits",
    ),
    (["explain", "causl"], "notation: unknown name `causl`; did you mean `causal`?"),
    (
        ["explain", "--shape", "1x2"],
        "attn explain: --shape expected 4 whole numbers such as 1x1024x8x64, got '1x2'",
    ),
    (
        ["explain", "--dtype", "float3"],
        "attn explain: --dtype does not know `float3`. ",
    ),
    (
        ["explain", "--platform", "cuda"],
        "attn explain: --platform does not know `cuda`",
    ),
    (["explain", "--shape", "0x1x1x1"], "attn explain: --shape expected 4 whole num"),
    (["explain", "--keys", "9"], "attn explain: --keys expected 2 whole numbers such"),
    (
        ["explain", "--keys", "9x3"],
        "attn explain: key heads must divide heads, got 3 a",
    ),
    (
        ["bench", "atention"],
        "attn bench: there is no suite 'atention'. Did you mean `attention`?",
    ),
    (["bench", "diff", "a"], "attn bench diff: expected two records or two HLO texts"),
    (
        ["bench", "list", "atention"],
        "attn bench: there is no suite 'atention'. Did you mean `attention`?",
    ),
    (["bench", "list", "--all"], "attn bench list: --all does nothing here; leave it"),
    (
        ["bench", "diff", "a", "b", "--only", "x"],
        "attn bench diff: --only does nothing",
    ),
    *(
        (["bench", "s.yaml", *words], f"attn bench STUDY.yaml: {words[0]} does nothing")
        for words in (
            ["--only", "x"],
            ["--all"],
            ["--spec", "causal"],
            ["--shape", "1x2x3x4"],
            ["--backend", "dense"],
            ["--rivals", "torch"],
        )
    ),
    (["bench", "no.yaml"], "no.yaml: no such file or directory."),
    (
        ["inspect", "--out", "tiny.yaml"],
        "attn inspect: --out ends in .html, got 'tiny.yaml'.",
    ),
    (
        ["report", "--charts", "tiny.yaml"],
        "attn report: --charts is a folder, and tiny.yaml is a file.",
    ),
    (
        ["bench", "step", "--out", "x"],
        "attn bench --out: a record is a .json file, like ",
    ),
    (
        ["bench", "step", "--out", "tiny.yaml/x.json"],
        "attn bench --out: may not write in ",
    ),
    (["bench", "step", "--burst", "inf"], "attn bench: Invalid value for '--burst': "),
    (
        ["bench", "attention", "--spec", "causl"],
        "notation: unknown name `causl`; did you mean `causal`?",
    ),
    (["walkthrough", "--seed", f"{2**31}"], "attn walkthrough: Invalid value for '--s"),
    (
        ["walkthrough", "--mask", "causl"],
        "notation: unknown name `causl`; did you mean `causal`?",
    ),
]


@pytest.mark.parametrize("option", ["seed", "temperature", "length-penalty"])
@pytest.mark.parametrize("number", ["nan", "inf", "5e999", "-1"])
def test_a_number_that_is_none_is_told(option, number, attn, folder):
    code, out, err = attn("sample", f"--{option}", number)
    assert (code, out) == (exits.USER, "")
    assert err.startswith(f"attn sample: Invalid value for '--{option}': ")
    assert err.count("\n") == 1


def test_a_seed_is_no_larger_than_a_configs(attn, folder):
    assert attn("sample", "--seed", str(2**31))[0] == exits.USER


@pytest.mark.parametrize(("words", "line"), WRONG, ids=[" ".join(x[0]) for x in WRONG])
def test_a_mistake_is_one_line_and_exit_code_2(words, line, attn, folder):
    code, out, err = attn(*words)
    assert code == exits.USER
    assert out == ""
    assert err.startswith(line)
    assert err.count("\n") == 1
    assert os.listdir(folder) == ["tiny.yaml"]  # nothing half-written


def test_what_a_terminal_cannot_show_is_no_error(folder, monkeypatch):
    path = make_run(folder / "runs")  # its loss is drawn with braille dots
    said = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", said)
    assert cli.main(["runs", "show", str(path)]) == 0
    assert b"train/loss\n" in said.buffer.getvalue()
    assert b"????" in said.buffer.getvalue()


def test_bench_lists_its_cases_as_json(attn):
    code, out, _ = attn("bench", "list", "compile", "--json")
    assert code == 0
    (cases,) = json.loads(out).values()
    assert cases[0]["label"].startswith("train step of 4 layers")
    assert cases[0]["goals"][0]["rival"] == "deep"


def test_an_option_on_the_line_is_stronger_than_a_study(attn, folder, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "experiments.commands.bench._run", lambda *all_: seen.append(all_[2]) or 0
    )
    study = "suite: compile\nrounds: 7\nburst: 2.0\ncases: [{}]\n"
    (folder / "s.yaml").write_text(study)
    attn("bench", "s.yaml", "--rounds", "3")
    assert (seen[0].rounds, seen[0].burst) == (3, 2.0)


def test_the_list_of_cases_fits_a_narrow_terminal(attn, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    _, out, _ = attn("bench", "list")
    assert max(map(len, out.splitlines())) <= 60
    assert "    causal 4x256x8x64 fwd  [jax.nn, torch 0.85, flex]" in out


def test_bench_says_that_nothing_was_written_when_it_is_stopped_early(
    attn, monkeypatch
):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("experiments.bench.suite.run", stopped)
    code, _, err = attn("bench", "compile")
    assert code == exits.INTERRUPTED
    assert err == "Stopped; nothing was measured to its end, nothing was written.\n"


def test_a_bench_that_is_refused_leaves_no_folder(attn, folder, monkeypatch):
    monkeypatch.setattr("experiments.bench.suite.platform", lambda: "cpu")
    code, _, err = attn("bench", "flash_grid", "--out", "new/x.json")
    assert code == exits.USER
    assert err.startswith("attn bench: every case of this run is for a gpu")
    assert os.listdir(folder) == ["tiny.yaml"]


def test_a_bench_says_first_that_its_programs_have_no_place(attn, folder):
    (folder / "x").write_text("a file")
    code, _, err = attn("bench", "step", "--out", "x.json")
    assert code == exits.USER
    assert "x a folder of programs, but x is something else; give another name" in err


def test_the_help_shows_a_study_of_ones_own(attn):
    _, out, _ = attn("bench", "--help")
    assert 'rivals: ["jax.nn", torch]' in out


@pytest.mark.parametrize(
    "words", [[verb] for verb in cli.VERBS] + [["config", "show"], ["config", "check"]]
)
def test_every_help_says_what_it_does_and_shows_an_example(words, attn):
    code, out, err = attn(*words, "--help")
    assert code == 0
    assert err == ""
    assert f"Example: attn {' '.join(words)}" in " ".join(out.split())


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_its_own_example(verb):
    assert cli.VERBS[verb][1].split()[:2] == ["attn", verb]


class TestFirstSteps:
    def test_without_arguments_it_helps(self, attn):
        code, out, _ = attn()
        assert code == 0
        assert "attn train" in out
        for verb in cli.VERBS:
            assert verb in out

    def test_the_version(self, attn):
        code, out, _ = attn("--version")
        assert code == 0
        assert out.startswith("attn ")

    def test_help_and_mistakes_are_answered_without_jax(self, folder):
        code = (
            "import sys; from experiments import cli\n"
            "cli.main(['--help']); cli.main(['train', 'tiny.yaml', 'lr=3'])\n"
            "cli.main(['config', 'show', 'tiny.yaml'])\n"
            "cli.main(['list', 'optimizers']); cli.main(['bench', 'list'])\n"
            "cli.main(['bench', '--help']); cli.main(['bench', 'atention'])\n"
            "cli.main(['resume'])\n"
            "print([m for m in ('jax', 'flax', 'optax') if m in sys.modules])"
        )
        root = pathlib.Path(cli.__file__).parent.parent
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(root)},
        )
        assert done.stdout.splitlines()[-1] == "[]", done.stderr

    @pytest.mark.parametrize("words", [["--help"], ["train", "tiny.yaml", "lr=3"]])
    def test_they_are_answered_at_once(self, words, folder):
        env = os.environ | {"PYTHONPATH": str(pathlib.Path(cli.__file__).parents[1])}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        shell(*words, env=env)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        assert seconds < 0.8  # of the processor; 0.3 s on an idle machine


class TestExplain:
    def test_one_runs_and_the_others_say_why_not(self, attn):
        code, out, _ = attn("explain", "causal, softcap(50)", "--platform", "cpu")
        assert code == 0
        assert "causal" in out.splitlines()[0]
        said = dict(line.split(maxsplit=1) for line in out.splitlines()[1:])
        assert sum(word.startswith("runs") for word in said.values()) == 1
        assert said["fused"].startswith("refuses: ")

    def test_the_shape_decides(self, attn):
        small = json.loads(attn("explain", "--shape", "1x64x1x8", "--json")[1])
        large = json.loads(attn("explain", "--shape", "1x4096x1x64", "--json")[1])
        assert small["backends"] != large["backends"]


class TestConfig:
    def test_show_prints_a_config_that_loads_to_the_same(self, attn, folder):
        code, out, _ = attn("config", "show", "tiny.yaml", "optim.lr=3e-3")
        assert code == 0
        (folder / "shown.yaml").write_text(out)
        assert load("shown.yaml") == load("tiny.yaml", ["optim.lr=3e-3"])

    def test_show_with_origins(self, attn):
        _, out, _ = attn("config", "show", "tiny.yaml", "optim.lr=3e-3", "--origin")
        assert "# tiny.yaml:1" in out
        assert "# override `optim.lr=3e-3`" in out

    def test_show_with_meanings(self, attn):
        _, out, _ = attn("config", "show", "tiny.yaml", "--meanings")
        assert "# highest learning rate; a number above 0\n" in out

    def test_show_as_json(self, attn):
        _, out, _ = attn("config", "show", "tiny.yaml", "--json")
        assert json.loads(out)["model"]["width"] == 8

    def test_check_says_what_follows(self, attn):
        code, out, _ = attn("config", "check", "tiny.yaml")
        assert code == 0
        assert out.startswith("tiny.yaml is fine.\n")
        assert "2,000 steps of 16 x 128 tokens, 4,096,000 tokens in all" in out

    def test_check_as_json(self, attn):
        _, out, _ = attn("config", "check", "tiny.yaml", "--json")
        assert json.loads(out)["steps"] == 2000

    def test_every_fault_has_its_line_on_stderr(self, attn, folder):
        (folder / "bad.yaml").write_text("sed: 1\nmodel:\n  layers: 0\n")
        code, out, err = attn("config", "check", "bad.yaml", "nope=1")
        assert (code, out) == (2, "")
        places = [line.split(": ")[0] for line in err.splitlines()]
        assert places == ["bad.yaml:1", "bad.yaml:3", "override `nope=1`"]

    def test_a_dry_run_writes_nothing(self, attn, folder):
        code, out, _ = attn("train", "tiny.yaml", "--dry-run")
        assert code == 0
        assert "runs/tiny-" in out
        assert os.listdir(folder) == ["tiny.yaml"]

    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ("model.mask=causl", "unknown name `causl`; did you mean `causal`?"),
            ("data.path=tiny.yml", "no such file: tiny.yml (did you mean tiny.yaml?)"),
            ("train.weights=runs/no", "runs/no is no run. Expected the folder of a"),
        ],
    )
    def test_a_dry_run_refuses_what_the_run_would(self, attn, setting, message):
        code, out, err = attn("train", "tiny.yaml", setting, "--dry-run")
        assert (code, out) == (2, "")
        assert err.startswith(f"override `{setting}`: {message}")
        assert err.count("\n") == 1
