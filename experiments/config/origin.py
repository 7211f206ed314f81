"""Where each value of a config was written."""

from dataclasses import dataclass, field

from experiments.config.errors import Fault

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

    Args:
      at: places by path from the top.
      title: the place of what was written nowhere.
      prefix: the section that paths are counted from.
    """

    at: dict[Path, Origin] = field(default_factory=dict)
    title: str = "config"
    prefix: Path = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Origins)

    def below(self, key: str) -> "Origins":
        """The same places, seen from a section."""
        return Origins(self.at, self.title, (*self.prefix, key))

    def written(self, path: Path) -> Origin | None:
        """The place of the path itself, or None if it has its default."""
        return self.at.get((*self.prefix, *path))

    def find(self, path: Path) -> Origin:
        """The place of the path, of the section around it, or of the whole config."""
        whole = (*self.prefix, *path)
        for end in range(len(whole), 0, -1):
            if whole[:end] in self.at:
                return self.at[whole[:end]]
        return Origin(self.title)

    def fault(self, path: Path, message: str, *others: Path) -> Fault:
        """A fault about `path`, placed where the latest of these paths was written."""
        known = [at for each in (path, *others) if (at := self.written(each))]
        latest = max(known, key=lambda at: at.layer, default=self.find(path))
        order = (latest.layer, latest.line)
        return Fault(message, latest.place, dotted((*self.prefix, *path)), order)


def dotted(path: Path) -> str:
    """`optim.betas[1]` from `("optim", "betas", 1)`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def split(text: str) -> Path:
    """`("optim", "lr")` from `optim.lr`."""
    return tuple(text.split("."))
