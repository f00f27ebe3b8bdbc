# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""AnchorAL's kernels against the authors' own numbers."""

from pathlib import Path

import numpy as np
import pytest

from skal.functional import anchor_subpool, spread_anchors
from skal.utils import NeighborIndex

GOLDEN = Path(__file__).parents[1] / "golden" / "anchoral"
CASES = [path for path in sorted(GOLDEN.glob("*.npz")) if "knn_ids" in np.load(path)]


def test_there_are_golden_cases():
    assert len(CASES) == 12


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_golden_neighbours_scores_and_subpool(path):
    case = np.load(path)
    pool = np.setdiff1d(np.arange(len(case["emb"])), case["labelled"])
    index = NeighborIndex(case["emb"])
    queries = case["emb"][case["anchors"]]
    k = int(case["n_neighbours_used"])
    neighbors, similarity = index.search(queries, k, rows=pool)
    assert np.array_equal(neighbors, case["knn_ids"])
    np.testing.assert_allclose(1 - similarity, case["knn_dists"], rtol=1e-6, atol=1e-12)

    rows, scores = anchor_subpool(neighbors, similarity, max_subpool=10**9)
    assert np.array_equal(rows, case["cand_ids"])
    np.testing.assert_allclose(scores, case["cand_scores"], rtol=1e-6)
    rows, _ = anchor_subpool(neighbors, similarity, max_subpool=int(case["M"]))
    assert np.array_equal(rows, np.sort(case["subpool_ids_canonical"]))


@pytest.mark.parametrize("round_", [0, 1, 2])
def test_golden_kmeans_plus_plus_anchors(round_):
    case = np.load(GOLDEN / "kmeanspp_anchor_rounds.npz")
    members = case[f"ids{round_}"]
    rng = np.random.RandomState(round_)
    anchors = members[spread_anchors(case["emb"][members], 10, rng)]
    assert np.array_equal(anchors, case[f"anchors_order_freshseed{round_}"])


def test_score_is_the_mean_over_the_anchors_that_retrieved_a_row():
    neighbors = [[5, 3], [5, 8]]
    rows, scores = anchor_subpool(neighbors, [[0.9, 0.6], [0.3, 0.2]], max_subpool=3)
    assert rows.tolist() == [3, 5, 8]
    np.testing.assert_allclose(scores, [0.6, 0.6, 0.2])


def test_ties_at_the_cut_go_to_the_lower_row():
    rows, _ = anchor_subpool([[9, 4, 7]], [[0.5, 0.5, 0.5]], max_subpool=2)
    assert rows.tolist() == [4, 7]


def test_all_rows_are_anchors_when_there_are_few():
    assert spread_anchors(np.eye(3), 3, random_state=0).tolist() == [0, 1, 2]


def test_equal_rows_are_anchors_once():
    rows = spread_anchors(np.ones((20, 4)), 5, random_state=0)
    assert len(rows) == len(set(rows.tolist()))
    assert 0 < len(rows) <= 5


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="one shape"):
        anchor_subpool([[1, 2]], [[0.5]], max_subpool=2)
