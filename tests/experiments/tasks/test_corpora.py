"""The texts: what is read, in which order, and what is refused in which words."""

import hashlib
import os
import re
import sysconfig

import pytest

from experiments.config import ConfigError, load
from experiments.tasks import corpora
from experiments.tasks.corpora import corpus, file, stdlib


def data(**values):
    """The section `data` of a config."""
    return load(None, [f"data.{key}={value}" for key, value in values.items()]).data


def refusal(**values) -> str:
    with pytest.raises(ConfigError) as caught:
        corpora.read(data(**values))
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with texts whose order of creation is not that of names."""
    monkeypatch.chdir(tmp_path)
    for name, raw in {
        "notes/b.txt": b"second\n",
        "notes/a/z.txt": b"first",
        "notes/.hidden/x.txt": b"no",
        "notes/.x.txt": b"no",
        "notes/empty.txt": b"",
        "notes/c.md": "third \u00e9\n".encode(),
        "one.txt": b"To be, or not.",
        "binary.bin": b"\x7fELF\x02\0\0",
        "latin.txt": b"caf\xe9",
        "utf16.txt": "hello".encode("utf-16"),
        "bom.txt": b"\xef\xbb\xbfhello",
        "mixed/ok.txt": b"ok\n",
        "mixed/bad.png": b"\x89PNG\r\n\x1a\n\0",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    (tmp_path / "nothing").mkdir()
    return tmp_path


def test_the_standard_library_is_large_and_only_itself():
    found = corpora.read(data(source="stdlib"))
    again = corpora.read(data())  # it is the default
    assert found == again
    assert found.fingerprint == hashlib.sha256(found.text.encode()).hexdigest()
    assert len(found.text) > 2_000_000
    assert "class OrderedDict" in found.text
    assert "\0" not in found.text


def test_the_standard_library_leaves_out_tests_packages_and_tables():
    root = stdlib.Path(sysconfig.get_path("stdlib"))
    files = [path.relative_to(root) for path in stdlib.sources(root)]
    parts = {part for path in files for part in path.parts}
    assert not parts & {"site-packages", "dist-packages", "test", "tests", "encodings"}
    assert all(path.suffix == ".py" for path in files)
    tops = [path.parts[0] for path in files]
    assert tops == sorted(tops)
    assert {"asyncio", "turtle.py", "zipfile"} & set(tops)


def test_a_library_with_strangers_in_it(tmp_path, monkeypatch):
    for name, raw in {
        "json/tests/test_x.py": b"no",
        "json/__init__.py": b"yes\r\n",
        "abc.py": b"first",
        "numpy/__init__.py": b"no",
        "site-packages/os.py": b"no",
        "os.py": b"\xff latin",
        "re.txt": b"no",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    assert corpora.read(data()).text == "first\nyes\n"


@pytest.mark.parametrize("there", [True, False])
def test_a_python_without_its_sources_names_the_remedy(there, tmp_path, monkeypatch):
    root = tmp_path if there else tmp_path / "python311.zip"
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(root))
    assert refusal() == (
        f"config: data.source: this Python has no library sources in {root};"
        " set data.path to a text file of yours."
    )


def test_one_file_has_its_own_fingerprint(folder):
    found = corpora.read(data(path="one.txt"))
    assert found.text == "To be, or not."
    assert found.fingerprint == hashlib.sha256(b"To be, or not.").hexdigest()
    assert found.title == "one.txt"


def test_a_folder_is_read_in_the_order_of_names(folder):
    found = corpora.read(data(path="notes"))
    assert found.text == "first\nsecond\nthird \u00e9\n"
    assert found.title == "notes (4 files)"


def test_a_path_overrules_the_source(folder):
    assert corpora.read(data(path="one.txt", source="tinyshakespeare")).title


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("notes/*.txt", "second\n"),
        ("notes/**/*.txt", "first\nsecond\n"),
        ("notes/[bc].*", "second\nthird \u00e9\n"),
        ("no*", "To be, or not."),  # folders that match are no files
        ("bom.txt", "hello"),
    ],
)
def test_globs(folder, pattern, text):
    (folder / "note").write_text("To be, or not.")
    assert corpora.read(data(path=f"'{pattern}'")).text == text


def test_a_glob_on_the_command_line_needs_no_quotes(folder):
    (folder / "it's.txt").write_text("quoted")
    assert corpora.read(data(path="*'s.txt")).text == "quoted"


def test_a_name_that_looks_like_a_glob_is_a_name_first(folder):
    (folder / "[a].txt").write_text("brackets")
    assert corpora.read(data(path="'[a].txt'")).text == "brackets"


def test_the_home_folder_is_known(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert corpora.read(data(path="~/one.txt")).text == "To be, or not."


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "onne.txt",
            "no such file: onne.txt (did you mean one.txt?);"
            " expected a file, a folder or a glob.",
        ),
        (
            "far/away.txt",
            "no such file: far/away.txt; expected a file, a folder or a glob.",
        ),
        (
            "one.txt/more",
            "one.txt/more cannot be read: not a directory.",
        ),
        ("nothing", "the folder has no file: nothing; expected UTF-8 text."),
        ("'*.xyz'", "no file matches: *.xyz; expected UTF-8 text."),
        ("notes/empty.txt", "notes/empty.txt is empty; expected UTF-8 text."),
        (
            "binary.bin",
            "binary.bin is a binary file (byte 5 is 0); expected UTF-8 text.",
        ),
        (
            "latin.txt",
            "latin.txt is not UTF-8 text (byte 3 is 0xE9); convert it with iconv.",
        ),
        (
            "utf16.txt",
            "utf16.txt is UTF-16 text; expected UTF-8, convert it with iconv.",
        ),
        (
            "mixed",
            "mixed/bad.png is a binary file (byte 8 is 0); expected UTF-8 text,"
            " or choose files by a glob such as mixed/**/*.txt.",
        ),
        ("pipe", "pipe is no regular file; expected text."),
        ("~nobody_here/x", "no such user; write the path in full."),
        ("x" * 300, "x" * 300 + " cannot be read: file name too long."),
    ],
)
def test_refused(folder, path, message):
    os.mkfifo(folder / "pipe")
    assert refusal(path=path) == f"override `data.path={path}`: {message}".replace(
        f"`data.path={'x' * 300}`", f"`data.path={'x' * 47}...`"
    )


def test_a_pipe_in_a_folder_is_no_file(folder):
    os.mkfifo(folder / "nothing" / "pipe")
    assert "the folder has no file" in refusal(path="nothing")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(folder):
    (folder / "one.txt").chmod(0)
    assert refusal(path="one.txt").endswith("cannot be read: permission denied.")


def test_an_error_of_the_system_is_one_line(folder, monkeypatch):
    def fail(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(file.Path, "read_bytes", fail)
    assert refusal(path="one.txt").endswith(
        "one.txt cannot be read: permission denied."
    )


def test_too_much_is_refused_before_it_is_read(folder, monkeypatch):
    monkeypatch.setattr(file, "MOST_BYTES", 20)
    monkeypatch.setattr(file.Path, "read_bytes", lambda self: pytest.fail("read"))
    assert refusal(path="notes").endswith(
        "notes is too much, 4 files of 21 bytes; at most 100,000 of 20 fit."
    )


def test_a_name_cannot_break_the_line(folder):
    (folder / "nothing" / "a\nb\x1b[31m.txt").write_bytes(b"\0")
    message = refusal(path="nothing")
    assert re.search(r"nothing/a\\nb\\x1b\[31m\.txt is a binary file", message)


def test_a_link_in_a_circle_ends(folder):
    (folder / "notes" / "a" / "up").symlink_to(folder / "notes")
    assert corpora.read(data(path="notes")).text.count("first") == 1


def test_join_ends_lines_and_drops_nothing():
    assert corpus.lines([b"a", b"", b"b\n", b"\n"]) == [b"a\n", b"b\n", b"\n"]
