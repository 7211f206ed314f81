"""The configs that come with the project, and the file that a name means."""

import os
from pathlib import Path

import experiments
from experiments.errors import UserError

DEFAULT = "tiny_lm.yaml"


def configs_folder() -> Path:
    """The shipped configs: beside the packages in a checkout, inside when installed."""
    package = Path(experiments.__file__).parent
    beside = package.parent / "configs"
    return beside if beside.is_dir() else package / "configs"


def find_config(name: str | None) -> Path:
    """The file of a config given by path or by name; the default for None.

    A path that is not there is looked for among the shipped configs, so that
    `configs/tiny_lm.yaml` and `tiny_lm` work from every folder.
    """
    if name is None:
        return configs_folder() / DEFAULT
    path = Path(name)
    if (path / "manifest.json").is_file():
        raise UserError(
            f"{name} is a run, not a config. Did you mean `attn resume {name}`?"
        )
    if os.path.lexists(path):
        return path
    if path.parent in (Path(), Path("configs")):
        for shipped in (
            configs_folder() / path.name,
            configs_folder() / f"{path.name}.yaml",
        ):
            if shipped.is_file():
                return shipped
    # Missing: the reader of the file says so, with the nearest name beside it.
    return path if path.suffix else path.with_suffix(".yaml")
