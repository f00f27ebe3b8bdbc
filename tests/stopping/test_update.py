# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""`update` in a loop of query and teach: advice, and nothing else."""

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skal import ActiveLearner
from skal.exceptions import FrozenEstimatorWarning, MissingCapabilityError
from skal.stopping import (
    Budget,
    ClassificationChange,
    DeltaF,
    KappaAverage,
    OverallUncertainty,
    Patience,
    Plateau,
    SelectedAccuracy,
)
from skal.strategies import RandomSampling

EVERY = (
    KappaAverage()
    | DeltaF()
    | Patience(ClassificationChange(0.1), 2)
    | OverallUncertainty()
    | SelectedAccuracy()
    | Budget(1000)
    | Plateau(OverallUncertainty(n_stop=50))
)


def every():
    return clone(EVERY)


def start(points, estimator=None, n_labels=10):
    X, y = points
    learner = ActiveLearner(
        LogisticRegression() if estimator is None else estimator,
        RandomSampling(),
        classes=["a", "b"],
        random_state=0,
    )
    rows = np.arange(n_labels)
    return learner.teach(X[rows], y[rows], ids=rows)


def more(learner, points, n_labels=10):
    X, y = points
    rows = learner.query(X, n_labels, ids=np.arange(len(X)))
    return learner.teach(X[rows], y[rows], ids=rows)


def histories(criterion):
    return [inner.history_ for inner in criterion.criteria_]


def same(first, second):
    return all(
        np.array_equal(one, other, equal_nan=True)
        for one, other in zip(histories(first), histories(second), strict=True)
    )


def test_a_second_call_in_a_round_notes_nothing(points):
    X, _ = points
    learner, criterion = start(points), every()
    for n_rounds in (1, 2, 3):
        advice = [criterion.update(learner, X) for _ in range(3)]
        assert len(set(advice)) == 1
        assert len(criterion.history_) == len(criterion.advice_) == n_rounds
        learner = more(learner, points)


def test_an_answer_that_was_skipped_makes_no_round(points):
    X, _ = points
    learner, criterion = start(points), every()
    criterion.update(learner, X)
    criterion.update(learner.teach(X[:2], [None, None], ids=[50, 51]), X)
    assert len(criterion.history_) == 1
    criterion.update(learner.teach(X[:1], ["b"], ids=[0]), X)  # a label is corrected
    assert len(criterion.history_) == 2


def test_advice_stops_nobody(points):
    learner, criterion = start(points), Budget(10)
    for _ in range(3):
        assert criterion.update(learner) is True
        learner = more(learner, points)
    assert len(learner.y_labeled_) == 40


def test_the_learner_and_the_pool_stay_as_they_are(points):
    X, _ = points
    learner, criterion = start(points), every()
    np.random.seed(0)
    before = joblib.hash([vars(learner), X, np.random.get_state()])
    for _ in range(2):
        criterion.update(learner, X, ids=range(len(X)))
        assert joblib.hash([vars(learner), X, np.random.get_state()]) == before
        learner = more(learner, points)
        before = joblib.hash([vars(learner), X, np.random.get_state()])


def test_the_pool_may_shrink_after_the_first_round(points):
    X, _ = points
    learner, whole, shrinking, none = start(points), every(), every(), every()
    ids = np.arange(len(X))
    for _ in range(4):
        whole.update(learner, X, ids=ids)
        left = ~np.isin(ids, learner.ids_labeled_)
        first = not hasattr(shrinking, "history_")
        shrinking.update(learner, *([X] if first else [X[left]]), ids=ids)
        none.update(learner, X if first else None, ids=ids if first else None)
        learner = more(learner, points)
    assert same(whole, shrinking)
    assert same(whole, none)


def test_a_dump_goes_on(points, tmp_path):
    X, _ = points
    learner, criterion = start(points), every()
    for _ in range(2):
        criterion.update(learner, X)
        learner = more(learner, points)
    joblib.dump((learner, criterion), tmp_path / "session.joblib")
    learner_2, criterion_2 = joblib.load(tmp_path / "session.joblib")
    for one, other in ((learner, criterion), (learner_2, criterion_2)):
        other.update(one, X)
        other.update(more(one, points), X)
    assert same(criterion, criterion_2)
    assert len(criterion.history_) == 4


def test_a_clone_starts_over(points):
    X, _ = points
    criterion = every()
    criterion.update(start(points), X)
    again = clone(criterion)
    assert not hasattr(again, "history_")
    assert repr(again) == repr(EVERY)
    again.update(start(points), X)
    assert same(again, criterion)


class Fails:
    """A metric that raises `error`, once there is one."""

    error = None

    def __call__(self, learner):
        if Fails.error is not None:
            raise Fails.error
        return 0.0


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError()], ids=repr)
def test_an_update_that_fails_leaves_no_trace(points, error, monkeypatch):
    X, _ = points
    criterion = KappaAverage() | Patience(SelectedAccuracy()) | Plateau(Fails())
    expected = clone(criterion)
    learner = start(points)
    criterion.update(learner, X)
    expected.update(learner, X)
    learner = more(learner, points)
    before = joblib.hash(vars(criterion))
    monkeypatch.setattr(Fails, "error", error)
    with pytest.raises(type(error)):
        criterion.update(learner, X)
    assert joblib.hash(vars(criterion)) == before
    monkeypatch.undo()
    criterion.update(learner, X)
    expected.update(learner, X)
    assert same(criterion, expected)


def test_a_model_that_missed_answers_is_refused(points):
    X, _ = points

    class FitFails(LogisticRegression):
        fails = False

        def fit(self, X, y):
            if FitFails.fails:
                raise RuntimeError("no memory")
            return super().fit(X, y)

    learner, criterion = start(points, FitFails()), every()
    criterion.update(learner, X)
    FitFails.fails = True
    with pytest.raises(RuntimeError):
        more(learner, points)
    with pytest.raises(
        ValueError, match="call learner.teach\\(\\[\\], \\[\\]\\) first"
    ):
        criterion.update(learner, X)
    FitFails.fails = False
    criterion.update(learner.teach([], []), X)
    assert criterion.criteria_[5].history_ == [10, 20]


def test_another_run_is_refused(points):
    X, _ = points
    criterion = every()
    criterion.update(start(points, n_labels=20), X)
    with pytest.raises(ValueError, match="Got 10 after 20 in the round before"):
        criterion.update(start(points), X)


def test_bad_calls_are_refused(points):
    X, _ = points
    learner = start(points)
    with pytest.raises(TypeError, match="Got LogisticRegression; pass a skal.Active"):
        KappaAverage().update(LogisticRegression().fit(*points), X)
    with pytest.raises(NotFittedError):
        KappaAverage().update(clone(learner), X)
    with pytest.raises(ValueError, match="KappaAverage looks at fixed rows"):
        KappaAverage().update(learner)
    with pytest.raises(ValueError, match="X_pool is empty"):
        KappaAverage().update(learner, X[:0])
    with pytest.raises(TypeError, match="sequence of rows"):
        KappaAverage().update(learner, "one text")
    with pytest.raises(ValueError, match="one id per row"):
        KappaAverage().update(learner, X, ids=[1, 2])
    assert SelectedAccuracy().update(learner) is False  # looks at no pool


def test_a_classifier_without_probabilities(points):
    X, _ = points
    learner = start(points, LinearSVC())
    criterion = KappaAverage(window=1) & SelectedAccuracy(0.01)
    criterion.update(learner, X)
    before = learner.predict(X)
    learner = more(learner, points)
    criterion.update(learner, X)
    changed = ClassificationChange(n_stop=None)
    assert 0 < criterion.criteria_[0].history_[1] <= 1
    with pytest.raises(
        MissingCapabilityError, match="OverallUncertainty reads 'proba'"
    ):
        (Patience(OverallUncertainty()) | changed).update(learner, X)
    learner = start(points, LinearSVC())
    changed.update(learner, X)
    learner = more(learner, points)
    changed.update(learner, X)
    expected = np.mean(before != learner.predict(X))
    assert changed.history_[1] == pytest.approx(expected)


def test_a_frozen_classifier_changes_nothing(points):
    X, y = points
    frozen = FrozenEstimator(LogisticRegression().fit(X, y))
    learner = ActiveLearner(frozen, RandomSampling(), random_state=0)
    learner.fit(X[:10], y[:10])
    criterion = KappaAverage(window=1)
    criterion.update(learner, X)
    with pytest.warns(FrozenEstimatorWarning):
        learner.teach(X[10:20], y[10:20])
    assert criterion.update(learner, X)


def test_a_class_that_comes_in_later(points):
    """Labels are compared, not their positions in a vocabulary that grows."""
    X, _ = points
    y = np.where(X[:, 0] > np.median(X[:, 0]), "b", "c")
    learner = ActiveLearner(LogisticRegression(), random_state=0)
    order = np.argsort(y, kind="stable")
    learner.fit(X[order[140:160]], y[order[140:160]])
    criterion = ClassificationChange(n_stop=None)
    criterion.update(learner, X)
    before = learner.predict(X)
    learner.teach([[100.0, 100.0]], ["a"])
    criterion.update(learner, X)
    expected = np.mean(before != learner.predict(X))
    assert criterion.history_[1] == pytest.approx(expected)


@pytest.mark.parametrize("container", [list, np.array, pd.Series, tuple], ids=repr)
def test_texts_in_any_container(toy_texts, container):
    X, y = toy_texts
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression())
    learner = ActiveLearner(pipeline, random_state=0)
    criterion, expected = every(), every()
    for rows in (range(10), range(10, 20), range(20, 30)):
        learner.teach([X[row] for row in rows], y[rows], ids=rows)
        expected.update(learner, X)
        criterion.update(learner, container(X))
    assert same(criterion, expected)


def test_sparse_rows(points):
    X, _ = points
    learner, criterion, expected = start(points), every(), every()
    for _ in range(2):
        criterion.update(learner, sparse.csr_matrix(X))
        expected.update(learner, X)
        learner = more(learner, points)
    assert [h[0] for h in histories(criterion)[3:4]] == pytest.approx(
        [h[0] for h in histories(expected)[3:4]]
    )


def test_a_fine_tuned_transformer(toy_texts, tiny_checkpoint):
    from skal import TransformerClassifier

    X, y = toy_texts
    classifier = TransformerClassifier(tiny_checkpoint, max_epochs=1, min_steps=2)
    learner = ActiveLearner(classifier, RandomSampling(), random_state=0)
    criterion = every()
    for rows in (np.arange(10), np.arange(10, 20)):
        learner.teach([X[row] for row in rows], y[rows], ids=rows)
        criterion.update(learner, X, ids=range(80))
    proba = learner.predict_proba(X[20:])
    entropy = -(proba * np.log(proba)).sum(axis=1).mean() / np.log(2)
    assert criterion.criteria_[3].history_[1] == pytest.approx(entropy, abs=1e-5)
