"""The numbers that the papers report, and the table that sets them beside a run's.

One yaml file a paper. Each number has its source and how sure it is: ``confirmed`` (read in the source
itself) or ``second-hand`` (as others report it). A number that is only remembered is not there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml

from eegemo_utils.values import is_number

FOLDER = Path(__file__).parent
CERTAINTIES = ("confirmed", "second-hand")
QUANTITY_KEYS = {"value", "what", "source", "certainty"}, {"unit", "note"}
OTHER_KEYS = {"who", "model", "data", "value", "evaluation", "source", "certainty"}, {"note"}


@dataclass(frozen=True)
class Quantity:
    """One reported number, list or table, and where it comes from."""

    value: object
    what: str
    source: str
    certainty: str
    unit: str = ""
    note: str = ""


class Reported(dict):
    """Quantities of one paper by name.

    Attributes
    ----------
    paper, citation : str
    others : DataFrame
        What other people report on such data: who, model, data, value, evaluation, source, certainty, note.
    """

    def __init__(self, paper: str, citation: str, quantities: dict[str, Quantity], others: pd.DataFrame):
        super().__init__(quantities)
        self.paper, self.citation, self.others = paper, citation, others

    def __missing__(self, name):
        raise KeyError(f"{self.paper} reports no {name!r}; it has: {', '.join(self)}")


def reported(paper: str) -> Reported:
    """Numbers of a paper, e.g. ``reported("gru")["accuracy_published"].value``.

    Raises
    ------
    ValueError
        No file for this paper, or the file is not as it should be (which file, which entry, what to do).
    """
    path = FOLDER / f"{paper}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml")))
        raise ValueError(f"no reported numbers for {paper!r}; there are: {known}")
    return read(path)


def read(path: Path) -> Reported:
    """Read and check a yaml file of reported numbers; see `reported`."""
    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path.name}: not valid yaml: {error}") from error
    _check_keys(content, {"paper", "citation", "sources", "quantities"}, {"others"}, path.name, "the file")
    if content["paper"] != path.stem:
        raise ValueError(f"{path.name}: paper is {content['paper']!r}, not the file's name, {path.stem!r}")
    quantities = {}
    for name, entry in content["quantities"].items():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", str(name)):
            raise ValueError(f"{path.name}: quantity {name!r} must be in snake_case, as recorded names are")
        quantities[name] = Quantity(**_entry(entry, QUANTITY_KEYS, content["sources"], path.name, name))
    others = [_entry(entry, OTHER_KEYS, content["sources"], path.name, f"others[{k}]")
              for k, entry in enumerate(content.get("others", []))]
    for k, entry in enumerate(others):
        if not is_number(entry["value"]):
            raise ValueError(f"{path.name}, others[{k}]: value must be a number, found {entry['value']!r}")
    columns = ["who", "model", "data", "value", "evaluation", "source", "certainty", "note"]
    return Reported(content["paper"], content["citation"].strip(), quantities,
                    pd.DataFrame(others, columns=columns).fillna({"note": ""}))


def beside(paper: str, run: dict, data: str, comparable: bool) -> pd.DataFrame:
    """The paper's numbers beside this run's.

    Parameters
    ----------
    paper : str
    run : dict of name to number
        Names as in the yaml; one that the paper does not report is shown as such.
    data : str
        What this run ran on, e.g. "simulated Muse cohort".
    comparable : bool
        Whether that is the paper's own data. If not, no difference is computed.

    Returns
    -------
    DataFrame
        Indexed by name; columns quantity, paper, source, certainty, this run, difference (this run minus the
        paper).

    Raises
    ------
    ValueError
        A reported list or table, which has no difference.
    """
    known, rows = reported(paper), []
    for name, value in run.items():
        if name not in known:
            rows.append([name, "not reported", "", "", value, ""])
            continue
        quantity = known[name]
        if not is_number(quantity.value):
            raise ValueError(f"{paper} reports {name!r} as a list or table; compare its entries one by one")
        difference = value - quantity.value if comparable else f"not comparable: {data}"
        rows.append([quantity.what, quantity.value, quantity.source, quantity.certainty, value, difference])
    columns = ["quantity", "paper", "source", "certainty", "this run", "difference"]
    return pd.DataFrame(rows, columns=columns, index=pd.Index(run, name="name"), dtype=object)


def _entry(entry, keys, sources, file, name) -> dict:
    """One checked entry, its source written out."""
    _check_keys(entry, *keys, file, name)
    if entry["certainty"] not in CERTAINTIES:
        raise ValueError(f"{file}, {name}: certainty {entry['certainty']!r} must be one of {CERTAINTIES}; "
                         "a number that is only remembered does not belong here")
    if entry["source"] not in sources:
        raise ValueError(f"{file}, {name}: source {entry['source']!r} is not listed under sources: "
                         f"{', '.join(sources)}")
    return entry | {"source": sources[entry["source"]]}


def _check_keys(entry, required, optional, file, name):
    if not isinstance(entry, dict):
        raise ValueError(f"{file}, {name}: expected keys and values, found {type(entry).__name__}")
    missing, unknown = required - entry.keys(), entry.keys() - required - optional
    if missing:
        raise ValueError(f"{file}, {name}: missing {', '.join(sorted(missing))}")
    if unknown:
        raise ValueError(f"{file}, {name}: unknown {', '.join(sorted(map(str, unknown)))}; "
                         f"allowed: {', '.join(sorted(required | optional))}")
