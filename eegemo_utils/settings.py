"""YAML that people write: settings of a run, sweeps, clusters. Data only, each name once, errors in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from .notebooks.parameters import ParameterError

# How -p NAME VALUE is read, in every command that takes a notebook's parameters.
PARAMETER_OPTION = {"dest": "parameter", "nargs": 2, "action": "append", "default": [], "metavar": ("NAME", "VALUE")}


class Marked(dict):
    """A mapping of a YAML file; ``lines`` holds the line of each of its names, from 1."""

    lines: dict[object, int] = {}


class MarkedList(list):
    """A list of a YAML file; ``lines`` holds the line of each of its entries, from 1."""

    lines: list[int] = []


class Twice(yaml.YAMLError):
    """A name that stands twice in a mapping: YAML all the same."""


class OneValueEach(yaml.SafeLoader):
    """YAML as data in which no name stands twice; plain YAML would keep the last one in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """Return a mapping, or raise for a name that stands twice in it."""
        first: dict[str, int] = {}  # before `<<: *block`, which may be overruled, is merged in
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode) and key.value in first:
                raise Twice(f", line {line}: {key.value!r} is set twice, first in line {first[key.value]}. Keep one.")
            first |= {key.value: line} if isinstance(key, yaml.ScalarNode) else {}
        return super().construct_mapping(node, deep)

    def marked_mapping(self, node: yaml.MappingNode) -> Iterator[Marked]:
        """Build a mapping that knows its lines, empty first, as PyYAML does for what refers to itself."""
        made = Marked()
        yield made
        made.update(self.construct_mapping(node))
        made.lines = {self.construct_object(key): key.start_mark.line + 1 for key, _ in node.value}

    def marked_list(self, node: yaml.SequenceNode) -> Iterator[MarkedList]:
        """Build a list that knows its lines."""
        made = MarkedList()
        yield made
        made.extend(self.construct_sequence(node))
        made.lines = [entry.start_mark.line + 1 for entry in node.value]


OneValueEach.add_constructor("tag:yaml.org,2002:map", OneValueEach.marked_mapping)
OneValueEach.add_constructor("tag:yaml.org,2002:seq", OneValueEach.marked_list)


def read_yaml(path: str | Path, what: str) -> object:
    """Return what a YAML file holds; its mappings and lists know their lines.

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
    except Twice as error:
        raise ParameterError(f"The {what} {path}{error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParameterError(f"The {what} {path} is not YAML{why_not_yaml(error)}") from error


def why_not_yaml(error: Exception) -> str:
    """Return the line, the reason, and the place in that line with a mark under it."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f": {' '.join(str(error).split())}"
    said = f", line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    snippet = mark.get_snippet(indent=2)
    return f"{said}\n{snippet}" if snippet else said


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
