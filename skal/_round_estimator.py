# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The estimator of one round, before it is fitted."""

import copy
import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from skal.exceptions import SingleClassWarning
from skal.utils._random import seed_nested, stream
from skal.utils._rows import num_rows, take_rows


def next_estimator(learner):
    """A clone of the learner's estimator, told the classes and seeded for this round.

    A frozen estimator comes back as it is, one with ``warm_start=True`` as a copy of
    the previous round's. Where the labelled set has one class and the estimator cannot
    be told the others, a constant classifier stands in.
    """
    template = learner.estimator
    if isinstance(template, FrozenEstimator):
        return template
    earlier = getattr(learner, "estimator_", None)
    if getattr(template, "warm_start", False) and type(earlier) is type(template):
        return copy.deepcopy(earlier)
    estimator = clone(template)
    params = estimator.get_params(deep=False)
    if "classes" in params and len(learner.classes_) > 1:
        if params["classes"] is None:
            estimator.set_params(classes=learner.classes_)
    elif len(np.unique(learner._labeled.y)) == 1:
        only = learner._labeled.y.tolist()[0]
        warnings.warn(
            f"The labelled set has one class, {only!r}: until another one comes in, a "
            "constant classifier stands in.",
            SingleClassWarning,
            stacklevel=4,
        )
        estimator = constant_like(estimator)
    return seed_nested(estimator, stream(learner._seed, learner._round - 1))


def offered(estimator, pool, pool_rows, round_):
    """What the learner offers to a `fit` that has a parameter of that name."""
    offers = {}
    if has_fit_parameter(estimator, "X_unlabeled"):
        whole = pool_rows is None
        offers["X_unlabeled"] = pool if whole else take_rows(pool, pool_rows)
    if has_fit_parameter(estimator, "n_rounds"):
        offers["n_rounds"] = round_
    return offers


class ConstantClassifier(ClassifierMixin, BaseEstimator):
    """Predict the one class there is, with probability 1.

    Attributes
    ----------
    classes_ : ndarray of shape (1,)
    """

    def fit(self, X, y):
        """Note the class; X is not read."""
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        """The class, once per row."""
        return np.repeat(self.classes_, num_rows(X))

    def predict_proba(self, X):
        """Ones, of shape (n, 1)."""
        return np.ones((num_rows(X), 1))


def constant_like(estimator):
    """A constant classifier, behind the steps of a pipeline if it is one."""
    if isinstance(estimator, Pipeline) and len(estimator.steps) > 1:
        steps = [*estimator.steps[:-1], ("constant", ConstantClassifier())]
        return Pipeline(steps)
    return ConstantClassifier()
