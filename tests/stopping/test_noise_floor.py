# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""How far two models of one round agree."""

import joblib
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score

from skal import ActiveLearner
from skal.stopping import KappaAverage, noise_floor
from skal.text import DenseClassifier

DENSE = DenseClassifier(
    (8,), max_epochs=20, lr=0.01, batch_size=4, device="cpu", random_state=0
)


@pytest.fixture
def learner(points):
    X, y = points
    return ActiveLearner(DENSE, random_state=0).fit(X[:12], y[:12])


def test_two_seeds_of_a_network_do_not_agree(learner, points):
    X, _ = points
    before = joblib.hash(learner.predict_proba(X))
    names = set(vars(learner))
    floor = noise_floor(learner, X)
    assert -1 <= floor < 0.95
    assert noise_floor(learner, X) == floor
    assert noise_floor(learner, X, random_state=1) != floor
    assert joblib.hash(learner.predict_proba(X)) == before
    assert set(vars(learner)) == names
    assert learner.estimator.random_state == 0


def test_it_is_the_mean_kappa_of_all_pairs(learner, points):
    X, _ = points

    class Remembers(DenseClassifier):
        models = []

        def fit(self, X, y):
            Remembers.models.append(self)
            return super().fit(X, y)

    learner.estimator = Remembers(**DENSE.get_params())
    floor = noise_floor(learner, X, n_repeats=3)
    seeds = {model.random_state for model in Remembers.models}
    assert len(seeds) == 3
    first, second, third = (model.predict(X) for model in Remembers.models)
    pairs = [(first, second), (first, third), (second, third)]
    expected = np.mean([cohen_kappa_score(*pair) for pair in pairs])
    assert floor == pytest.approx(expected)


def test_where_nothing_is_random_it_is_1(points):
    X, y = points
    learner = ActiveLearner(LogisticRegression(), random_state=0).fit(X[:12], y[:12])
    assert noise_floor(learner, X) == 1
    frozen = ActiveLearner(FrozenEstimator(LogisticRegression().fit(X, y)))
    assert noise_floor(frozen.fit(X[:12], y[:12]), X) == 1


def test_a_warm_start_begins_anew(points):
    X, y = points
    fits = []

    class Remembers(LogisticRegression):
        def fit(self, X, y):
            fits.append(hasattr(self, "coef_"))
            return super().fit(X, y)

    learner = ActiveLearner(Remembers(warm_start=True), random_state=0)
    learner.fit(X[:12], y[:12]).teach(X[12:20], y[12:20])
    noise_floor(learner, X)
    assert fits == [False, True, False, False]


def test_a_classifier_is_offered_what_has_no_label(points):
    X, y = points

    class Counts(LogisticRegression):
        seen = []

        def fit(self, X, y, X_unlabeled=None):
            Counts.seen.append(len(X_unlabeled))
            return super().fit(X, y)

    learner = ActiveLearner(Counts(), random_state=0)
    learner.fit(X[:12], y[:12], ids=range(12), X_pool=X, pool_ids=range(300))
    noise_floor(learner, X, ids=range(300))
    assert Counts.seen == [288] * 3


def test_it_calibrates_a_threshold(points):
    """Without the floor the kappa of rounds can never reach it."""
    X, y = points
    learner = ActiveLearner(
        DENSE.set_params(random_state=None),
        budget=60,
        n_queries=5,
        random_state=0,
        stopping=KappaAverage(1.0),
    )
    floor = noise_floor(learner.fit(X, y), X, n_repeats=3)
    assert floor < 1
    assert learner.termination_condition_ == "budget"
    learner.set_params(stopping=KappaAverage(0.9, noise_floor=floor))
    assert learner.fit(X, y).termination_condition_ == "stopping"


def test_bad_calls_are_refused(learner, points):
    X, _ = points
    with pytest.raises(ValueError, match="n_repeats"):
        noise_floor(learner, X, n_repeats=1)
    with pytest.raises(ValueError, match="n_stop"):
        noise_floor(learner, X, n_stop=0)
    with pytest.raises(ValueError, match="one id per row"):
        noise_floor(learner, X, ids=[1])
    with pytest.raises(ValueError, match="X_pool is empty"):
        noise_floor(learner, X[:0])
    with pytest.raises(TypeError, match="ActiveLearner"):
        noise_floor(DENSE, X)
    with pytest.raises(NotFittedError):
        noise_floor(ActiveLearner(DENSE), X)
