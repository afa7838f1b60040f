"""YAML that people write: settings of a run, sweeps, clusters. Data only, each name once, errors in plain words."""

from __future__ import annotations

from pathlib import Path

import yaml

from .notebooks.parameters import ParameterError

# How -p NAME VALUE is read, in every command that takes a notebook's parameters.
PARAMETER_OPTION = {"dest": "parameter", "nargs": 2, "action": "append", "default": [], "metavar": ("NAME", "VALUE")}


class OneValueEach(yaml.SafeLoader):
    """YAML as data in which no name stands twice; plain YAML would keep the last one in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """Return a mapping, or raise for a name that stands twice in it."""
        names = [key.value for key, _ in node.value]  # before `<<: *block`, which may be overruled, is merged in
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise yaml.YAMLError(f"{twice!r} is set twice{node.start_mark}")
        return super().construct_mapping(node, deep)


def read_yaml(path: str | Path, what: str) -> object:
    """Return what a YAML file holds.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.
    what : str
        Its name in messages, such as "settings file".

    Raises
    ------
    ParameterError
        When there is no such file, it is no YAML, or a name stands twice in it.
    """
    try:
        return yaml.load(Path(path).read_text(encoding="utf-8"), OneValueEach)
    except OSError as error:
        raise ParameterError(f"The {what} {path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ParameterError(f"The {what} {path} is not YAML: {reason}") from error


def read_settings(path: str | Path) -> dict[str, object]:
    """Return the parameters that a settings file holds.

    Raises
    ------
    ParameterError
        When there is no such file, it is no YAML, or it is not one ``name: value`` a line, each name once.
    """
    settings = read_yaml(path, "settings file")
    if not isinstance(settings, dict):
        raise ParameterError(f"The settings file {path} holds no parameters; write `name: value` lines.")
    return {str(name): value for name, value in settings.items()}
