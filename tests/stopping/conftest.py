# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A classifier that predicts by script, so that every number can be had by hand."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_blobs

from skal import ActiveLearner


class Scripted(ClassifierMixin, BaseEstimator):
    """After n labels its probabilities of row i are ``script[n - 1][i]``."""

    def __init__(self, script, classes=None):
        self.script = script
        self.classes = classes

    def fit(self, X, y):
        self.classes_ = np.unique(y) if self.classes is None else self.classes
        self.proba_ = np.asarray(self.script[len(y) - 1], dtype=float)
        return self

    def predict_proba(self, X):
        return self.proba_[np.asarray(X)[:, 0].astype(int)]

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


@pytest.fixture(scope="session")
def follow():
    """A function that takes a criterion through a script and returns it.

    Round t is that of t labels; the rows of the pool are ``[[0], [1], ...]``, and row
    t - 1 is taught in round t. A script holds the predicted labels of all rows, as one
    str per round, or their probabilities.
    """

    def follow(criterion, script, classes="+-", labels=None, **kwargs):
        classes = np.array(sorted(classes))
        if isinstance(script[0], str):
            script = [
                (np.array(list(line))[:, None] == classes) * 1.0 for line in script
            ]
        X = np.arange(len(script[0]))[:, None]
        learner = ActiveLearner(Scripted(script), classes=classes, random_state=0)
        if labels is None:
            labels = classes[np.arange(len(script)) % len(classes)]
        for t in range(len(script)):
            learner.teach(X[[t % len(X)]], labels[t : t + 1], ids=[t])
            if "ids" in kwargs:
                kwargs = {"ids": np.arange(len(X))}
            criterion.update(learner, X, **kwargs)
        return criterion

    return follow


@pytest.fixture(scope="session")
def points():
    """300 points in the plane, labels "a" and "b"."""
    X, codes = make_blobs(300, centers=2, cluster_std=1.3, random_state=0)
    return X, np.array(["a", "b"])[codes]
