# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""`fit` with a budget obeys a criterion, and knows no label that was not bought."""

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.svm import LinearSVC

from skal import ActiveLearner
from skal.exceptions import MissingCapabilityError
from skal.stopping import (
    Any,
    Budget,
    ClassificationChange,
    DeltaF,
    KappaAverage,
    OverallUncertainty,
    Patience,
    Plateau,
    SelectedAccuracy,
)
from skal.strategies import Entropy, RandomSampling, ViaProxy


def watched(learner):
    """A metric of the learner itself; a function, so that it can be pickled."""
    return len(learner.y_labeled_) // 40


EACH = {
    "kappa": KappaAverage(0.95),
    "delta-f": DeltaF(0.1, window=2),
    "change": ClassificationChange(0.05),
    "uncertainty": OverallUncertainty(0.5),
    "selected": SelectedAccuracy(0.7),
    "budget": Budget(45),
    "plateau": Plateau(watched, window=2),
    "all": ClassificationChange(0.1) & Budget(50),
    "any": SelectedAccuracy(1.0) | Budget(80),
    "patience": Patience(SelectedAccuracy(0.6), 2),
}


def make(stopping=None, **kwargs):
    kwargs = {"budget": 200, "random_state": 0} | kwargs
    return ActiveLearner(LogisticRegression(), stopping=stopping, **kwargs)


def bought(learner):
    return [entry["rows"].tolist() for entry in learner.rounds_]


@pytest.fixture(scope="module")
def without(points):
    return make().fit(*points)


@pytest.mark.parametrize("name", EACH)
def test_each_is_obeyed(points, without, name):
    criterion = EACH[name]
    learner = make(criterion).fit(*points)
    n_rounds = len(learner.rounds_)
    assert learner.termination_condition_ == "stopping"
    assert 1 < n_rounds < 20
    assert bought(learner) == bought(without)[:n_rounds]
    assert learner.n_rounds_ == n_rounds - 1
    assert learner.stopping_.advice_ == [False] * (n_rounds - 1) + [True]
    assert not hasattr(criterion, "history_"), "what was given was changed"


@pytest.mark.parametrize("name", EACH)
def test_it_equals_a_loop_by_hand(points, name):
    X, y = points
    learner = make(EACH[name]).fit(X, y)
    by_hand = make(budget=None, classes=["a", "b"])
    criterion, ids = clone(EACH[name]), np.arange(len(X))
    for entry in learner.rounds_:
        by_hand.teach(X[entry["rows"]], y[entry["rows"]], ids=entry["rows"])
        advice = criterion.update(by_hand, X, ids=ids)
    assert advice
    np.testing.assert_allclose(criterion.history_, learner.stopping_.history_)


@pytest.mark.parametrize("name", EACH)
def test_labels_not_bought_decide_nothing(points, name):
    X, y = points
    learner = make(EACH[name]).fit(X, y)
    others = np.setdiff1d(np.arange(len(y)), np.concatenate(bought(learner)))
    shuffled = y.copy()
    shuffled[others] = np.random.RandomState(0).permutation(y[others])
    assert not np.array_equal(shuffled, y)
    again = make(EACH[name]).fit(X, shuffled)
    assert bought(again) == bought(learner)
    np.testing.assert_array_equal(again.stopping_.history_, learner.stopping_.history_)


def test_the_budget_is_the_bound_and_the_last_round_is_noted(points):
    learner = make(Budget(30) | Budget(1000), budget=30).fit(*points)
    assert learner.termination_condition_ == "budget"
    learner = make(Budget(1000), budget=30).fit(*points)
    assert learner.termination_condition_ == "budget"
    assert learner.stopping_.history_ == [10, 20, 30]
    assert make(budget=30).fit(*points).stopping_ is None


def test_a_second_fit_begins_again(points):
    learner = make(EACH["kappa"]).fit(*points)
    history = learner.stopping_.history_
    np.testing.assert_array_equal(learner.fit(*points).stopping_.history_, history)


def test_a_criterion_with_a_history_may_be_given(points):
    given = make(EACH["kappa"]).fit(*points).stopping_
    before = joblib.hash(vars(given))
    learner = make(given).fit(*points)
    np.testing.assert_array_equal(learner.stopping_.history_, given.history_)
    assert joblib.hash(vars(given)) == before


def test_each_round_says_how_long_it_took(points):
    learner = make(EACH["kappa"]).fit(*points)
    assert all(entry["seconds"]["stop"] > 0 for entry in learner.rounds_)


class CountsFits(LogisticRegression):
    """Counts its fits."""

    n_fits = 0

    def fit(self, X, y):
        CountsFits.n_fits += 1
        return super().fit(X, y)


@pytest.mark.parametrize(
    ("stopping", "n_fits"),
    [
        (Budget(50), 1),
        (Budget(1000), 1),
        (Budget(50) | KappaAverage(), 5),
        (Plateau(watched, window=100), 20),
    ],
    ids=repr,
)
def test_no_round_is_fitted_that_nobody_reads(points, stopping, n_fits):
    strategy = ViaProxy(RandomSampling(), LogisticRegression())
    CountsFits.n_fits = 0
    learner = ActiveLearner(
        CountsFits(), strategy, budget=200, stopping=stopping, random_state=0
    )
    learner.fit(*points)
    assert CountsFits.n_fits == n_fits
    X, _ = points
    alone = LogisticRegression().fit(learner.X_labeled_, learner.y_labeled_)
    np.testing.assert_allclose(learner.predict_proba(X), alone.predict_proba(X))


@pytest.mark.parametrize(
    ("stopping", "error", "match"),
    [
        (KappaAverage(window=0), ValueError, "window"),
        (Any([]), ValueError, "at least one criterion"),
        (Patience(Budget(0)), ValueError, "n_labels"),
        ("kappa", ValueError, "stopping"),
        (True, ValueError, "stopping"),
    ],
    ids=repr,
)
def test_bad_criteria_are_refused_before_any_fit(points, stopping, error, match):
    learner = make(stopping)
    CountsFits.n_fits = 0
    learner.set_params(estimator=CountsFits())
    with pytest.raises(error, match=match):
        learner.fit(*points)
    assert CountsFits.n_fits == 0
    assert not hasattr(learner, "estimator_")


def test_what_the_classifier_lacks_is_said_before_any_fit(points):
    learner = ActiveLearner(
        LinearSVC(), RandomSampling(), budget=50, stopping=OverallUncertainty()
    )
    with pytest.raises(MissingCapabilityError, match="or another criterion"):
        learner.fit(*points)
    assert not hasattr(learner, "estimator_")


def test_a_search_over_thresholds(points):
    search = GridSearchCV(
        make(KappaAverage()),
        {"stopping__threshold": [0.5, 0.9, 0.99]},
        cv=3,
        error_score="raise",
    ).fit(*points)
    sizes = [
        len(make(KappaAverage(threshold)).fit(*points).y_labeled_)
        for threshold in (0.5, 0.9, 0.99)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    assert search.best_estimator_.stopping_.advice_[-1]
    search = GridSearchCV(
        make(KappaAverage() | Budget(30)),
        {
            "stopping__budget__n_labels": [20, 40],
            "stopping__kappaaverage": [Budget(90)],
        },
        cv=3,
        error_score="raise",
    ).fit(*points)
    assert len(search.best_estimator_.y_labeled_) in (20, 40)


def test_cross_validation_in_two_processes_equals_one(points):
    # Of names that another process can import: no function of this file.
    learner = make(KappaAverage(0.95) | Budget(40))
    one, two = (
        cross_validate(
            learner, *points, cv=3, n_jobs=n, return_estimator=True, error_score="raise"
        )
        for n in (1, 2)
    )
    for first, second in zip(one["estimator"], two["estimator"], strict=True):
        assert bought(first) == bought(second)
        assert first.termination_condition_ == "stopping"


def test_an_interrupt_leaves_the_previous_fit(points):
    learner = make(Plateau(watched, window=2)).fit(*points)
    before = joblib.hash([learner.stopping_, learner.rounds_])

    def interrupt(learner):
        if len(learner.y_labeled_) == 30:
            raise KeyboardInterrupt
        return len(learner.y_labeled_)

    learner.set_params(stopping=Plateau(interrupt))
    with pytest.raises(KeyboardInterrupt):
        learner.fit(*points)
    assert joblib.hash([learner.stopping_, learner.rounds_]) == before


def test_a_dump_keeps_the_history(points, tmp_path):
    learner = make(KappaAverage(0.95) | SelectedAccuracy(1.0)).fit(*points)
    joblib.dump(learner, tmp_path / "learner.joblib")
    loaded = joblib.load(tmp_path / "learner.joblib")
    assert loaded.stopping_.history_ == learner.stopping_.history_
    assert loaded.query(points[0]).tolist() == learner.query(points[0]).tolist()


def test_the_strategy_does_not_notice(points, without):
    """Other numbers are drawn for the stop set than for strategies and filters."""
    learner = make(KappaAverage(1.0, window=100), strategy=Entropy()).fit(*points)
    assert bought(learner) == bought(without)
