"""YAML that people write: settings of a run, sweeps, clusters. Data only, each name once, errors in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from .notebooks.cells import NotebookError, did_you_mean, notebooks_folder
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


def find_file(name: str | Path, what: str, *, notebooks: Sequence[str] = (), beside: Sequence[Path] = ()) -> Path:
    """Return the file that a name on a command line or in a sweep means.

    It is looked for from the working folder, then from the folders ``beside``, then among the project's own, where
    ``muse``, ``gru/muse`` and ``notebooks/settings/gru/muse.yaml`` all mean the settings file of the notebook gru.

    Parameters
    ----------
    name : str or pathlib.Path
        A path, or the name of one of the project's files, with or without ``.yaml``.
    what : str
        "settings file", "sweep file" or "cluster file".
    notebooks : sequence of str, optional
        The notebooks whose settings a name alone may mean; by default those of all.
    beside : sequence of pathlib.Path, optional
        Folders to look in after the working folder.

    Raises
    ------
    ParameterError
        When there is no such file, or a name alone means several.
    """
    given = Path(name)
    paths = [folder / spelled for folder in (Path(), *beside) for spelled in spellings(given)]
    if found := next((path for path in paths if path.is_file()), None):
        return found
    if given.exists():
        return given  # no file: reading it tells the system's reason
    own = own_files(what, notebooks)
    found = [path for names, path in own.items() if spellings(given)[-1].as_posix() in names]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(f"{path.parent.name}/{path.stem}" for path in found)
        raise ParameterError(f"{given} may mean several of the project's {what}s: {several}. Name one of them.")
    known = sorted({names[0].removesuffix(".yaml") for names in own})
    there = f" The project's own: {', '.join(known)}." if known else ""
    looked = ", ".join(str(path.absolute()) for path in dict.fromkeys(paths))
    guess = did_you_mean(given.stem, known)
    raise ParameterError(f"There is no {what} {given}; looked for {looked}.{guess}{there}")


def spellings(given: Path) -> list[Path]:
    """Return a path as it is given, and with ``.yaml`` where it has no ending."""
    return [given] if given.suffix else [given, given.with_name(f"{given.name}.yaml")]


def own_files(what: str, notebooks: Sequence[str]) -> dict[tuple[str, ...], Path]:
    """Return the project's own files of one kind by the names they go by, the shortest first."""
    try:
        folder = notebooks_folder()
    except NotebookError:
        return {}
    if what == "settings file":
        paths = [path for path in sorted(folder.glob("settings/*/*.yaml"))
                 if not notebooks or path.parent.name in notebooks]
    else:
        paths = [path for path in sorted(folder.glob("sweeps/*.yaml"))
                 if (path.stem == "cluster") == (what == "cluster file")]
    found = {}
    for path in paths:
        parts = ("notebooks", *path.relative_to(folder).parts)
        found[tuple("/".join(parts[start:]) for start in reversed(range(len(parts))))] = path
    return found


def read_settings(name: str | Path, notebooks: Sequence[str] = ()) -> dict[str, object]:
    """Return the parameters that a settings file holds.

    Parameters
    ----------
    name : str or pathlib.Path
        The file, or the name of one of the project's: see `find_file`.
    notebooks : sequence of str, optional
        The notebooks whose settings a name alone may mean.

    Raises
    ------
    ParameterError
        When there is no such file, it is no YAML, or it is not one ``name: value`` a line, each name once.
    """
    path = find_file(name, "settings file", notebooks=notebooks)
    settings = read_yaml(path, "settings file")
    if not isinstance(settings, dict):
        raise ParameterError(f"The settings file {path} holds no parameters; write `name: value` lines.")
    return {str(name): value for name, value in settings.items()}
