# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Strategies made of strategies."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from skal import ActiveLearner
from skal.base import PoolView, QueryStrategy
from skal.filters import AnchorAL, RandSub
from skal.functional import allocate_evenly, entropy, margin, top_rows
from skal.strategies import (
    BADGE,
    ClassBalanced,
    Combine,
    Entropy,
    Margin,
    PowerSampling,
    RandomSampling,
)


class Says(ClassifierMixin, BaseEstimator):
    """A classifier that says what it was told, and counts the rows it was asked for."""

    def __init__(self, proba):
        self.proba = proba
        self.asked = []

    def predict_proba(self, X):
        self.asked += np.asarray(X)[:, 0].tolist()
        return self.proba[np.asarray(X)[:, 0].astype(int)]


def random_proba(n_rows=200, n_classes=4, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(n_classes), n_rows)


def view_of(proba, **kwargs):
    rows = np.arange(len(proba))[:, None]
    return PoolView(
        rows, estimator=Says(proba), classes=np.arange(proba.shape[1]), **kwargs
    )


def blobs():
    return make_blobs(120, centers=3, cluster_std=2.0, random_state=0)


# Combine


def by_both(proba, n_first, n_second):
    """What entropy takes, then what margin takes of the rest."""
    first = top_rows(entropy(proba), n_first).tolist()
    by_margin = top_rows(margin(proba), len(proba)).tolist()
    return first + [row for row in by_margin if row not in first][:n_second]


@pytest.mark.parametrize("n", [1, 2, 25, 200])
def test_combine_takes_its_shares_without_duplicates(n):
    proba = random_proba()
    rows = Combine([Entropy(), Margin()])._query(view_of(proba), n)
    assert rows.tolist() == by_both(proba, n - n // 2, n // 2)
    assert len(set(rows.tolist())) == n


def test_combine_takes_unequal_shares():
    proba = random_proba()
    rows = Combine([Entropy(), Margin()], shares=[0.2, 0.8])._query(view_of(proba), 10)
    assert rows.tolist() == by_both(proba, 2, 8)


@pytest.mark.parametrize("seed", range(20))
def test_random_picks_in_place_of_combine_would_fail(seed):
    proba = random_proba()
    rows = RandomSampling(random_state=seed)._query(view_of(proba), 25)
    assert set(rows.tolist()) != set(by_both(proba, 13, 12))


def test_combine_looks_at_each_row_once():
    view = view_of(random_proba())
    Combine([Entropy(), RandSub(Margin(), max_subpool=50)])._query(view, 20)
    assert sorted(view.estimator.asked) == list(range(200))


def test_combine_nests_and_is_tuned_by_name():
    strategy = Combine(
        [
            ("sure", RandSub(Entropy())),
            ("both", Combine([Margin(), RandomSampling()])),
        ]
    )
    strategy = clone(strategy).set_params(
        sure__max_subpool=7,
        both__margin=Entropy(),
        both__randomsampling__random_state=3,
    )
    params = strategy.get_params()
    assert params["sure"].max_subpool == 7
    assert isinstance(params["both__margin"], Entropy)
    assert params["both__randomsampling__random_state"] == 3
    assert isinstance(strategy.set_params(sure=BADGE())._inside()[0], BADGE)
    assert (
        clone(Combine([Entropy(), Entropy()]))
        .set_params(**{"entropy-2": Margin()})
        .get_params()["entropy-2"]
    )


def test_a_search_compares_shares_and_members():
    X, y = blobs()
    learner = ActiveLearner(
        LogisticRegression(),
        Combine([Entropy(), RandomSampling()]),
        budget=24,
        n_queries=6,
        random_state=0,
    )
    grid = {
        "strategy__shares": [[1, 0], [1, 2]],
        "strategy__entropy": [Entropy(), Margin()],
    }
    search = GridSearchCV(learner, grid, cv=2, error_score="raise").fit(X, y)
    picks = {
        tuple(np.concatenate([entry["rows"] for entry in fitted.rounds_]))
        for fitted in (
            clone(learner).set_params(**params).fit(X, y)
            for params in search.cv_results_["params"]
        )
    }
    assert len(picks) == 4


@pytest.mark.parametrize(
    ("strategy", "error", "match"),
    [
        (Combine([]), TypeError, "at least one strategy. Got \\[\\]"),
        (Combine(Entropy()), TypeError, "must be a list.* Got Entropy()"),
        (Combine([Entropy(), "margin"]), TypeError, "'margin' is 'margin'"),
        (Combine([("a__b", Entropy())]), ValueError, "must not contain __"),
        (Combine([("shares", Entropy())]), ValueError, "conflict"),
        (Combine([Entropy()], shares=[1, 2]), ValueError, "one number .* per strategy"),
        (Combine([Entropy()], shares=[0]), ValueError, "not all of them 0"),
        (Combine([Entropy()], shares=[-1]), ValueError, "at least 0"),
        (Combine([Entropy()], shares=[np.nan]), ValueError, "at least 0"),
        (Combine([RandSub(max_subpool=0)]), ValueError, "max_subpool"),
        (PowerSampling(BADGE()), ValueError, "'strategy' parameter of PowerSampling"),
        (PowerSampling(AnchorAL()), ValueError, "'strategy' parameter"),
        (PowerSampling(kind="max"), ValueError, "'kind' parameter"),
        (PowerSampling(beta=-1), ValueError, "'beta' parameter"),
        (ClassBalanced("entropy"), ValueError, "'strategy' parameter"),
        (ClassBalanced(PowerSampling(beta=-1)), ValueError, "'beta' parameter"),
    ],
)
def test_parameters_are_checked_before_any_work(strategy, error, match):
    X, y = blobs()
    with pytest.raises(error, match=match):
        strategy.fit(X, y, estimator=LogisticRegression())


# PowerSampling


def test_power_sampling_follows_its_law():
    proba = np.array([[0.5, 0.5], [0.8, 0.2], [0.99, 0.01]])
    scores = entropy(proba)
    strategy = PowerSampling(beta=2.0, random_state=0)
    first = [strategy._query(view_of(proba, round_=r), 1)[0] for r in range(3000)]
    share = np.bincount(first, minlength=3) / 3000
    np.testing.assert_allclose(share, scores**2 / np.sum(scores**2), atol=0.03)


def test_power_sampling_with_much_weight_is_the_strategy_itself():
    proba = random_proba()
    for kind in ("power", "softmax", "softrank"):
        strategy = PowerSampling(Margin(), kind=kind, beta=1e7, random_state=0)
        rows = strategy._query(view_of(proba), 20)
        assert rows.tolist() == Margin()._query(view_of(proba), 20).tolist()


@pytest.mark.parametrize("seed", range(20))
def test_power_sampling_prefers_larger_scores(seed):
    """Uniform picks in its place have half their rows among the better half."""
    proba = random_proba(2000)
    better = set(top_rows(entropy(proba), 1000).tolist())
    drawn, uniform = (
        len(better & set(strategy._query(view_of(proba), 400).tolist()))
        for strategy in (
            PowerSampling(beta=8, random_state=seed),
            RandomSampling(random_state=seed),
        )
    )
    assert drawn > 300 > uniform


def test_power_sampling_draws_anew_in_every_round_and_the_same_in_every_query():
    proba = random_proba()
    strategy = PowerSampling(random_state=0)
    picks = [
        tuple(strategy._query(view_of(proba, round_=r), 10)) for r in (0, 1, 2, 0, 1, 2)
    ]
    assert len(set(picks)) == 3
    assert picks[:3] == picks[3:]


@pytest.mark.parametrize("kind", ["power", "softmax", "softrank"])
def test_rows_that_score_nothing_come_last(kind):
    proba = np.eye(2)[np.arange(30) % 2]
    proba[7] = 0.5
    strategy = PowerSampling(kind=kind, beta=3, random_state=0)
    rows = strategy._query(view_of(proba), 30)
    assert sorted(rows.tolist()) == list(range(30))
    if kind == "power":
        assert rows[0] == 7
        assert rows[1:].tolist() != sorted(rows[1:].tolist())


# ClassBalanced


class Greedy(QueryStrategy):
    """Picks the first rows, and remembers the sizes of the parts it was shown."""

    def _represent(self, view):
        return np.zeros((len(view), 1))

    def _query(self, view, n_queries):
        return np.arange(n_queries)


def test_class_balanced_takes_the_best_of_each_predicted_class():
    proba = random_proba(300, 3)
    rows = ClassBalanced(Entropy())._query(view_of(proba), 30)
    predicted, scores = proba.argmax(axis=1), entropy(proba)
    for c in range(3):
        members = np.flatnonzero(predicted == c)
        best = members[top_rows(scores[members], 10)]
        assert [row for row in rows if predicted[row] == c] == best.tolist()


def test_a_class_predicted_seldom_gives_all_it_has():
    proba = np.eye(4)[[0] * 50 + [1] * 3 + [2] * 20]
    rows = ClassBalanced(Greedy())._query(view_of(proba), 20)
    counts = np.bincount(proba[rows].argmax(axis=1), minlength=4)
    assert counts.tolist() == [8, 3, 9, 0]
    assert counts.tolist() == allocate_evenly([50, 3, 20, 0], 20).tolist()


@pytest.mark.parametrize("seed", range(20))
def test_random_picks_in_place_of_balanced_ones_would_fail(seed):
    proba = random_proba(300, 3)
    proba[:250] = [0.9, 0.05, 0.05]
    balanced, uniform = (
        np.bincount(proba[s._query(view_of(proba), 30)].argmax(axis=1), minlength=3)
        for s in (ClassBalanced(), RandomSampling(random_state=seed))
    )
    assert balanced.max() - balanced.min() <= 1
    assert uniform.max() - uniform.min() > 1


def test_class_balanced_looks_at_each_row_once():
    view = view_of(random_proba())
    ClassBalanced(Margin())._query(view, 20)
    assert sorted(view.estimator.asked) == list(range(200))


@pytest.mark.parametrize(
    "strategy",
    [
        Combine([Entropy(), BADGE()]),
        PowerSampling(Margin(), kind="softrank"),
        ClassBalanced(BADGE()),
        Combine([AnchorAL(Entropy()), ClassBalanced(PowerSampling())]),
        AnchorAL(Combine([Entropy(), RandomSampling()])),
    ],
    ids=repr,
)
def test_inside_a_learner(strategy):
    X, y = blobs()
    learner = ActiveLearner(
        LogisticRegression(), strategy, budget=40, n_queries=10, random_state=0
    ).fit(X, y)
    rows = np.concatenate([entry["rows"] for entry in learner.rounds_])
    assert len(set(rows.tolist())) == 40
    again = clone(learner).fit(X, y)
    assert all(
        np.array_equal(a["rows"], b["rows"])
        for a, b in zip(learner.rounds_, again.rounds_, strict=True)
    )
