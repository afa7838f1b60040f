"""One audit for every method: protocols, controls, signal or shortcut, honest intervals, predictions.

`run` trains a scikit-learn estimator under several protocols; `read_predictions` and `report` do what can be done with
anybody's predictions.
"""

from eegemo_utils.audit.audit import Audit
from eegemo_utils.audit.protocols import PROTOCOLS, plant
from eegemo_utils.audit.run import run
from eegemo_utils.audit.shortcuts import surrogate

__all__ = ["PROTOCOLS", "Audit", "plant", "run", "surrogate"]
