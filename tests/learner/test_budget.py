# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""fit with a budget: what is bought, when it stops, and that it never peeks."""

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate

from skal import ActiveLearner, make_query_pipeline
from skal.exceptions import NotQueryableError
from skal.filters import UPS, AnchorAL, KMeansSub, RandSub
from skal.strategies import Entropy, RandomSampling


def bought(learner):
    return np.concatenate([entry["rows"] for entry in learner.rounds_])


def make(strategy=None, **kwargs):
    kwargs = {"n_queries": 10, "budget": 60, "random_state": 0} | kwargs
    return ActiveLearner(LogisticRegression(), strategy, **kwargs)


def test_the_budget_is_spent_and_nothing_is_bought_twice(points):
    X, y, ids = points
    learner = make().fit(X, y, ids=ids)
    rows = bought(learner)
    assert len(rows) == len(set(rows.tolist())) == 60
    assert learner.n_rounds_ == 5
    assert learner.termination_condition_ == "budget"
    assert [entry["n_labeled"] for entry in learner.rounds_] == [10, 20, 30, 40, 50, 60]
    assert learner.y_labeled_.tolist() == y[rows].tolist()
    assert learner.ids_labeled_ == [ids[row] for row in rows]
    assert np.array_equal(learner.X_labeled_, X[rows])
    assert learner.rounds_labeled_.tolist() == np.repeat(range(6), 10).tolist()


def test_the_last_batch_is_cut_to_the_budget(points):
    X, y, _ = points
    sizes = [len(entry["rows"]) for entry in make(budget=25).fit(X, y).rounds_]
    assert sizes == [10, 10, 5]


def test_it_equals_a_loop_by_hand(points):
    """The rounds of fit are those a person would run with query and teach."""
    X, y, ids = points
    for strategy in (Entropy(), AnchorAL(), RandSub(RandomSampling(), max_subpool=90)):
        learner = make(strategy).fit(X, y)
        first, *later = learner.rounds_
        by_hand = make(strategy, budget=None, classes=["a", "b", "c"])
        by_hand.fit(
            X[first["rows"]], y[first["rows"]], ids=[ids[i] for i in first["rows"]]
        )
        for entry in later:
            rows = by_hand.query(X, ids=ids)
            assert rows.tolist() == entry["rows"].tolist()
            by_hand.teach(X[rows], y[rows], ids=[ids[row] for row in rows])
        assert np.array_equal(by_hand.predict_proba(X), learner.predict_proba(X))


@pytest.mark.parametrize(
    "strategy",
    [
        Entropy(),
        AnchorAL(),
        AnchorAL(anchors="entropy"),
        RandSub(),
        UPS(every=2, gamma=0.3),
        KMeansSub(n_clusters=9, n_per_cluster=3),
    ],
    ids=repr,
)
def test_labels_not_bought_decide_nothing(points, strategy):
    X, y, _ = points
    learner = make(strategy).fit(X, y)
    others = np.setdiff1d(np.arange(300), bought(learner))
    for seed in range(3):
        shuffled = y.copy()
        rng = np.random.RandomState(seed)
        shuffled[others] = rng.permutation(y[others])
        assert not np.array_equal(shuffled, y)
        again = make(strategy).fit(X, shuffled)
        assert np.array_equal(bought(again), bought(learner))
        assert np.array_equal(again.predict_proba(X), learner.predict_proba(X))


def test_a_pool_smaller_than_the_budget_ends_the_rounds_silently(points):
    X, y, _ = points
    learner = make(budget=1000, n_queries=70).fit(X, y)
    assert learner.termination_condition_ == "pool"
    assert sorted(bought(learner).tolist()) == list(range(300))


def test_a_stopping_rule_sees_what_a_query_may_know(points):
    X, y, _ = points
    seen = []

    def after_three(view):
        seen.append((view.round, len(view.labeled), view.proba.shape))
        return len(seen) == 3

    learner = make(stopping=after_three).fit(X, y)
    assert learner.termination_condition_ == "stopping"
    assert seen == [(1, 10, (290, 3)), (2, 20, (280, 3)), (3, 30, (270, 3))]
    assert len(learner.y_labeled_) == 30


def test_initial_count(points):
    X, y, _ = points
    sizes = [len(entry["rows"]) for entry in make(initial=33).fit(X, y).rounds_]
    assert sizes == [33, 10, 10, 7]


def test_initial_strategy(points):
    X, y, _ = points
    learner = make(initial=RandomSampling(random_state=3)).fit(X, y)
    other = make(initial=RandomSampling(random_state=4)).fit(X, y)
    assert len(learner.rounds_[0]["rows"]) == 10
    assert learner.rounds_[0]["rows"].tolist() != other.rounds_[0]["rows"].tolist()


def test_initial_by_class(points):
    X, y, _ = points
    learner = make(initial={"a": 20, "c": 2}).fit(X, y)
    first = y[learner.rounds_[0]["rows"]].tolist()
    assert sorted(first) == ["a"] * 20 + ["c"] * 2
    assert learner.classes_.tolist() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("kwargs", "error", "match"),
    [
        ({"budget": 9}, ValueError, "budget=9 and 10 initial rows"),
        ({"budget": 20, "initial": 21}, ValueError, "budget=20 and 21 initial rows"),
        ({"initial": {"a": 50, "b": 50}}, ValueError, "100 initial rows"),
        ({"initial": {"a": 2, "z": 5}}, ValueError, "5 rows of class 'z'; y has 0"),
        ({"initial": Entropy()}, NotQueryableError, "Entropy reads"),
        ({"budget": 0}, ValueError, "budget"),
        ({"budget": 20.0}, ValueError, "budget"),
        ({"n_queries": 0}, ValueError, "n_queries"),
        ({"strategy": AnchorAL(n_anchors=0)}, ValueError, "n_anchors"),
        ({"strategy": "entropy"}, ValueError, "strategy"),
        ({"classes": ["a", "b"]}, ValueError, r"Got \['c'\]"),
        ({"classes": ["a", "b", "c", "a"]}, ValueError, "must not repeat"),
    ],
    ids=repr,
)
def test_bad_settings_are_refused_before_any_fit(points, kwargs, error, match):
    X, y, _ = points
    learner = make(**kwargs)
    with pytest.raises(error, match=match):
        learner.fit(X, y)
    assert not hasattr(learner, "estimator_")


def test_rows_and_labels_of_different_length_are_refused(points):
    X, y, _ = points
    with pytest.raises(ValueError, match="300 rows in X, 299 labels in y"):
        make().fit(X, y[:299])


def test_one_model_per_round(points):
    X, y, _ = points
    learner = make(keep_estimators=True).fit(X, y)
    stages = list(learner.staged_predict(X))
    assert len(stages) == len(learner.estimators_) == 6
    assert np.array_equal(stages[-1], learner.predict(X))
    assert not np.array_equal(stages[0], stages[-1])
    assert [p.shape for p in learner.staged_predict_proba(X)] == [(300, 3)] * 6
    assert not hasattr(make(), "staged_predict")


def test_each_round_says_how_long_its_parts_took(points):
    X, y, _ = points
    entry = make(AnchorAL(max_subpool=40)).fit(X, y).rounds_[2]
    assert set(entry["seconds"]) == {"filter", "encode", "look", "select", "fit"}
    assert all(value >= 0 for value in entry["seconds"].values())
    assert 10 <= entry["n_subpool"] <= 40


def test_a_progress_bar_when_asked(points, capsys):
    X, y, _ = points
    make().fit(X, y)
    assert capsys.readouterr() == ("", "")
    make(verbose=1).fit(X, y)
    assert "60/60" in capsys.readouterr().err


def test_candidates_of_a_search_are_scored_on_what_they_chose(points):
    X, y, _ = points
    pipeline = make_query_pipeline(AnchorAL(), Entropy())
    search = GridSearchCV(
        make(pipeline, n_queries=5, budget=15),
        {
            "strategy__anchoral": ["passthrough", RandSub(max_subpool=9), AnchorAL()],
            "n_queries": [5],
        },
        cv=3,
        error_score="raise",
    ).fit(X, y)
    assert len(set(search.cv_results_["mean_test_score"].round(6))) == 3
    search = GridSearchCV(
        make(pipeline, n_queries=5, budget=15),
        {"strategy__anchoral__n_neighbors": [1, 40]},
        cv=3,
        error_score="raise",
    ).fit(X, y)
    assert len(set(search.cv_results_["mean_test_score"].round(6))) == 2


def test_cross_validation_in_two_processes_equals_one(points):
    X, y, _ = points
    learner = make(RandSub(AnchorAL(), max_subpool=100))
    one, two = (
        cross_validate(learner, X, y, cv=4, n_jobs=n_jobs, error_score="raise")
        for n_jobs in (1, 2)
    )
    assert one["test_score"].tolist() == two["test_score"].tolist()


def test_a_dump_goes_on_where_it_was(points, tmp_path):
    X, y, _ = points
    learner = make(AnchorAL(RandomSampling())).fit(X, y)
    joblib.dump(learner, tmp_path / "learner.joblib")
    loaded = joblib.load(tmp_path / "learner.joblib")
    assert loaded.query(X).tolist() == learner.query(X).tolist()
    assert "_memory" not in learner.__getstate__()
    loaded.teach(X[:5], y[:5])
    learner.teach(X[:5], y[:5])
    assert loaded.query(X).tolist() == learner.query(X).tolist()


def test_global_generators_stay_untouched(points):
    X, y, _ = points
    before = joblib.hash(np.random.get_state())
    make(AnchorAL(RandomSampling()), random_state=None).fit(X, y).query(X)
    assert joblib.hash(np.random.get_state()) == before
