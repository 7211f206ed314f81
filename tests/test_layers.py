"""The layer rule: imports go downwards only, and `attn` needs four packages."""

import ast
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Lowest first. A module may import its own layer and the layers before it.
LAYERS = (
    ("attn.shapes", "attn.numerics", "attn.adjoint", "attn.products"),
    ("attn.spec",),
    ("attn.batches",),
    ("attn.backends",),
    ("attn.heads",),
    ("attn.functional", "attn.convolution", "attn.decoding"),
    ("attn.modules",),
    ("attn",),
    ("experiments",),
    ("experiments.commands",),
    ("experiments.cli",),
)
LIBRARY_MAY_IMPORT = {"attn", "jax", "flax", "chex", "numpy", *sys.stdlib_module_names}


def layer_of(module: str) -> int | None:
    """Index of the layer that names `module` or a package around it, None outside.

    `attn` is its `__init__` alone: what is inside has a layer of its own or none.
    """
    for index, names in enumerate(LAYERS):
        for name in names:
            if module == name or (name != "attn" and module.startswith(name + ".")):
                return index
    return None


def imports_of(path: pathlib.Path) -> list[tuple[int, str]]:
    """(line, absolute module) of every import in a file, nested ones included."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            base = node.module or ""
            # `from attn import shapes` names a module; `from attn.shapes import f` not.
            for alias in node.names:
                deeper = f"{base}.{alias.name}"
                found.append((node.lineno, deeper if is_module(deeper) else base))
    return found


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def module_name(path: pathlib.Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources() -> list[pathlib.Path]:
    return sorted([*ROOT.glob("attn/**/*.py"), *ROOT.glob("experiments/**/*.py")])


def upward_imports(path: pathlib.Path, imports: list[tuple[int, str]]) -> list[str]:
    own = layer_of(module_name(path))
    if own is None:
        return [f"{path}: {module_name(path)} is in no layer; add it to LAYERS"]
    return [
        f"{path}:{line}: {module_name(path)} imports {name}, a layer above it"
        for line, name in imports
        if (layer := layer_of(name)) is not None and layer > own
    ]


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_imports_go_downwards(path):
    assert not upward_imports(path, imports_of(path))


@pytest.mark.parametrize("path", sorted(ROOT.glob("attn/**/*.py")), ids=module_name)
def test_the_library_needs_four_packages(path):
    foreign = [
        f"{path}:{line}: imports {name}"
        for line, name in imports_of(path)
        if name.split(".")[0] not in LIBRARY_MAY_IMPORT
    ]
    assert not foreign


@pytest.mark.parametrize("name", [name for names in LAYERS for name in names])
def test_every_layer_is_made_of_modules_that_exist(name):
    assert is_module(name)


def test_the_rule_finds_an_offender():
    path = ROOT / "attn" / "novel.py"
    assert upward_imports(path, []) == [
        f"{path}: attn.novel is in no layer; add it to LAYERS"
    ]
    path = ROOT / "attn" / "shapes.py"
    assert upward_imports(path, [(1, "attn.heads"), (2, "jax")]) == [
        f"{path}:1: attn.shapes imports attn.heads, a layer above it"
    ]
