"""Functions of a dataset with a signature and a text of their own, so that `help(datasets.deap.read)` tells all."""

import inspect
from inspect import Parameter
from textwrap import fill, indent
from types import FunctionType

WIDTH = 116


def function_of(dataset, name: str) -> FunctionType:
    """Return a method of a dataset as a function that takes, and tells, exactly this dataset's options.

    Parameters
    ----------
    dataset : Dataset
    name : {"read", "check", "write", "simulate"}
    """
    parameters, text = {"read": _read, "check": _check, "write": _write, "simulate": _simulate}[name](dataset)
    method, signature = getattr(dataset, name), inspect.Signature(parameters)

    def function(*arguments, **options):
        bound = signature.bind(*arguments, **options)
        bound.apply_defaults()
        return method(**bound.arguments)

    function.__name__ = function.__qualname__ = name
    function.__module__, function.__doc__, function.__signature__ = type(dataset).__module__, text, signature
    return function


def _parameter(name: str, default=Parameter.empty, keyword: bool = False) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY if keyword else Parameter.POSITIONAL_OR_KEYWORD, default=default)


def _entry(name: str, text: str) -> str:
    """Return one parameter or result as numpydoc has it."""
    return f"{name}\n{indent(fill(text, WIDTH - 4), '    ')}"


def _join(summary: str, **sections: list[str]) -> str:
    parts = [f"{title}\n{'-' * len(title)}\n" + "\n".join(entries) for title, entries in sections.items() if entries]
    return "\n\n".join([fill(summary, WIDTH), *parts]) + "\n"


def _with_choices(text: str, choices: tuple) -> str:
    return f"{text} One of {', '.join(map(str, choices))}." if choices else text


def _read(dataset) -> tuple[list[Parameter], str]:
    options = dataset.options
    parameters = [_parameter("root"), _parameter("subjects", None),
                  *(_parameter(name, option.default) for name, option in options.items())]
    example = f" Such as [{dataset.people[0]!r}], or numbers that one name alone has." if dataset.people else ""
    columns = "; ".join(f"{name} ({text})" if text else name for name, text in dataset.columns.items())
    kind = "Trials"
    if dataset.bands:
        kind = "Trials or Windows" if "form" in options else "Windows"
    return parameters, _join(
        f"Read people of {dataset.title}, one file at a time.",
        Parameters=[_entry("root : path", dataset.place),
                    _entry("subjects : list of str, optional", "Only the files of these people are opened." + example),
                    *(_entry(f"{name} : {type(option.default).__name__}, default {option.default!r}",
                             _with_choices(option.text, option.choices)) for name, option in options.items())],
        Returns=[_entry(kind, f"{dataset.unit}. Electrodes: {', '.join(dataset.ch_names)}. Columns of the table: "
                              f"{columns}.")],
        Raises=[_entry("DatasetError", "Where there is no such folder or file, a person or option is unknown, or a "
                                       "file is faulty: says which file, what was expected, what was found, what to "
                                       "do.")])


def _check(dataset) -> tuple[list[Parameter], str]:
    return [_parameter("root")], _join(
        "Say what a folder holds, what is missing or damaged and what `read` does. Raises nothing.",
        Parameters=[_entry("root : path", dataset.place)],
        Returns=[_entry("Report", "Its `ok` says whether `read` would succeed.")])


def _write(dataset) -> tuple[list[Parameter], str]:
    forms, needed = dataset.forms, [*("subject", "session", "trial", "label"), *dataset.needed]
    parameters = [_parameter("trials"), _parameter("root")] + ([_parameter("form", forms[0])] if forms else [])
    return parameters, _join(
        f"Write recordings in the very files of {dataset.short}, and DESCRIPTION.txt, which says what they are.",
        Parameters=[_entry("trials : Trials", f"Signals as `read` gives them, electrodes in any order, at "
                           f"{dataset.sfreq:g} Hz; columns {', '.join(needed)}."),
                    _entry("root : path", "Folder, made where missing."),
                    *([_entry(f"form : str, default {forms[0]!r}", _with_choices("Kind of files.", forms))]
                      if forms else [])],
        Returns=[_entry("list of Path", "The files.")],
        Raises=[_entry("DatasetError", "Where the trials do not fit, or the folder holds other recordings, or any "
                                       "files that `write` did not make.")])


def _simulate(dataset) -> tuple[list[Parameter], str]:
    sizes = dataset.sizes
    parameters = [_parameter(name, size.default, name != "n_subjects") for name, size in sizes.items()]
    parameters += [_parameter(name, default, True) for name, default in
                   (("effect", 1.0), ("fingerprint", 1.0), ("random_state", 0))]
    entries = []
    for name, size in sizes.items():
        bounds = f"{size.lowest:.3g} to {size.highest:g}".replace(" to inf", " at least")
        kind = "int" if isinstance(size.lowest, int) else "float"
        entries.append(_entry(f"{name} : {kind}, default {size.default}", f"{size.text.rstrip('.')} ({bounds})."))
    return parameters, _join(
        f"Simulate people as `read` gives those of {dataset.short}.",
        Parameters=[*entries, _entry("effect, fingerprint, random_state",
                                     "Strength of the planted effect, strength of what is each person's own, and the "
                                     "seed: see `eegemo_utils.simulate.simulate_trials`.")],
        Returns=[_entry("Trials", f"{dataset.unit.split(',')[0]}; the columns that `read` gives.")],
        Raises=[_entry("ValueError", "Where a number is out of range.")])
