# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Selection via proxy."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_blobs
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from skal import ActiveLearner, TransformerClassifier
from skal.exceptions import (
    MissingCapabilityError,
    NotQueryableError,
    SingleClassWarning,
)
from skal.filters import AnchorAL, RandSub
from skal.strategies import (
    BADGE,
    Combine,
    Entropy,
    LeastConfidence,
    RandomSampling,
    ViaProxy,
)

CASES = sorted((Path(__file__).parents[1] / "golden" / "svp").glob("*.npz"))


class Fitted(LogisticRegression):
    """Logistic regression that counts its fits."""

    n_fits = 0

    def fit(self, X, y, sample_weight=None):
        """Count, then fit."""
        type(self).n_fits += 1
        return super().fit(X, y, sample_weight)


@pytest.fixture
def counted():
    class Counted(Fitted):
        n_fits = 0

    return Counted


class Says(ClassifierMixin, BaseEstimator):
    """A classifier that says what it was told, row by row."""

    def __init__(self, proba):
        self.proba = proba

    def fit(self, X, y):
        self.classes_ = np.arange(self.proba.shape[1])
        return self

    def predict_proba(self, X):
        return self.proba[np.asarray(X)[:, 0].astype(int)]


def blobs():
    return make_blobs(200, centers=3, cluster_std=3.0, random_state=0)


def golden(path, key, strategy):
    """What is picked through a proxy that says the golden probabilities."""
    case = np.load(path)
    rows = np.arange(len(case["probs"]))[:, None]
    seed = case["current"]
    y = np.arange(len(seed)) % case["probs"].shape[1]
    learner = ActiveLearner(
        DecisionTreeClassifier(), ViaProxy(strategy, Says(case["probs"]))
    )
    learner.fit(rows[seed], y, ids=seed)
    budget = len(case[key])
    found = learner.query(rows, budget, ids=range(len(rows)))
    return found, case[key], case["probs"]


def test_there_are_golden_cases():
    assert len(CASES) == 2


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
@pytest.mark.parametrize(
    ("strategy", "key"),
    [(Entropy(), "sel_entropy"), (LeastConfidence(), "sel_least_confidence")],
    ids=repr,
)
def test_the_golden_rows_are_picked(path, strategy, key):
    found, expected, _ = golden(path, key, strategy)
    assert set(found.tolist()) == set(expected.tolist())


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
@pytest.mark.parametrize("seed", range(20))
def test_random_picks_in_its_place_would_fail(path, seed):
    found, expected, _ = golden(path, "sel_entropy", RandomSampling(random_state=seed))
    assert set(found.tolist()) != set(expected.tolist())


@pytest.mark.parametrize("inner", [Entropy(), BADGE(random_state=0)], ids=repr)
def test_picks_what_the_proxy_itself_would_have_the_strategy_pick(inner):
    X, y = blobs()
    proxy = LogisticRegression(C=0.1)
    via = ViaProxy(inner, proxy).fit(X[:40], y[:40], estimator=DecisionTreeClassifier())
    alone = clone(inner).fit(X[:40], y[:40], estimator=proxy.fit(X[:40], y[:40]))
    rows = via.query(X[40:], 15)
    assert set(rows.tolist()) == set(alone.query(X[40:], 15).tolist())
    assert np.array_equal(via.transform(X[40:]), alone.transform(X[40:]))


@pytest.mark.parametrize(
    ("strategy", "kwargs", "n_fits"),
    [
        (lambda proxy: ViaProxy(Entropy(), proxy), {}, 1),
        (lambda proxy: AnchorAL(ViaProxy(Entropy(), proxy)), {}, 1),
        (lambda proxy: ViaProxy(RandSub(), proxy), {"keep_estimators": True}, 5),
        (lambda proxy: ViaProxy(None, proxy), {"stopping": lambda view: False}, 5),
        (lambda proxy: Combine([Entropy(), ViaProxy(None, proxy)]), {}, 5),
        (lambda proxy: RandomSampling(), {}, 1),
    ],
)
def test_the_big_one_is_fitted_only_if_something_reads_it(
    counted, strategy, kwargs, n_fits
):
    X, y = blobs()
    learner = ActiveLearner(
        counted(),
        strategy(LogisticRegression()),
        budget=50,
        n_queries=10,
        random_state=0,
        **kwargs,
    ).fit(X, y)
    assert counted.n_fits == n_fits
    assert len(learner.rounds_) == 5
    rows = np.concatenate([entry["rows"] for entry in learner.rounds_])
    alone = LogisticRegression().fit(X[rows], y[rows])
    assert np.array_equal(learner.predict(X), alone.predict(X))


def test_a_model_that_goes_on_is_fitted_in_every_round(counted):
    X, y = blobs()
    ActiveLearner(
        counted(warm_start=True),
        ViaProxy(Entropy(), LogisticRegression()),
        budget=50,
        n_queries=10,
        random_state=0,
    ).fit(X, y)
    assert counted.n_fits == 5


def test_skipped_fits_change_nothing_else():
    X, y = blobs()
    learners = [
        ActiveLearner(
            DecisionTreeClassifier(),
            ViaProxy(Entropy(), LogisticRegression()),
            budget=50,
            n_queries=10,
            keep_estimators=keep,
            random_state=0,
        ).fit(X, y)
        for keep in (False, True)
    ]
    first, second = ([e["rows"].tolist() for e in lr.rounds_] for lr in learners)
    assert first == second
    proba = [learner.predict_proba(X) for learner in learners]
    assert np.array_equal(*proba)


def test_a_strategy_that_hides_what_it_reads_is_told_so():
    class Secretive(Entropy):
        @property
        def reads(self):
            return RandomSampling().reads

    X, y = blobs()
    learner = ActiveLearner(LogisticRegression(), Secretive(), budget=30)
    with pytest.raises(NotQueryableError, match="Name in `reads`"):
        learner.fit(X, y)


def test_a_frozen_proxy_is_used_as_it_is(counted):
    X, y = blobs()
    proxy = FrozenEstimator(counted().fit(X, y))
    strategy = ViaProxy(Entropy(), proxy).fit(X[:40], y[:40])
    alone = Entropy().fit(X[:40], y[:40], estimator=proxy)
    assert np.array_equal(strategy.query(X, 9), alone.query(X, 9))
    assert counted.n_fits == 1


def test_a_proxy_that_lacks_what_is_read_is_refused_before_any_work(counted):
    X, y = blobs()
    texts = [" ".join(map(str, row)) for row in X]
    proxy = make_pipeline(TfidfVectorizer(), counted())
    strategy = ViaProxy(BADGE(), LogisticRegression())
    learner = ActiveLearner(proxy, strategy)
    with pytest.raises(MissingCapabilityError, match="BADGE reads 'embedding'"):
        learner.fit(texts, y)
    with pytest.raises(MissingCapabilityError, match="BADGE reads 'embedding'"):
        AnchorAL(strategy).fit(texts, y, estimator=proxy)
    assert counted.n_fits == 0


def test_without_labels_there_is_nothing_to_fit_a_proxy_on():
    X, _ = blobs()
    learner = ActiveLearner(
        LogisticRegression(), ViaProxy(Entropy(), LogisticRegression()), n_queries=5
    )
    with pytest.raises(NotQueryableError, match="no label yet"):
        learner.query(X)
    strategy = ViaProxy(RandomSampling(), LogisticRegression())
    assert len(learner.set_params(strategy=strategy).query(X)) == 5


def test_a_seed_of_one_class():
    X, _ = blobs()
    learner = ActiveLearner(
        LogisticRegression(),
        ViaProxy(Entropy(), LogisticRegression()),
        classes=["a", "b"],
        n_queries=5,
        random_state=0,
    )
    with pytest.warns(SingleClassWarning):
        rows = learner.fit(X[:10], ["a"] * 10).query(X)
    assert len(rows) == 5


@pytest.mark.parametrize("proxy", [None, "tfidf", np.zeros(3)])
def test_a_proxy_must_be_a_classifier(proxy):
    X, y = blobs()
    with pytest.raises(ValueError, match="'proxy' parameter of ViaProxy"):
        ViaProxy(Entropy(), proxy).fit(X, y)


def test_texts_through_a_small_model(tiny_checkpoint, toy_texts):
    """TF-IDF chooses for a transformer, inside a filter that reads its encoder."""
    X, y = toy_texts
    proxy = make_pipeline(TfidfVectorizer(), LogisticRegression())
    learner = ActiveLearner(
        TransformerClassifier(tiny_checkpoint, max_epochs=1, device="cpu"),
        AnchorAL(ViaProxy(Entropy(), proxy), n_neighbors=5),
        n_queries=4,
        budget=20,
        initial=8,
        random_state=0,
    ).fit(X, y)
    assert len(learner.predict(X[:3])) == 3
    assert [len(entry["rows"]) for entry in learner.rounds_] == [8, 4, 4, 4]
