# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""DAL through the class: golden picks, sub-batches, what the network is shown."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from skal import ActiveLearner
from skal.base import PoolView
from skal.exceptions import MissingCapabilityError, SingleClassWarning
from skal.functional import top_rows
from skal.neural._binary import row_weights
from skal.strategies import DiscriminativeAL, RandomSampling

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "dal_select").glob("s*.npz"))
WEIGHTS = GOLDEN[0].with_name("gissin_class_weight_noop.npz")
of_golden = pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
SMALL = {"hidden_layer_sizes": (20,), "lr": 0.01, "max_epochs": 20, "device": "cpu"}


class Says:
    """A classifier whose embedding is X."""

    def __init__(self):
        self.n_passes = 0

    def predict_outputs(self, X, outputs):
        self.n_passes += 1
        return dict.fromkeys(outputs, np.asarray(X, dtype=np.float32))


def view_of(labeled, pool, **kwargs):
    n = len(labeled)
    labeled = labeled, np.zeros(n), np.zeros(n, dtype=int)
    return PoolView(pool, estimator=Says(), classes=[0, 1], labeled=labeled, **kwargs)


class Told(DiscriminativeAL):
    """DAL whose network says what is in the first column."""

    def _score(self, view, picked, rng):
        return view.embedding[:, 0].astype(np.float64)


# The authors' picks.


def assert_the_golden_rows(case, rows):
    assert sorted(rows.tolist()) == case["selected_gissin_set"].tolist()
    assert set(rows.tolist()) == set(case["selected_jjzha"].tolist())


@of_golden
@pytest.mark.parametrize("n_sub_batches", [1, 3, 10])
def test_picks_are_the_golden_ones(path, n_sub_batches):
    case = np.load(path)
    view = view_of(np.zeros((1, 1)), case["p_unlabelled"][:, None])
    size = len(case["selected_jjzha"])
    rows = Told(n_sub_batches=n_sub_batches)._query(view, size)
    assert_the_golden_rows(case, rows)
    assert rows.tolist() == top_rows(case["p_unlabelled"], size).tolist()
    assert rows.tolist() == case["selected_jjzha"].tolist()


@of_golden
@pytest.mark.parametrize("seed", range(20))
def test_random_picks_in_its_place_would_fail(path, seed):
    case = np.load(path)
    view = view_of(np.zeros((1, 1)), case["p_unlabelled"][:, None])
    size = len(case["selected_jjzha"])
    rows = RandomSampling(random_state=seed)._query(view, size)
    with pytest.raises(AssertionError):
        assert_the_golden_rows(case, rows)


def test_the_loss_is_weighted_where_the_authors_code_failed_to():
    for n_labeled, n_unlabeled, *theirs in np.load(WEIGHTS)["table"]:
        is_unlabeled = np.arange(n_labeled + n_unlabeled) >= n_labeled
        weights = row_weights(is_unlabeled, balanced=True)
        assert theirs == [1, 1]
        assert weights[0] / weights[-1] == pytest.approx(n_unlabeled / n_labeled)


# What it does.


def blobs(seed=0):
    """Labelled rows around one point, pool rows around that point and two others."""
    rng = np.random.RandomState(seed)
    labeled = rng.normal(size=(30, 2))
    centers = np.repeat([[0, 0], [12, 0], [0, 12]], 60, axis=0)
    return labeled, rng.normal(size=(180, 2)) + centers


def assert_unlike_the_labeled(rows):
    assert (rows >= 60).mean() > 0.9
    assert 0.2 < (rows >= 120).mean() < 0.8


@pytest.mark.parametrize("seed", range(3))
def test_rows_unlike_the_labelled_ones_are_picked(seed):
    view = view_of(*blobs(seed))
    rows = DiscriminativeAL(**SMALL, random_state=seed)._query(view, 30)
    assert_unlike_the_labeled(rows)
    scores = DiscriminativeAL(**SMALL, random_state=seed)._represent(view)[:, 0]
    assert scores[60:].mean() > scores[:60].mean() + 0.2


@pytest.mark.parametrize("seed", range(20))
def test_random_picks_are_not_unlike_the_labelled_ones(seed):
    rows = RandomSampling(random_state=seed)._query(view_of(*blobs()), 30)
    with pytest.raises(AssertionError):
        assert_unlike_the_labeled(rows)


def test_parts_look_elsewhere():
    """One far blob is farther: without parts all rows would come from there."""
    labeled, pool = blobs()
    pool[120:] *= 3
    parts = []
    for n_sub_batches in (1, 10):
        strategy = DiscriminativeAL(
            n_sub_batches=n_sub_batches, random_state=0, **SMALL
        )
        rows = strategy._query(view_of(labeled, pool), 20)
        parts.append(np.bincount(rows // 60, minlength=3))
    assert parts[0].max() > parts[1].max()
    assert parts[1].argmin() == 0


class Watched(DiscriminativeAL):
    """Keeps what each network is trained on."""

    def _training_rows(self, view, picked, rng):
        X, is_unlabeled = super()._training_rows(view, picked, rng)
        self.seen.append((X, is_unlabeled, picked.copy()))
        return X, is_unlabeled


def watched(view, n_queries, **params):
    strategy = Watched(hidden_layer_sizes=(2,), max_epochs=1, device="cpu", **params)
    strategy.seen = []
    return strategy._query(view, n_queries), strategy.seen


def test_what_the_networks_are_shown():
    labeled, pool = np.full((4, 1), -1.0), np.arange(100.0)[:, None]
    view = view_of(labeled, pool)
    assert view.estimator.n_passes == 0
    rows, seen = watched(view, 7, n_sub_batches=3, subsample_factor=2)
    assert view.estimator.n_passes == 2
    assert [picked.sum() for *_, picked in seen] == [0, 3, 5]
    for X, is_unlabeled, picked in seen:
        n_known = 4 + picked.sum()
        assert is_unlabeled.tolist() == [False] * n_known + [True] * (2 * n_known)
        assert X[:4, 0].tolist() == [-1] * 4
        known, others = X[4:n_known, 0], X[n_known:, 0]
        assert sorted(known) == np.flatnonzero(picked).tolist()
        assert len(set(others)) == 2 * n_known
        assert not set(others) & set(known)
    draws = [tuple(X[is_unlabeled, 0]) for X, is_unlabeled, _ in seen]
    assert len(set(draws)) == 3
    assert len(set(rows.tolist())) == 7
    _, seen = watched(view, 2, subsample_factor=None)
    assert [len(X) for X, *_ in seen] == [104, 104]
    _, seen = watched(view, 1, subsample_factor=0.01)
    assert len(seen[0][0]) == 5


@pytest.mark.parametrize("n_queries", [1, 4, 10, 13, 100])
def test_small_batches_come_in_as_many_parts_as_they_have_rows(n_queries):
    rows, seen = watched(view_of(*blobs()), n_queries)
    assert len(seen) == min(10, n_queries)
    assert len(set(rows.tolist())) == n_queries


def test_the_seed_decides_and_the_global_generators_are_left_alone():
    view = view_of(*blobs())
    states = torch.get_rng_state(), np.random.get_state()[1].tolist()
    strategy = DiscriminativeAL(**SMALL, random_state=0)
    rows = strategy._query(view, 20)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.random.get_state()[1].tolist() == states[1]
    assert np.array_equal(rows, strategy._query(view, 20))
    later = strategy._query(view_of(*blobs(), round_=1), 20)
    assert not np.array_equal(rows, later)


# Awkward pools.

AWKWARD = {
    "duplicates": (np.zeros((5, 2)), np.repeat(np.arange(20.0).reshape(10, 2), 3, 0)),
    "like the labelled ones": (np.zeros((5, 2)), np.zeros((30, 2))),
    "one labelled row": (np.zeros((1, 2)), np.arange(60.0).reshape(30, 2)),
    "more labelled than not": (np.zeros((90, 2)), np.arange(60.0).reshape(30, 2)),
    "nothing labelled": (np.zeros((0, 2)), np.arange(60.0).reshape(30, 2)),
    "one row": (np.zeros((5, 2)), np.ones((1, 2))),
    "huge": (np.zeros((5, 2)), np.arange(60.0).reshape(30, 2) * 1e6),
}


@pytest.mark.parametrize("pool", AWKWARD)
def test_awkward_pools_give_whole_batches(pool):
    labeled, rows = AWKWARD[pool]
    for n_queries in (1, len(rows) // 2 + 1, len(rows)):
        strategy = DiscriminativeAL(**SMALL, n_sub_batches=3)
        picked = strategy._query(view_of(labeled, rows), n_queries)
        assert len(np.unique(picked)) == len(picked) == n_queries
    assert strategy._represent(view_of(labeled, rows)).shape == (len(rows), 1)


def test_a_seed_of_one_class_and_rounds_in_a_learner():
    X = np.random.RandomState(0).normal(size=(60, 4))
    strategy = DiscriminativeAL(**SMALL)
    learner = ActiveLearner(LogisticRegression(), strategy, random_state=0)
    with pytest.warns(SingleClassWarning):
        learner.fit(X[:10], ["a"] * 10, ids=range(10))
    for _ in range(2):
        rows = learner.query(X, 7, ids=range(60))
        learner.teach(X[rows], np.where(X[rows, 0] > 0, "a", "b"), ids=rows)
    assert len(set(learner.ids_labeled_)) == 24


def test_a_classifier_without_an_embedding_is_refused_before_any_work():
    learner = ActiveLearner(LogisticRegression(), DiscriminativeAL())
    with pytest.raises(MissingCapabilityError, match="reads 'embedding'"):
        learner.fit(["a text", "another"], [0, 1])


@pytest.mark.parametrize(
    "params",
    [
        {"n_sub_batches": 0},
        {"subsample_factor": 0},
        {"hidden_layer_sizes": 256},
        {"lr": 0.0},
        {"max_epochs": 0},
        {"stop_accuracy": 1.1},
        {"batch_size": 0},
    ],
)
def test_parameters_are_checked(params):
    X = np.zeros((4, 2))
    with pytest.raises(ValueError, match=f"The '{next(iter(params))}' parameter"):
        DiscriminativeAL(**params).fit(X, [0, 1, 0, 1], estimator=Says())
