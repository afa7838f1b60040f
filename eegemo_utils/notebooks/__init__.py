"""What a notebook is to the rest of the project: definitions, parameters, recorded metrics, provenance."""

from .cells import did_you_mean
from .definitions import NotebookError, list_notebooks, load_constant, load_definitions, notebook_path
from .metrics import MIME, NOT_COMPARED, read_metrics, record
from .parameters import (
    Parameter,
    ParameterError,
    cast,
    cast_parameters,
    check_parameters,
    default_parameters,
    describe,
    read_parameters,
)
from .provenance import provenance, read_provenance, show_provenance

__all__ = [
    "MIME",
    "NOT_COMPARED",
    "NotebookError",
    "Parameter",
    "ParameterError",
    "cast",
    "cast_parameters",
    "check_parameters",
    "default_parameters",
    "describe",
    "did_you_mean",
    "list_notebooks",
    "load_constant",
    "load_definitions",
    "notebook_path",
    "provenance",
    "read_metrics",
    "read_parameters",
    "read_provenance",
    "record",
    "show_provenance",
]
