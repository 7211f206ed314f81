"""A group of keys of a config, and how a key is declared."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from experiments.config.errors import ConfigError
from experiments.config.origin import Origins, split


def says(
    default: Any, meaning: str, inert: bool = False, models: tuple[str, ...] = ()
) -> Any:
    """A field with its default and its meaning.

    Args:
      default: the value if nothing is written.
      meaning: for the reader.
      inert: it changes what is kept or shown, never what is computed.
      models: the kinds of model for which it means something; () is all of them.
    """
    extra = {"inert": True} if inert else {"models": list(models)} if models else None
    return Field(default, description=meaning, json_schema_extra=extra)


def section(kind: type, meaning: str) -> Any:
    """A group of keys, all of which have defaults."""
    return Field(default_factory=kind, description=meaning)


class Section(BaseModel):
    """A frozen group of keys that remembers where its values were written."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
    _origins: Origins = PrivateAttr(default_factory=Origins)

    def fault(self, key: str, message: str) -> ConfigError:
        """The error to raise when a value turns out wrong later on.

        Args:
          key: dotted path below this section, `path` or `schedule.kind`.
          message: expected, got, remedy.
        """
        return ConfigError([self._origins.fault(split(key), message)])

    def locate(self, key: str) -> str:
        """Where the value was written, `configs/tiny_lm.yaml:12`."""
        return self._origins.find(split(key)).place
