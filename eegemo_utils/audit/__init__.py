"""One audit for every method: protocols, controls, signal or shortcut, honest intervals, predictions.

`run` trains a scikit-learn estimator under several protocols; `read_predictions` and `report` do what can be done with
anybody's predictions.
"""

from eegemo_utils.audit.audit import Audit
from eegemo_utils.audit.estimators import flat
from eegemo_utils.audit.leaks import leaks
from eegemo_utils.audit.predictions import Predictions, PredictionsError, check_predictions, read_predictions
from eegemo_utils.audit.protocols import PROTOCOLS, plant
from eegemo_utils.audit.report import report
from eegemo_utils.audit.run import run
from eegemo_utils.audit.shortcuts import surrogate

__all__ = ["PROTOCOLS", "Audit", "Predictions", "PredictionsError", "check_predictions", "flat", "leaks", "plant",
           "read_predictions", "report", "run", "surrogate"]
