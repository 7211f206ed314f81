"""Every command and every snippet of the README is run, so that none can rot."""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tomllib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Made small: what is tested here is that the commands are right.
SMALL = [
    "train.duration=4steps",
    "optim.schedule.warmup=1steps",
    "train.steps_per_call=2",
    "model.layers=1",
    "model.width=16",
    "model.heads=2",
    "data.batch=2",
    "eval.batches=1",
]
TEXT = ["data.context=16", "sample.length=8"]  # other tasks know their lengths
BRIEF = {"study": ["--dry-run"], "noise": SMALL, "train": SMALL}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


SETUP = [line for line in commands() if "-m venv" in line or line.startswith("uv ")]
VERBS = [line for line in commands() if line not in SETUP]


def test_the_readme_opens_with_the_two_commands():
    train, tests = SETUP[:2]
    assert train.endswith("/attn train")
    assert "pytest" in tests
    assert "\\" not in train + tests, "one line each, to be pasted"


@pytest.mark.parametrize("line", SETUP)
def test_setup_lines_name_extras_and_constraints_that_exist(line):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extras in re.findall(r"\.\[(.*?)\]", line):
        assert set(extras.split(",")) <= set(project["optional-dependencies"])
    assert "-c constraints.txt" in line
    assert (ROOT / "constraints.txt").is_file()


def test_ci_calls_the_test_command_of_the_readme():
    called = SETUP[1].split("&& ")[-1].replace(".venv/bin/", '"$venv/bin/python" ')
    called = called.replace("python -m", "-m").replace('python" python', 'python"')
    assert called in (ROOT / ".ci" / "run").read_text()


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder to work in, like a checkout: the configs are there, no runs yet."""
    desk = tmp_path_factory.mktemp("desk")
    (desk / "configs").symlink_to(ROOT / "configs")
    return desk


def test_every_command_runs_in_the_order_of_the_readme(desk):
    pytest.importorskip("altair", reason="attn plot: the extra `plots`")
    assert VERBS
    for line in VERBS:
        verb = shlex.split(line, comments=True)
        assert verb[0] == "attn", f"no test knows how to run: {line}"
        verb += BRIEF.get(verb[1], [])
        is_text = verb[1] == "train" and not {"mqar", "induction", "dates"} & {*verb}
        verb += TEXT if is_text else []
        done = subprocess.run(
            [sys.executable, "-m", "experiments.cli", *verb[1:]],
            cwd=desk,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        assert done.stdout, line


def test_every_snippet_runs(capsys):
    namespace: dict[str, object] = {}
    snippets = blocks("python")
    assert snippets
    for snippet in snippets:
        exec(compile(snippet, "README.md", "exec"), namespace)


@pytest.mark.slow
@pytest.mark.parametrize("line", SETUP[:2])
def test_a_fresh_clone_runs_the_setup_line(line, tmp_path):
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
    # The whole run is for people; here its first steps, and the quick tests.
    line += " train.duration=20steps" if "train" in line else " tests/test_layers.py"
    for _ in range(2):
        subprocess.run(["bash", "-c", line], cwd=clone, check=True, timeout=900)
