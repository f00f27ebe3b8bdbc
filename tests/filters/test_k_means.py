# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""KMeansSub: how many rows of which clusters, and which."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from skal import ActiveLearner, make_query_pipeline
from skal.base import PoolView
from skal.filters import AnchorAL, KMeansSub, RandSub
from skal.functional import k_means
from skal.strategies import Entropy, RandomSampling

SIZES = [60, 12, 3]
GROUPS = np.repeat([0, 1, 2], SIZES)


@pytest.fixture
def groups():
    """Three far directions, of rows of any length."""
    rng = np.random.RandomState(0)
    X = 5.0 * np.eye(3)[GROUPS] + rng.normal(scale=0.1, size=(75, 3))
    return X * rng.uniform(0.01, 100, size=(75, 1))


def kept_of_each(view, n_queries, **params):
    kept = KMeansSub(n_clusters=3, **params)._select(view, n_queries)
    assert (np.diff(kept) > 0).all()
    shown = GROUPS if view.rows is None else GROUPS[view.rows]
    return np.bincount(shown[kept], minlength=3).tolist()


def test_as_many_of_each_cluster(groups):
    for n_per_cluster, expected in [(1, [1, 1, 1]), (5, [5, 5, 3]), (99, SIZES)]:
        view = PoolView(groups)
        assert kept_of_each(view, 1, n_per_cluster=n_per_cluster) == expected


def test_large_batches_take_more_of_the_larger_clusters(groups):
    for n_queries, expected in [
        (4, [2, 2, 2]),
        (9, [3, 3, 3]),
        (20, [8, 9, 3]),
        (40, [25, 12, 3]),
        (75, SIZES),
    ]:
        found = kept_of_each(PoolView(groups), n_queries, n_per_cluster=2)
        assert sum(found) >= n_queries
        assert found == expected


def test_rows_left_out_shape_the_clusters_and_are_not_drawn(groups):
    rows = np.setdiff1d(np.arange(75), [*range(55), 60, 61])
    assert kept_of_each(PoolView(groups, rows), 1, n_per_cluster=8) == [5, 8, 3]
    rows = np.arange(60, 75)  # nothing of the first
    assert kept_of_each(PoolView(groups, rows), 1, n_per_cluster=2) == [0, 2, 2]


def test_each_row_of_a_cluster_is_drawn_as_often(groups):
    n_rounds, counts = 1000, np.zeros(75)
    view = PoolView(groups)
    strategy = KMeansSub(n_clusters=3, n_per_cluster=4)
    for round_ in range(n_rounds):
        view.round = round_
        counts[strategy._select(view, 1)] += 1
    assert (counts[-3:] == n_rounds).all()
    for group, size in ((0, 60), (1, 12)):
        p = 4 / size
        deviation = counts[group == GROUPS] - n_rounds * p
        # Draws without replacement: the sum over a cluster is fixed.
        chi_square = np.sum(deviation**2) / (n_rounds * p * (1 - p)) * (size - 1) / size
        assert abs(chi_square - (size - 1)) < 4.5 * np.sqrt(2 * (size - 1))


class Counts(TransformerMixin, BaseEstimator):
    """Numbers in a text to a vector; counts the rows it encodes."""

    n_rows = 0

    def fit(self, X, y=None):
        """Learn nothing."""
        return self

    def transform(self, X):
        """Read the numbers."""
        Counts.n_rows += len(X)
        return np.array([[float(word) for word in text.split()] for text in X])


@pytest.mark.filterwarnings("ignore::skal.exceptions.SingleClassWarning")
def test_the_pool_is_encoded_and_clustered_once(groups, monkeypatch):
    calls = []

    def counting(*args, **kwargs):
        calls.append(args[1])
        return k_means(*args, **kwargs)

    monkeypatch.setattr("skal._encoded_pool.k_means", counting)
    monkeypatch.setattr(Counts, "n_rows", 0)
    texts = [" ".join(map(repr, row)) for row in groups.tolist()]
    strategy = KMeansSub(
        RandomSampling(), n_clusters=3, n_per_cluster=4, encoder=Counts()
    )
    learner = ActiveLearner(DummyClassifier(), strategy, random_state=0)
    shown = []
    for row in range(4):
        learner.teach(texts[row : row + 1], [0], ids=[row])
        learner.query(texts, 5, ids=range(75))
        shown.append(tuple(learner._log.subpool.tolist()))
    assert len(set(shown)) == 4
    assert Counts.n_rows == 75
    assert calls == [3]
    learner.set_params(strategy__n_clusters=5).query(texts, 5, ids=range(75))
    assert Counts.n_rows == 75
    assert calls == [3, 5]


def batches(strategy, X, y, forget):
    learner = ActiveLearner(LogisticRegression(), strategy, random_state=0)
    learner.fit(X[:20], y[:20], ids=range(20))
    found = []
    for _ in range(4):
        if forget:
            learner.__dict__.pop("_memory", None)
        rows = learner.query(X, 5, ids=range(len(X)))
        found.append((rows.tolist(), learner._log.subpool.tolist()))
        learner.teach(X[rows], y[rows], ids=rows.tolist())
    return found


@pytest.mark.parametrize(
    "strategy",
    [
        KMeansSub(n_clusters=20, n_per_cluster=3),
        KMeansSub(n_clusters=20, n_per_cluster=3, random_state=1),
        RandSub(KMeansSub(n_clusters=9, n_per_cluster=5), max_subpool=200),
        KMeansSub(AnchorAL(), n_clusters=9),
    ],
    ids=repr,
)
def test_what_is_remembered_changes_nothing(strategy):
    X = np.random.RandomState(0).normal(size=(300, 4))
    y = (X[:, 0] > 0).astype(int)
    remembering = batches(strategy, X, y, forget=False)
    assert remembering == batches(strategy, X, y, forget=True)


def test_a_search_over_the_step():
    X = np.random.RandomState(0).normal(size=(200, 4))
    y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int)
    pipeline = make_query_pipeline(KMeansSub(n_clusters=5), Entropy())
    learner = ActiveLearner(
        LogisticRegression(), pipeline, n_queries=5, budget=20, random_state=0
    )
    grid = [
        {"strategy__kmeanssub": ["passthrough", RandSub(max_subpool=20)]},
        {"strategy__kmeanssub__n_per_cluster": [1, 5]},
    ]
    search = GridSearchCV(learner, grid, cv=3, error_score="raise", refit=False)
    scores = search.fit(X, y).cv_results_["mean_test_score"]
    assert len(set(scores.round(6).tolist())) > 2
