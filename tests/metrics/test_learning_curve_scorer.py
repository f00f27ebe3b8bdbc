# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The area under the learning curve as a scorer."""

import pickle

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, log_loss
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline

from skal import ActiveLearner
from skal.metrics import learning_curve_auc, make_learning_curve_scorer
from skal.strategies import Entropy, RandomSampling


@pytest.fixture(scope="module")
def points():
    X, codes = make_blobs(300, centers=3, cluster_std=3.0, random_state=0)
    return X, np.array(["a", "b", "c"])[codes]


def make(**kwargs):
    kwargs = {"budget": 40, "n_queries": 10, "keep_estimators": True} | kwargs
    return ActiveLearner(LogisticRegression(), Entropy(), random_state=0, **kwargs)


def test_it_is_the_area_under_what_staged_predict_gives(points):
    X, y = points
    learner = make().fit(X[:200], y[:200])
    test = X[200:], y[200:]
    f1 = [
        f1_score(y[200:], p, average="macro") for p in learner.staged_predict(X[200:])
    ]
    assert len(f1) == 4
    scorer = make_learning_curve_scorer("f1_macro")
    assert scorer(learner, *test) == learning_curve_auc(f1)
    normalized = make_learning_curve_scorer("f1_macro", normalize=True)
    assert normalized(learner, *test) == learning_curve_auc(f1, normalize=True)
    accuracy = [np.mean(p == y[200:]) for p in learner.staged_predict(X[200:])]
    assert make_learning_curve_scorer()(learner, *test) == learning_curve_auc(accuracy)


def test_scorers_of_probabilities_and_of_ones_own(points):
    X, y = points
    # The first rounds know two of the classes only.
    learner = make(initial={"a": 5, "b": 5}).fit(X[:200], y[:200])
    losses = [log_loss(y, p) for p in learner.staged_predict_proba(X)]
    scorer = make_learning_curve_scorer("neg_log_loss")
    assert scorer(learner, X, y) == pytest.approx(-learning_curve_auc(losses))

    def n_known(learner, X, y):
        return len(learner.estimator_.classes_)

    known = [len(estimator.classes_) for estimator in learner.estimators_]
    assert known[0] == 2
    area = make_learning_curve_scorer(n_known)(learner, X, y)
    assert area == learning_curve_auc(known)


def test_the_learner_stays_as_it_was(points):
    X, y = points
    learner = make().fit(X, y)
    before = dict(vars(learner))
    make_learning_curve_scorer("f1_macro")(learner, X, y)
    assert vars(learner) == before


def test_in_a_search(points):
    X, y = points
    grid = {"strategy": [Entropy(), RandomSampling()], "n_queries": [5, 15]}
    scorer = make_learning_curve_scorer("accuracy", normalize=True)
    search = GridSearchCV(make(), grid, scoring=scorer, cv=3, error_score="raise")
    search.fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert len(set(scores.tolist())) == 4
    assert search.best_score_ == scores.max()
    both = {"area": scorer, "last": "accuracy"}
    results = cross_validate(
        make(), X, y, scoring=both, cv=3, return_estimator=True, return_indices=True
    )
    for learner, rows, area, last in zip(
        results["estimator"],
        results["indices"]["test"],
        results["test_area"],
        results["test_last"],
        strict=True,
    ):
        values = [np.mean(p == y[rows]) for p in learner.staged_predict(X[rows])]
        assert len(values) == 4
        assert area == learning_curve_auc(values, normalize=True)
        assert last == values[-1]


def test_pickle_and_repr(points):
    X, y = points
    learner = make().fit(X, y)
    scorer = make_learning_curve_scorer("f1_macro", normalize=True)
    again = pickle.loads(pickle.dumps(scorer))
    assert again(learner, X, y) == scorer(learner, X, y)
    assert repr(scorer) == "make_learning_curve_scorer('f1_macro', normalize=True)"


@pytest.mark.parametrize(
    "learner", [make(keep_estimators=False), LogisticRegression()], ids=["", "other"]
)
def test_a_learner_without_stages(points, learner):
    X, y = points
    with pytest.raises(TypeError, match="fitted with keep_estimators=True"):
        make_learning_curve_scorer()(learner.fit(X, y), X, y)


def test_bad_input():
    with pytest.raises(ValueError, match="'scoring' parameter"):
        make_learning_curve_scorer(3)
    with pytest.raises(ValueError, match="no such score"):
        make_learning_curve_scorer("no such score")


@pytest.mark.slow
def test_in_a_search_on_trec(trec):
    X, y, _, _ = trec
    learner = ActiveLearner(
        make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000)),
        n_queries=50,
        budget=300,
        initial=100,
        classes=range(6),
        keep_estimators=True,
        random_state=0,
    )
    search = GridSearchCV(
        learner,
        {"strategy": [Entropy(), RandomSampling()]},
        scoring=make_learning_curve_scorer("f1_macro", normalize=True),
        cv=3,
        error_score="raise",
    ).fit(X, y)
    entropy, random = search.cv_results_["mean_test_score"]
    assert 0.3 < random < entropy < 0.9
    assert search.best_estimator_.n_rounds_ == 4
