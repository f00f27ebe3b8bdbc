# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""UPS: when it looks, at what, by which classifier, and what it keeps of that."""

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_blobs
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skal import (
    ActiveLearner,
    PseudoLabelClassifier,
    TransformerClassifier,
    make_query_pipeline,
)
from skal.base import PoolView
from skal.exceptions import NotQueryableError, SingleClassWarning
from skal.filters import UPS, RandSub
from skal.functional import entropy, least_confidence, margin, subsampled_rows
from skal.strategies import Entropy, RandomSampling, ViaProxy

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "ups").glob("*.npz"))


class Says(ClassifierMixin, BaseEstimator):
    """A classifier of two classes that says what it was told, row by row."""

    def __init__(self, proba):
        self.proba = proba
        self.classes_ = np.array([0, 1])

    def fit(self, X, y):
        """Say the same."""
        return self

    def predict_proba(self, X):
        """What was told."""
        proba = self.proba[np.asarray(X)[:, 0].astype(int)]
        return np.column_stack([proba, 1 - proba])


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
@pytest.mark.parametrize("uncertainty", ["entropy", "least_confidence", "margin"])
def test_the_golden_rows_are_kept(path, uncertainty):
    case = np.load(path)
    says = FrozenEstimator(Says(1 - case["scores"] / 3))
    view = PoolView(np.arange(len(case["scores"]))[:, None])
    view.rng = lambda random_state: np.random.RandomState(int(case["seed"]))
    strategy = UPS(
        scorer=says,
        uncertainty=uncertainty,
        gamma=float(case["gamma"]),
        temperature=float(case["T"]),
    )
    assert strategy._select(view, 1).tolist() == case["rows"].tolist()


@pytest.fixture
def blobs():
    X, y = make_blobs(400, 6, centers=5, cluster_std=3.0, random_state=0)
    return X / 10, y % 3


class Logged(LogisticRegression):
    """Logistic regression that notes what it learns and how many rows it looks at."""

    log = []

    def fit(self, X, y, sample_weight=None):
        """Note the rows, then fit."""
        self.log.append(("fit", len(y)))
        return super().fit(X, y, sample_weight)

    def predict_proba(self, X):
        """Note the rows, then predict."""
        self.log.append(("look", len(X)))
        return super().predict_proba(X)


@pytest.fixture
def logged():
    Logged.log.clear()
    return Logged()


def learner_of(strategy, classifier=None, **params):
    classifier = LogisticRegression() if classifier is None else classifier
    params = {"n_queries": 5, "random_state": 0} | params
    return ActiveLearner(classifier, strategy, **params)


def test_one_training_and_one_look_every_few_rounds(blobs, logged):
    X, y = blobs
    learner = learner_of(UPS(scorer=logged, every=3), initial=10, budget=45).fit(X, y)
    assert len(learner.rounds_) == 8
    labels = [10, 25, 40]  # in rounds 1, 4 and 7
    expected = [entry for n in labels for entry in (("fit", n), ("look", 400))]
    assert Logged.log == expected


def test_rounds_between_rank_by_the_labels_of_the_earlier_one(blobs):
    X, y = blobs
    learner = learner_of(UPS(RandomSampling(), every=4), initial=10, budget=35)
    views = []
    learner.set_params(stopping=views.append).fit(X, y)
    rounds = learner.rounds_labeled_
    for view in views:
        known = rounds <= (view.round - 1) // 4 * 4
        model = LogisticRegression().fit(
            learner.X_labeled_[known], learner.y_labeled_[known]
        )
        scores = entropy(model.predict_proba(X))[view.rows]
        kept = subsampled_rows(scores, 5, random_state=view.rng())
        assert view.log.subpool.tolist() == view.rows[kept].tolist()
    assert [view.round for view in views] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("uncertainty", "measure"),
    [("entropy", entropy), ("least_confidence", least_confidence), ("margin", margin)],
)
def test_the_first_scorer_is_the_model_of_the_first_round(blobs, uncertainty, measure):
    """Seeded as the learner seeds: what a forest says is random."""
    X, y = blobs
    strategy = UPS(uncertainty=uncertainty, gamma=0.3)
    learner = learner_of(strategy, RandomForestClassifier(5)).fit(X[:20], y[:20])
    learner.query(X)
    scores = measure(learner.predict_proba(X))
    expected = subsampled_rows(
        scores, 5, gamma=0.3, random_state=learner._view(X, None).rng()
    )
    assert learner._log.subpool.tolist() == expected.tolist()


class LoggedForest(RandomForestClassifier):
    """A forest that notes with how many labels, and by which seed, it was grown."""

    log = []

    def fit(self, X, y):
        """Note, then fit."""
        self.log.append((len(y), self.random_state))
        return super().fit(X, y)


@pytest.mark.parametrize("seed", [None, 3])
def test_the_learners_own_classifier_is_trained_once_more_every_few_rounds(blobs, seed):
    """The learner's is seeded anew in each round, the scorer as in the earlier one."""
    X, y = blobs
    LoggedForest.log.clear()
    learner = learner_of(UPS(every=3), LoggedForest(5, random_state=seed))
    rounds_of(learner, X, y, 7, forget=False)
    sizes = [size for size, _ in LoggedForest.log]
    assert sizes == [20, 20, 25, 30, 35, 35, 40, 45, 50, 50, 55]
    seeds = [drawn for _, drawn in LoggedForest.log]
    again = [drawn for drawn in seeds if seeds.count(drawn) > 1]
    scorers = [seeds[i] for i in (1, 5, 9)]
    assert len(set(scorers)) == 3
    if seed is None:  # then a scorer is the very model of its round
        assert again == [drawn for drawn in scorers for _ in range(2)]
    else:
        assert set(again) == {3}
        assert 3 not in scorers


def rounds_of(learner, X, y, n_rounds, forget):
    ids, batches = range(len(X)), []
    learner.fit(X[:20], y[:20], ids=ids[:20])
    for _ in range(n_rounds):
        if forget:
            learner.__dict__.pop("_memory", None)
        rows = learner.query(X, ids=ids)
        batches.append((rows.tolist(), learner._log.subpool.tolist()))
        learner.teach(X[rows], y[rows], ids=[ids[row] for row in rows])
    return batches


@pytest.mark.parametrize(
    "strategy",
    [
        UPS(every=3),
        UPS(every=1),
        UPS(every=4, random_state=7),
        UPS(scorer=RandomForestClassifier(3)),
        RandSub(UPS(every=3), max_subpool=200),
        make_query_pipeline(UPS(gamma=0.3), RandSub(max_subpool=50), Entropy()),
        ViaProxy(UPS(every=3), RandomForestClassifier(3)),
    ],
    ids=repr,
)
def test_what_is_remembered_changes_nothing(blobs, strategy):
    learners = [learner_of(strategy, RandomForestClassifier(5)) for _ in range(2)]
    remembering = rounds_of(learners[0], *blobs, 6, forget=False)
    assert remembering == rounds_of(learners[1], *blobs, 6, forget=True)
    shown = [tuple(subpool) for _, subpool in remembering]
    assert len(set(shown)) == len(shown)


def test_another_process_keeps_the_same_rows(blobs, tmp_path):
    X, y = blobs
    learner = learner_of(UPS(every=3), RandomForestClassifier(5))
    rounds_of(learner, X, y, 4, forget=False)
    joblib.dump((learner, X), tmp_path / "learner.joblib")
    code = (
        "import joblib\n"
        f"learner, X = joblib.load({str(tmp_path / 'learner.joblib')!r})\n"
        "rows = learner.query(X, ids=range(len(X)))\n"
        "print(rows.tolist(), learner._log.subpool.tolist())"
    )
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = learner.query(X, ids=range(len(X)))
    expected = f"{rows.tolist()} {learner._log.subpool.tolist()}"
    assert found.stdout.strip() == expected


def test_a_label_that_is_corrected_gives_the_scores_of_a_fresh_learner(blobs, logged):
    X, y = blobs
    learner = learner_of(UPS(scorer=logged, every=5))
    rounds_of(learner, X, y, 3, forget=False)
    before = len(Logged.log)
    assert before == 2
    learner.teach(X[:1], [2 - y[0]], ids=[0])
    rows = learner.query(X, ids=range(400))
    assert Logged.log[before:] == [("fit", 19), ("look", 400)]
    del learner._memory
    assert np.array_equal(rows, learner.query(X, ids=range(400)))


def test_all_the_early_labels_may_be_corrected(blobs, logged):
    X, y = blobs
    learner = learner_of(UPS(scorer=logged)).fit(X[:9], y[:9], ids=range(9))
    learner.teach(X[:9], 2 - y[:9], ids=range(9))
    learner.teach(X[9:15], y[9:15], ids=range(9, 15))
    learner.query(X, ids=range(400))
    assert Logged.log == [("fit", 9), ("look", 400)]


def test_classes_that_came_in_later(blobs):
    X, y = blobs
    first = np.flatnonzero(y < 2)[:10]
    learner = learner_of(UPS(every=3)).fit(X[first], y[first], ids=first)
    new = np.flatnonzero(y == 2)[:5]
    learner.teach(X[new], y[new], ids=new)
    assert learner.classes_.tolist() == [0, 1, 2]
    learner.query(X, ids=range(400))
    model = LogisticRegression().fit(X[first], y[first])
    view = learner._view(X, np.setdiff1d(np.arange(400), [*first, *new]))
    scores = entropy(model.predict_proba(X))[view.rows]
    kept = view.rows[subsampled_rows(scores, 5, random_state=view.rng())]
    assert learner._log.subpool.tolist() == kept.tolist()


def shares(learner, X, n_seeds=40):
    """The share of the pool that is shown, by position in ten parts of it."""
    kept = np.zeros(len(X))
    for seed in range(n_seeds):
        learner.set_params(strategy__random_state=seed).query(X)
        kept[learner._log.subpool] += 1 / n_seeds
    return kept.reshape(10, -1).mean(axis=1)


def test_without_labels_all_rows_count_alike(blobs):
    X, _ = blobs
    strategy = UPS(RandomSampling(), scorer=LogisticRegression(), gamma=0.3)
    found = shares(learner_of(strategy), X)
    assert np.abs(found - 0.31).max() < 4.5 * np.sqrt(0.31 * 0.69 / 40 / 40)
    assert np.ptp(found) > 0


def test_with_one_class_all_rows_count_alike(blobs):
    X, _ = blobs
    learner = learner_of(UPS(gamma=0.3), classes=[0, 1])
    with pytest.warns(SingleClassWarning):
        learner.fit(X[:10], np.zeros(10, dtype=int))
    found = shares(learner, X)
    assert np.abs(found - 0.31).max() < 4.5 * np.sqrt(0.31 * 0.69 / 40 / 40)


def test_one_class_at_first_is_no_reason_to_warn_later(blobs):
    """Warnings are errors: the learner warns of its own, the scorer of nothing."""
    X, y = blobs
    learner = learner_of(UPS(), classes=[0, 1, 2])
    one = np.flatnonzero(y == 0)[:10]
    with pytest.warns(SingleClassWarning):
        learner.fit(X[one], y[one], ids=one)
    learner.teach(X[:40], y[:40], ids=range(40))
    assert len(learner.query(X, ids=range(400))) == 5


def test_a_learner_that_was_not_fitted_has_no_classifier_to_copy(blobs):
    with pytest.raises(NotQueryableError, match="Fit first"):
        learner_of(UPS(RandomSampling())).query(blobs[0])


def test_a_frozen_scorer_looks_once_whatever_is_labelled(blobs, logged):
    X, y = blobs
    frozen = FrozenEstimator(logged.fit(X, y))
    Logged.log.clear()
    strategy = UPS(RandomSampling(), scorer=frozen)
    learner = learner_of(strategy, initial=10, budget=45).fit(X, y)
    assert Logged.log == [("look", 400)]
    learner.set_params(strategy__scorer=FrozenEstimator(clone(logged).fit(X, 2 - y)))
    Logged.log.clear()
    learner.set_params(budget=None).query(X)
    assert Logged.log == [("look", 400)]


def test_a_frozen_learner_is_its_own_scorer(blobs, logged):
    X, y = blobs
    logged.fit(X, y)
    Logged.log.clear()
    learner = learner_of(UPS(), FrozenEstimator(logged)).fit(X[:10], y[:10])
    learner.query(X)
    assert Logged.log == [("look", 400), ("look", len(learner._log.subpool))]


def test_rows_left_out_are_not_ranked(blobs):
    X, y = blobs
    learner = learner_of(UPS(gamma=0.2)).fit(X[:20], y[:20])
    left_out = np.arange(0, 400, 3)
    rows = learner.query(X, exclude=left_out)
    subpool = learner._log.subpool
    assert not np.isin(subpool, left_out).any()
    still_open = np.setdiff1d(np.arange(400), left_out)
    assert still_open[learner.query(X[still_open])].tolist() == rows.tolist()
    assert still_open[learner._log.subpool].tolist() == subpool.tolist()


def test_other_settings_are_another_look(blobs, logged):
    X, y = blobs
    learner = learner_of(UPS(scorer=logged)).fit(X[:20], y[:20])
    settings = [{}, {"gamma": 0.5}, {"uncertainty": "margin"}, {"scorer__C": 0.1}, {}]
    looks = []
    for setting in settings:
        strategy = clone(UPS(scorer=logged)).set_params(**setting)
        learner.set_params(strategy=strategy).query(X)
        looks.append(len(Logged.log) // 2)
    assert looks == [1, 1, 2, 3, 3]


class Interrupted(LogisticRegression):
    """Ctrl-C comes in `fit`, which swallows it as skorch does, while `armed`."""

    armed = False

    def fit(self, X, y):
        """Fit, and be interrupted."""
        super().fit(X, y)
        if Interrupted.armed:
            with contextlib.suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        return self


def test_ctrl_c_in_the_training_of_the_scorer(blobs, monkeypatch):
    X, y = blobs
    learner = learner_of(UPS(scorer=Interrupted())).fit(X[:20], y[:20])
    monkeypatch.setattr(Interrupted, "armed", True)
    with pytest.raises(KeyboardInterrupt):
        learner.query(X)
    monkeypatch.setattr(Interrupted, "armed", False)
    rows = learner.query(X)
    fresh = learner_of(UPS(scorer=LogisticRegression())).fit(X[:20], y[:20])
    assert rows.tolist() == fresh.query(X).tolist()


def test_weights_and_the_pool_do_not_reach_the_scorer(blobs, logged):
    X, y = blobs
    learner = learner_of(UPS(scorer=logged), LogisticRegression())
    learner.fit(X[:20], y[:20], sample_weight=np.arange(20) + 1.0).query(X)
    assert Logged.log == [("fit", 20), ("look", 400)]
    Logged.log.clear()
    wrapped = PseudoLabelClassifier(logged, threshold=0.5)
    learner = learner_of(UPS(), wrapped).fit(X[:20], y[:20], X_pool=X)
    Logged.log.clear()
    learner.query(X)
    assert Logged.log[:2] == [("fit", 20), ("look", 400)]


@pytest.mark.parametrize(
    ("setting", "match"),
    [
        ({"scorer": "tfidf"}, "'scorer' parameter of UPS"),
        ({"every": 0}, "'every' parameter"),
        ({"gamma": 1.1}, "'gamma' parameter"),
        ({"temperature": 0}, "'temperature' parameter"),
        ({"uncertainty": "variance"}, "'uncertainty' parameter"),
    ],
)
def test_bad_settings(blobs, setting, match):
    X, y = blobs
    with pytest.raises(ValueError, match=match):
        learner_of(UPS(**setting)).fit(X, y)


def test_a_search_over_its_settings(blobs):
    X, y = blobs
    pipeline = make_query_pipeline(UPS(scorer=LogisticRegression()), Entropy())
    grid = [
        {"strategy__ups": ["passthrough"]},
        {"strategy__ups__gamma": [0, 0.5], "strategy__ups__scorer__C": [1e-3, 1]},
    ]
    learner = learner_of(pipeline, initial=5, budget=20)
    search = GridSearchCV(learner, grid, cv=3, error_score="raise", refit=False)
    search.fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert len(scores) == 5
    assert len(set(scores[1:].tolist())) > 1


def test_texts_with_a_transformer(tiny_checkpoint, toy_texts):
    """The learner's own classifier, and a cheap one; fitted anew in either case."""
    X, y = toy_texts
    classifier = TransformerClassifier(
        tiny_checkpoint, max_epochs=1, min_steps=1, device="cpu"
    )
    cheap = make_pipeline(TfidfVectorizer(), LogisticRegression())
    for scorer in (None, cheap):
        strategy = UPS(scorer=scorer, every=2, gamma=0.2)
        params = {"n_queries": 4, "budget": 20, "initial": 8}
        learners = [learner_of(strategy, classifier, **params) for _ in range(2)]
        first, second = (learner.fit(X, y).rounds_ for learner in learners)
        assert [len(entry["rows"]) for entry in first] == [8, 4, 4, 4]
        assert [e["rows"].tolist() for e in first] == [
            e["rows"].tolist() for e in second
        ]
        assert all(entry["n_subpool"] < 40 for entry in first[1:])
