"""Where each value of a config was written."""

from dataclasses import dataclass, field

from experiments.config.errors import ConfigError, Fault

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Origin:
    """A place in a file, or an override on the command line.

    Args:
      place: what a reader sees, `configs/tiny_lm.yaml:12` or "override `a.b=c`".
      layer: how late this place speaks: parents first, overrides last.
      line: the line in its file, or the number of the override.
    """

    place: str
    layer: int = 0
    line: int = 0


@dataclass
class Origins:
    """Every path that was written, with its place.

    Two configs with equal values are equal wherever the values were written.
    """

    at: dict[Path, Origin] = field(default_factory=dict)
    title: str = "config"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Origins)

    def written(self, path: Path) -> Origin | None:
        """The place of the path itself, or None if it has its default."""
        return self.at.get(path)

    def find(self, path: Path) -> Origin:
        """The place of the path, of the section around it, or of the whole config."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.at:
                return self.at[path[:end]]
        return Origin(self.title)

    def fault(self, path: Path, message: str, *others: Path) -> Fault:
        """A fault about `path`, placed where the latest of these paths was written."""
        places = [(each, self.written(each)) for each in (path, *others)]
        known = [(at.layer, at) for _, at in places if at is not None]
        at = max(known, key=lambda pair: pair[0])[1] if known else self.find(path)
        return Fault(message, at.place, dotted(path), (at.layer, at.line))

    def error(self, path: Path, message: str, *others: Path) -> ConfigError:
        """The fault as an exception, ready to be raised."""
        return ConfigError([self.fault(path, message, *others)])


def dotted(path: Path) -> str:
    """`optim.betas[1]` from `("optim", "betas", 1)`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def split(text: str) -> Path:
    """`("optim", "lr")` from `optim.lr`."""
    return tuple(text.split("."))
