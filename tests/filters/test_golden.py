# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Filters through their classes against the authors' own subpools; mutation checks."""

from pathlib import Path

import numpy as np
import pytest

from skal.base import PoolView, ScoreStrategy
from skal.filters import AnchorAL, RandSub
from skal.functional import random_rows

GOLDEN = Path(__file__).parents[1] / "golden"
ANCHORAL = [
    path
    for path in sorted((GOLDEN / "anchoral").glob("*.npz"))
    if "knn_ids" in np.load(path)
]
RANDSUB = sorted((GOLDEN / "randsub").glob("*.npz"))
# Cases whose anchors follow from the seed: not the one with anchors given by hand, and
# not the one with equal embeddings: there the first class gets the file's anchors and
# the second class others, for a reason that was not found.
SEEDED = [
    path
    for path in ANCHORAL
    if path.stem not in {"given_anchors_M_small", "duplicate_embeddings"}
]
# Cases in which there are candidates beyond the subpool to go wrong with.
SELECTIVE = [p for p in ANCHORAL if len(np.load(p)["subpool_ids_canonical"]) < 450]


class GivenScores(ScoreStrategy):
    """The golden files' base strategy: scores by pool row."""

    def __init__(self, scores):
        self.scores = scores

    def _score(self, view):
        return self.scores[view.X[:, 0].astype(int)]


class GivenAnchors(AnchorAL):
    """AnchorAL with the anchors of the golden file."""

    def _choose_anchors(self, view):
        return self.golden


class RandomSubpool(AnchorAL):
    """The mutant: as many rows as AnchorAL keeps, at random."""

    def _subpool(self, view, anchors, k, size, n_queries):
        kept = super()._subpool(view, anchors, k, size, n_queries)
        return random_rows(len(view), len(kept), view.rng(self.random_state))


def anchoral_view(case, rng=None):
    pool = np.setdiff1d(np.arange(len(case["emb"])), case["labelled"])
    labeled = case["labelled"]
    rounds = np.zeros(len(labeled), dtype=np.int64)
    view = PoolView(
        case["emb"],
        pool,
        labeled=(case["emb"][labeled], case["y"][labeled], rounds),
    )
    if rng is not None:
        view.rng = lambda random_state: rng
    return view


def anchoral(case, kind=AnchorAL, **kwargs):
    limit = int(case["max_search_size"])
    pool_filter = kind(
        n_anchors=int(case["A"]),
        n_neighbors=int(case["K"]),
        max_subpool=int(case["M"]),
        max_search_size=None if limit == -1 else limit,
        **kwargs,
    )
    order = {row: i for i, row in enumerate(case["labelled"].tolist())}
    pool_filter.golden = np.array([order[row] for row in case["anchors"].tolist()])
    return pool_filter


@pytest.mark.parametrize("path", ANCHORAL, ids=lambda path: path.stem)
def test_anchoral_keeps_the_golden_subpool_given_the_anchors(path):
    case = np.load(path)
    view = anchoral_view(case)
    kept = anchoral(case, GivenAnchors)._select(view, 1)
    assert np.array_equal(view.rows[kept], np.sort(case["subpool_ids_canonical"]))


@pytest.mark.parametrize("path", SEEDED, ids=lambda path: path.stem)
def test_anchoral_chooses_the_golden_anchors(path):
    """Each class in sorted order, all drawn from the seed of the golden file."""
    case = np.load(path)
    view = anchoral_view(case, np.random.RandomState(int(case["seed"])))
    anchors = case["labelled"][anchoral(case)._choose_anchors(view)]
    assert sorted(anchors.tolist()) == sorted(case["anchors"].tolist())


@pytest.mark.parametrize("path", SEEDED, ids=lambda path: path.stem)
def test_anchoral_from_seed_to_subpool(path):
    case = np.load(path)
    view = anchoral_view(case, np.random.RandomState(int(case["seed"])))
    kept = anchoral(case)._select(view, 1)
    assert np.array_equal(view.rows[kept], np.sort(case["subpool_ids_canonical"]))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("path", SELECTIVE, ids=lambda path: path.stem)
def test_a_random_subpool_in_its_place_would_fail(path, seed):
    case = np.load(path)
    view = anchoral_view(case)
    kept = anchoral(case, RandomSubpool, random_state=seed)._select(view, 1)
    assert not np.array_equal(view.rows[kept], np.sort(case["subpool_ids_canonical"]))


@pytest.mark.parametrize("path", RANDSUB, ids=lambda path: path.stem)
def test_randsub_keeps_the_golden_subpools_and_picks_the_golden_rows(path):
    case = np.load(path)
    rng = np.random.RandomState(int(case["seed"]))
    n_rows = int(case["n"])
    pool = np.setdiff1d(np.arange(n_rows), case["labelled"])
    strategy = RandSub(GivenScores(case["base_score"]), max_subpool=int(case["M"]))
    for round_ in range(3):
        view = PoolView(np.arange(n_rows)[:, None], pool)
        state = rng.get_state()
        view.rng = lambda random_state: rng
        kept = strategy._select(view, 25)
        assert np.array_equal(pool[kept], np.sort(case[f"subpool{round_}"]))
        rng.set_state(state)
        rows = pool[strategy._query(view, 25)]
        assert sorted(rows.tolist()) == sorted(case[f"query{round_}"].tolist())
        pool = np.setdiff1d(pool, rows)


@pytest.mark.parametrize("path", RANDSUB, ids=lambda path: path.stem)
@pytest.mark.parametrize("seed", range(20))
def test_another_stream_in_place_of_randsubs_would_fail(path, seed):
    case = np.load(path)
    pool = np.setdiff1d(np.arange(int(case["n"])), case["labelled"])
    view = PoolView(np.arange(int(case["n"]))[:, None], pool, seed=seed)
    kept = RandSub(max_subpool=int(case["M"]))._select(view, 25)
    assert not np.array_equal(pool[kept], np.sort(case["subpool0"]))
