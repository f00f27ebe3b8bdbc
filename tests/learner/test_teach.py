# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""teach: partial answers, relabelling, failures that lose nothing."""

import signal

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, SGDClassifier

from skal import ActiveLearner
from skal.exceptions import FrozenEstimatorWarning, SingleClassWarning
from skal.strategies import RandomSampling


@pytest.fixture
def learner(points):
    X, y, ids = points
    learner = ActiveLearner(LogisticRegression(), n_queries=5, random_state=0)
    return learner.fit(X[:30], y[:30], ids=ids[:30])


def test_the_labelled_set_grows_in_order(learner, points):
    X, y, ids = points
    learner.teach(X[30:33], y[30:33], ids=ids[30:33]).teach(X[40:41], y[40:41])
    assert learner.y_labeled_.tolist() == [*y[:33], y[40]]
    assert np.array_equal(learner.X_labeled_, np.vstack([X[:33], X[40:41]]))
    assert learner.ids_labeled_ == [*ids[:33], None]
    assert learner.rounds_labeled_.tolist() == [0] * 30 + [1] * 3 + [2]


def test_the_model_is_that_of_all_labels(learner, points):
    X, y, _ = points
    learner.teach(X[30:60], y[30:60])
    expected = LogisticRegression().fit(X[:60], y[:60]).predict_proba(X)
    assert np.array_equal(learner.predict_proba(X), expected)


@pytest.mark.parametrize(
    "answers",
    [
        ["b", None, "c"],
        np.array(["b", None, "c"], dtype=object),
        pd.Series(["b", None, "c"]),
        ["b", float("nan"), "c"],
    ],
    ids=["list", "array", "Series", "nan"],
)
def test_skipped_rows_are_no_labels(learner, points, answers):
    X, _, ids = points
    learner.teach(X[30:33], answers, ids=ids[30:33])
    assert learner.y_labeled_[30:].tolist() == ["b", "c"]
    assert learner.ids_labeled_[30:] == [ids[30], ids[32]]
    assert learner.ids_skipped_ == {ids[31]}


def test_all_rows_skipped(learner, points):
    X, _, ids = points
    before = learner.predict_proba(X)
    learner.teach(X[30:32], [None, None], ids=ids[30:32])
    assert len(learner.y_labeled_) == 30
    assert np.array_equal(before, learner.predict_proba(X))
    assert not {30, 31} & set(learner.query(X, 260, ids=ids).tolist())


def test_a_repeated_id_relabels(learner, points):
    X, y, ids = points
    learner.teach(X[[4, 35]], ["a", "b"], ids=[ids[4], ids[35]])
    assert len(learner.y_labeled_) == 31
    assert learner.y_labeled_[4] == "a"
    assert learner.rounds_labeled_[4] == 1
    expected = y[:30].copy()
    expected[4] = "a"
    assert learner.y_labeled_.tolist() == [*expected, "b"]
    learner.teach(X[[4]], [None], ids=[ids[4]])
    assert learner.y_labeled_[4] == "a", "skipping a labelled row does not unlabel it"
    assert learner.ids_skipped_ == frozenset()


def test_a_skipped_row_may_be_answered_later(learner, points):
    X, _, ids = points
    learner.teach(X[[50]], [None], ids=[ids[50]]).teach(X[[50]], ["c"], ids=[ids[50]])
    assert learner.ids_skipped_ == frozenset()
    assert learner.ids_labeled_[-1] == ids[50]


def test_equal_rows_without_ids_are_new_rows(learner, points):
    X, y, _ = points
    learner.teach(X[:2], y[:2])
    assert len(learner.y_labeled_) == 32


def test_teach_before_fit_starts_the_labelled_set(points):
    X, y, ids = points
    learner = ActiveLearner(LogisticRegression(), RandomSampling(), random_state=0)
    rows = learner.query(X, n_queries=20, ids=ids)
    learner.teach(X[rows], y[rows], ids=[ids[row] for row in rows])
    assert learner.rounds_labeled_.tolist() == [0] * 20
    assert not set(rows.tolist()) & set(learner.query(X, 200, ids=ids).tolist())


def test_nothing_but_skipped_rows_before_fit(points):
    X, y, ids = points
    learner = ActiveLearner(LogisticRegression(), RandomSampling(), random_state=0)
    learner.teach(X[:2], [None, None], ids=ids[:2])
    assert not hasattr(learner, "estimator_")
    learner.teach(X[2:30], y[2:30], ids=ids[2:30])
    assert learner.ids_skipped_ == {ids[0], ids[1]}


class Moody(ClassifierMixin, BaseEstimator):
    """A logistic regression that fails on command."""

    mood = None

    def fit(self, X, y):
        if Moody.mood == "interrupted":
            signal.raise_signal(signal.SIGINT)
        if Moody.mood == "swallows the interrupt":
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                return self
        if Moody.mood is not None:
            raise RuntimeError(Moody.mood)
        self.inner_ = LogisticRegression().fit(X, y)
        self.classes_ = self.inner_.classes_
        return self

    def predict(self, X):
        return self.inner_.predict(X)

    def predict_proba(self, X):
        return self.inner_.predict_proba(X)


@pytest.mark.parametrize(
    ("mood", "error"),
    [
        ("out of memory", RuntimeError),
        ("interrupted", KeyboardInterrupt),
        ("swallows the interrupt", KeyboardInterrupt),
    ],
)
def test_a_failed_refit_loses_no_answer_and_keeps_the_model(
    points, monkeypatch, mood, error
):
    X, y, ids = points
    learner = ActiveLearner(Moody(), random_state=0).fit(X[:30], y[:30])
    before = learner.predict_proba(X)
    monkeypatch.setattr(Moody, "mood", mood)
    with pytest.raises(error):
        learner.teach(X[30:35], y[30:35], ids=ids[30:35])
    assert learner.y_labeled_.tolist() == y[:35].tolist()
    assert np.array_equal(before, learner.predict_proba(X))
    assert not set(range(30, 35)) & set(learner.query(X, 290, ids=ids).tolist())
    monkeypatch.setattr(Moody, "mood", None)
    learner.teach([], [])
    assert len(learner.y_labeled_) == 35
    expected = LogisticRegression().fit(X[:35], y[:35]).predict_proba(X)
    assert np.array_equal(learner.predict_proba(X), expected)


@pytest.mark.parametrize("mood", ["out of memory", "interrupted"])
def test_a_failed_fit_leaves_the_learner_as_it_was(points, monkeypatch, mood):
    X, y, _ = points
    learner = ActiveLearner(Moody(), random_state=0).fit(X[:30], y[:30])
    before = dict(vars(learner))
    monkeypatch.setattr(Moody, "mood", mood)
    with pytest.raises((RuntimeError, KeyboardInterrupt)):
        learner.fit(X, y)
    assert vars(learner) == before
    fresh = ActiveLearner(Moody())
    before = dict(vars(fresh))
    with pytest.raises((RuntimeError, KeyboardInterrupt)):
        fresh.fit(X, y)
    assert vars(fresh) == before


@pytest.mark.parametrize(
    ("X_new", "answers", "ids", "error", "match"),
    [
        ([[0.0, 1.0]], ["a", "b"], None, ValueError, "one answer per row"),
        ([[0.0, 1.0]], ["d"], None, ValueError, r"Got \['d'\]"),
        ([[0.0, 1.0]] * 2, ["a", 1], None, TypeError, "one type"),
        ([[0.0, 1.0]] * 2, ["a", "b"], [1, 1], ValueError, "more than once"),
        ([[0.0, 1.0]] * 2, ["a", "b"], [{}, []], TypeError, "hashable"),
        ([[0.0, 1.0]] * 2, ["a", "b"], [1], ValueError, "one id per row"),
        ("text", ["a"], None, TypeError, "single str"),
    ],
)
def test_bad_answers_are_refused_and_nothing_is_recorded(
    points, X_new, answers, ids, error, match
):
    X, y, _ = points
    learner = ActiveLearner(
        LogisticRegression(), classes=["a", "b", "c"], random_state=0
    ).fit(X[:30], y[:30])
    before = dict(vars(learner))
    with pytest.raises(error, match=match):
        learner.teach(X_new, answers, ids=ids)
    assert vars(learner) == before


def test_numbers_among_string_labels_are_refused(learner, points):
    with pytest.raises(TypeError, match="one type"):
        learner.teach(points[0][:1], [1])
    assert len(learner.y_labeled_) == 30


def test_new_labels_join_an_open_vocabulary(learner, points):
    X, _, _ = points
    learner.teach(X[:2], ["d", "d"])
    assert learner.classes_.tolist() == ["a", "b", "c", "d"]
    assert learner.predict_proba(X).shape == (300, 4)


def test_a_frozen_estimator_only_records(points):
    X, y, _ = points
    classifier = LogisticRegression().fit(X[:30], y[:30])
    learner = ActiveLearner(FrozenEstimator(classifier)).fit(X[:30], y[:30])
    before = learner.predict_proba(X)
    with pytest.warns(FrozenEstimatorWarning, match="not refitted"):
        learner.teach(X[30:40], y[30:40])
    assert len(learner.y_labeled_) == 40
    assert np.array_equal(before, learner.predict_proba(X))


def test_a_seed_of_one_class_works_with_a_warning(points):
    X, y, _ = points
    learner = ActiveLearner(LogisticRegression(), classes=["a", "b", "c"])
    with pytest.warns(SingleClassWarning, match="one class, 'b'"):
        learner.fit(X[:3], ["b"] * 3)
    assert learner.predict_proba(X[:2]).tolist() == [[0.0, 1.0, 0.0]] * 2
    assert set(learner.predict(X)) == {"b"}
    rows = learner.query(X, n_queries=3)
    learner.teach(X[:30], y[:30])
    assert len(rows) == 3
    assert learner.score(X, y) > 0.6


def test_a_seed_that_lacks_a_class_has_a_column_of_zeros(points):
    X, y, _ = points
    known = np.flatnonzero(y != "b")[:20]
    learner = ActiveLearner(LogisticRegression(), classes=["c", "a", "b"])
    learner.fit(X[known], y[known])
    proba = learner.predict_proba(X)
    assert learner.classes_.tolist() == ["a", "b", "c"]
    assert proba.shape == (300, 3)
    assert (proba[:, 1] == 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert not hasattr(learner, "decision_function")
    assert np.isneginf(learner.predict_log_proba(X)[:, 1]).all()
    assert len(learner.query(X)) == 10


@pytest.mark.parametrize(
    "kind",
    [
        np.asarray,
        list,
        pd.DataFrame,
        sparse.csr_matrix,
        lambda X: pd.DataFrame(X, index=np.arange(len(X))[::-1]),
    ],
    ids=["array", "list", "frame", "sparse", "frame with an index"],
)
def test_containers_of_vectors(points, kind):
    X, y, _ = points
    learner = ActiveLearner(LogisticRegression(), random_state=0)
    learner.fit(kind(X[:30]), y[:30])
    rows = learner.query(kind(X))
    learner.teach(kind(X[rows]), y[rows])
    expected = LogisticRegression()
    expected.fit(np.vstack([X[:30], X[rows]]), np.concatenate([y[:30], y[rows]]))
    np.testing.assert_allclose(
        learner.predict_proba(kind(X)), expected.predict_proba(X), atol=1e-6
    )


def test_rows_picked_one_by_one_join_an_array(learner, points):
    X, y, _ = points
    learner.teach([X[40], X[41]], [y[40], y[41]])
    assert isinstance(learner.X_labeled_, np.ndarray)
    assert learner.X_labeled_.shape == (32, 2)


def test_a_frame_cannot_join_an_array(learner, points):
    X, y, _ = points
    with pytest.raises(TypeError, match="a data frame"):
        learner.teach(pd.DataFrame(X[:2]), y[:2])
    assert len(learner.y_labeled_) == 30


def test_what_the_user_gave_is_not_kept(points):
    X, y, _ = points
    mine, labels = X[:30].tolist(), y[:30].tolist()
    learner = ActiveLearner(LogisticRegression()).fit(mine, labels)
    mine.clear()
    labels.clear()
    assert len(learner.X_labeled_) == len(learner.y_labeled_) == 30


def test_warm_start_goes_on_from_the_previous_model(points):
    X, y, _ = points
    estimator = SGDClassifier(
        loss="log_loss", warm_start=True, max_iter=1, tol=None, random_state=0
    )
    learner = ActiveLearner(estimator, random_state=0).fit(X[:30], y[:30])
    by_hand = SGDClassifier(
        loss="log_loss", warm_start=True, max_iter=1, tol=None, random_state=0
    )
    by_hand.fit(X[:30], y[:30])
    first = learner.estimator_
    learner.teach(X[30:60], y[30:60])
    by_hand.fit(X[:60], y[:60])
    assert np.array_equal(learner.estimator_.coef_, by_hand.coef_)
    assert learner.estimator_ is not first


def test_each_round_seeds_what_the_user_left_open(points):
    X, y, _ = points
    learner = ActiveLearner(SGDClassifier(loss="log_loss"), random_state=0)
    seeds = [learner.fit(X[:30], y[:30]).estimator_.random_state]
    seeds.append(learner.teach(X[30:35], y[30:35]).estimator_.random_state)
    assert seeds[0] != seeds[1]
    again = ActiveLearner(SGDClassifier(loss="log_loss"), random_state=0)
    assert again.fit(X[:30], y[:30]).estimator_.random_state == seeds[0]
    fixed = ActiveLearner(SGDClassifier(loss="log_loss", random_state=7))
    assert fixed.fit(X[:30], y[:30]).estimator_.random_state == 7
