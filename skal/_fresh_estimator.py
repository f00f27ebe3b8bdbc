# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""An estimator that is about to be fitted on a labelled set."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch
from sklearn.utils.validation import has_fit_parameter

from skal.exceptions import SingleClassWarning
from skal.utils._capabilities import last_step, transforming_steps
from skal.utils._random import seed_nested
from skal.utils._rows import is_column, num_rows
from skal.utils._slices import part_of
from skal.utils._warnings import warn


def fresh_estimator(template, y, classes, rng):
    """A clone that is told the classes and seeded.

    A frozen estimator comes back as it is. Where the labelled set has one class and the
    estimator cannot be told the others, a constant classifier stands in.
    """
    if isinstance(template, FrozenEstimator):
        return template
    labels = np.unique(y)
    estimator = clone_for(template, labels, classes)
    if isinstance(last_step(estimator), ConstantClassifier):
        warn(
            f"The labelled set has one class, {labels.tolist()[0]!r}: until another "
            "one comes in, a constant classifier stands in.",
            SingleClassWarning,
        )
    return seed_nested(estimator, rng)


def clone_for(template, labels, classes):
    """A clone to be fitted on rows with these labels, told the classes if it can be.

    A constant classifier where there is one label and it cannot be told the others.
    """
    estimator = clone(template)
    params = estimator.get_params(deep=False)
    if "classes" in params and len(classes) > 1:
        if params["classes"] is None:
            estimator.set_params(classes=classes)
    elif len(labels) == 1:
        estimator = constant_like(estimator)
    return estimator


def offered(estimator, pool, pool_rows, round_):
    """What is offered to a `fit` that has a parameter of that name.

    A pool of which nothing is left is no pool.
    """
    offers = {}
    if has_fit_parameter(estimator, "X_unlabeled"):
        if pool is not None and pool_rows is not None:
            pool = part_of(pool, pool_rows)
        is_empty = pool is None or num_rows(pool) == 0
        offers["X_unlabeled"] = None if is_empty else pool
    if has_fit_parameter(estimator, "n_rounds"):
        offers["n_rounds"] = round_
    return offers


class ConstantClassifier(ClassifierMixin, BaseEstimator):
    """Predict the one class there is, with probability 1.

    Attributes
    ----------
    classes_ : ndarray of shape (1,)
    training_dynamics_ : Bunch
        One epoch in which every row was predicted right, with probability 1.
    """

    def fit(self, X, y):
        """Note the class; X is not read."""
        self.classes_ = np.unique(y)
        right = np.ones((1, len(y)))
        self.training_dynamics_ = Bunch(gold_proba=right, correct=right > 0)
        return self

    def predict(self, X):
        """The class, once per row."""
        return np.repeat(self.classes_, num_rows(X))

    def embed(self, X):
        """X itself; of texts zeros, of shape (n, 1): all alike."""
        return np.zeros((num_rows(X), 1)) if is_column(X) else X

    def predict_proba(self, X):
        """Ones, of shape (n, 1)."""
        return np.ones((num_rows(X), 1))

    def sample_proba(self, X, n_samples=10):
        """Ones, of shape (n_samples, n, 1)."""
        return np.ones((n_samples, num_rows(X), 1))

    def epoch_predictions(self, X):
        """Zeros, of shape (1, n): the one class there is, whatever the epoch."""
        return np.zeros((1, num_rows(X)), dtype=np.int64)

    def predict_loss(self, X):
        """Zeros, of shape (n,)."""
        return np.zeros(num_rows(X))


def constant_like(estimator):
    """A constant classifier, behind the steps of a pipeline if it is one."""
    if isinstance(estimator, Pipeline) and transforming_steps(estimator):
        steps = transforming_steps(estimator)
        return Pipeline([*steps, ("constant", ConstantClassifier())])
    return ConstantClassifier()
