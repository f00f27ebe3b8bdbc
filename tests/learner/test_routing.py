# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Metadata: weights follow their rows; offers reach a fit that asks for them."""

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from skal import ActiveLearner


@pytest.fixture
def weights(points):
    return np.random.RandomState(0).uniform(0.1, 5, size=len(points[1]))


def test_weights_of_all_rows(points, weights):
    X, y, _ = points
    learner = ActiveLearner(LogisticRegression()).fit(X, y, sample_weight=weights)
    expected = LogisticRegression().fit(X, y, sample_weight=weights)
    assert np.array_equal(learner.estimator_.coef_, expected.coef_)


def test_weights_are_those_of_the_rows_bought(points, weights):
    X, y, _ = points
    learner = ActiveLearner(LogisticRegression(), budget=40, random_state=0)
    learner.fit(X, y, sample_weight=weights)
    rows = np.concatenate([entry["rows"] for entry in learner.rounds_])
    expected = LogisticRegression().fit(X[rows], y[rows], sample_weight=weights[rows])
    assert np.array_equal(learner.estimator_.coef_, expected.coef_)


def test_weights_are_taught_with_their_rows(points, weights):
    X, y, _ = points
    learner = ActiveLearner(LogisticRegression())
    learner.fit(X[:30], y[:30], sample_weight=weights[:30])
    learner.teach(X[30:32], [y[30], None], sample_weight=weights[30:32])
    expected = LogisticRegression().fit(X[:31], y[:31], sample_weight=weights[:31])
    assert np.array_equal(learner.estimator_.coef_, expected.coef_)
    with pytest.raises(ValueError, match="for all labelled rows or for none"):
        learner.teach(X[40:41], y[40:41])
    assert len(learner.y_labeled_) == 31


def test_weights_by_metadata_routing(points, weights):
    X, y, _ = points
    with sklearn.config_context(enable_metadata_routing=True):
        asks = LogisticRegression().set_fit_request(sample_weight=True)
        learner = ActiveLearner(asks).fit(X, y, sample_weight=weights)
        expected = LogisticRegression().fit(X, y, sample_weight=weights)
        assert np.array_equal(learner.estimator_.coef_, expected.coef_)
        with pytest.raises(ValueError, match="sample_weight"):
            ActiveLearner(LogisticRegression()).fit(X, y, sample_weight=weights)


def test_the_learner_and_its_strategies_have_no_requests_of_their_own():
    learner = ActiveLearner(LogisticRegression())
    assert not hasattr(learner.strategy, "set_fit_request")
    assert "ids" not in str(learner.get_metadata_routing())


class Transductive(ClassifierMixin, BaseEstimator):
    """A classifier whose fit takes unlabelled rows and the round."""

    def fit(self, X, y, X_unlabeled=None, n_rounds=None):
        self.n_unlabeled_ = None if X_unlabeled is None else len(X_unlabeled)
        self.n_rounds_seen_ = n_rounds
        self.inner_ = LogisticRegression().fit(X, y)
        self.classes_ = self.inner_.classes_
        return self

    def predict(self, X):
        return self.inner_.predict(X)

    def predict_proba(self, X):
        return self.inner_.predict_proba(X)


def test_the_pool_and_the_round_are_offered(points):
    X, y, _ = points
    learner = ActiveLearner(Transductive(), budget=40, keep_estimators=True)
    learner.fit(X, y)
    assert [e.n_unlabeled_ for e in learner.estimators_] == [290, 280, 270, 260]
    assert [e.n_rounds_seen_ for e in learner.estimators_] == [1, 2, 3, 4]
    by_hand = ActiveLearner(Transductive()).fit(X[:30], y[:30], X_pool=X[30:])
    assert by_hand.estimator_.n_unlabeled_ == 270
    by_hand.teach(X[30:40], y[30:40], X_pool=X[40:])
    assert by_hand.estimator_.n_unlabeled_ == 260
