"""What an audit asks of an estimator, and the two reference methods that stand beside any other."""

from __future__ import annotations

import inspect

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler


def flat(X: np.ndarray) -> np.ndarray:
    """Return each window's values as one row."""
    return np.asarray(X).reshape(len(X), -1)


def references() -> dict[str, BaseEstimator]:
    """Return the methods that stand beside any other: a linear model and the five nearest neighbours."""
    return {"linear": make_pipeline(FunctionTransformer(flat), StandardScaler(), LogisticRegression(max_iter=2000)),
            "neighbours": make_pipeline(FunctionTransformer(flat), StandardScaler(), KNeighborsClassifier(5))}


def fresh(estimator: BaseEstimator, seed: int) -> BaseEstimator:
    """Return an untrained copy with a seed of its own, where the estimator draws anything."""
    model = clone(estimator)
    return model.set_params(random_state=seed) if "random_state" in model.get_params() else model


def taken(estimator: BaseEstimator, options: dict) -> dict:
    """Return those options that an estimator's ``fit`` names."""
    known = inspect.signature(estimator.fit).parameters
    return {name: value for name, value in options.items() if name in known}


def fit(model: BaseEstimator, X, y, options: dict) -> BaseEstimator:
    """Fit one model; a function of its own, so that it can run in another process."""
    return model.fit(X, y, **options)
