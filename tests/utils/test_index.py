# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The index: right neighbours, ties by lower row, rows left out left out."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.utils.random import sample_without_replacement
from threadpoolctl import threadpool_info

from skal.utils import NeighborIndex, _faiss_kinds, _index
from skal.utils._nearest import Directions, nearest
from skal.utils._random import draw_seed

APPROXIMATE = ["hnsw", "ivf", "ivf_pq"]
EXCLUDED = [0.001, 0.1, 0.5, 0.8, 0.95, 0.99, 0.999, 1.0]


def brute_force(vectors, queries, k, rows):
    vectors, queries = np.float64(vectors[rows]), np.float64(queries)
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(queries, axis=1)[:, None]
    similarity = np.divide(
        queries @ vectors.T, lengths, out=np.zeros_like(lengths), where=lengths > 0
    ).round(12)
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    return rows[order], np.take_along_axis(similarity, order, axis=1)


def awkward_vectors(n, d, rng):
    vectors = rng.normal(size=(n, d)).astype(np.float32)
    vectors[n // 4 : n // 2] = vectors[: n // 4]  # duplicates tie exactly
    vectors[7] = 0
    queries = rng.normal(size=(6, d)).astype(np.float32)
    queries[0], queries[1] = vectors[n // 4 + 10], 0
    return vectors, queries


@pytest.mark.parametrize("block_size", [3, 50, 10_000])
@pytest.mark.parametrize("share", [1.0, 0.5, 0.02])
@pytest.mark.parametrize("seed", range(5))
def test_equals_brute_force(block_size, share, seed):
    rng = np.random.RandomState(seed)
    vectors, queries = awkward_vectors(400, 16, rng)
    live = rng.uniform(size=400) < share
    rows = np.flatnonzero(live)
    k = min(10, len(rows))
    found = nearest(Directions.of(vectors), Directions.of(queries), k, live, block_size)
    expected = brute_force(vectors, queries, k, rows)
    assert np.array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], atol=1e-9)


@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_a_pool_sorted_by_similarity(order):
    """Every block of it beats all earlier ones, or none does."""
    angles = np.linspace(0, 3, 5000)[:: -1 if order == "ascending" else 1]
    vectors = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    query = np.array([[1, 0]], dtype=np.float32)
    neighbors, _ = nearest(Directions.of(vectors), Directions.of(query), 7, None, 100)
    nearest_first = np.arange(7) if order == "descending" else 4999 - np.arange(7)
    assert neighbors[0].tolist() == nearest_first.tolist()


@pytest.mark.parametrize("d", [2, 384, 4096])
def test_rounding_in_single_precision_loses_no_neighbour(d):
    """Rows that differ by less than a single-precision product can tell apart."""
    rng = np.random.RandomState(0)
    query = rng.normal(size=(1, d)).astype(np.float32)
    vectors = np.repeat(query, 3000, axis=0)
    vectors[np.arange(3000), rng.randint(d, size=3000)] *= 1 + 1e-4
    vectors *= rng.uniform(0.1, 10, size=(3000, 1)).astype(np.float32)
    neighbors, _ = NeighborIndex(vectors).search(query, 20)
    exact = np.float64(vectors) @ np.float64(query[0])
    exact /= np.linalg.norm(np.float64(vectors), axis=1) * np.linalg.norm(query[0])
    assert exact[neighbors[0]].min() >= np.sort(exact)[-20] - 1e-14


def test_many_queries_give_what_each_gives_alone():
    rng = np.random.RandomState(0)
    vectors, _ = awkward_vectors(500, 24, rng)
    queries = rng.normal(size=(150, 24))
    index = NeighborIndex(vectors)
    together = index.search(queries, 9)
    alone = [index.search(query[None], 9) for query in queries]
    for i in range(2):
        assert np.array_equal(together[i], np.concatenate([pair[i] for pair in alone]))


def test_rows_that_are_all_equal_come_lowest_first():
    neighbors, similarity = NeighborIndex(np.ones((100, 8))).search(np.ones((2, 8)), 5)
    assert neighbors.tolist() == [[0, 1, 2, 3, 4]] * 2
    np.testing.assert_allclose(similarity, 1.0)


@pytest.mark.parametrize("kind", ["exact", *APPROXIMATE])
def test_k_is_clamped_to_the_rows_searched(kind):
    index = NeighborIndex(np.eye(4), kind)
    assert index.search(np.eye(4)[:1], 9)[0].shape == (1, 4)
    assert index.search(np.eye(4)[:1], 9, rows=[1, 3])[0].tolist() == [[1, 3]]
    assert index.search(np.eye(4)[:1], 9, rows=[])[0].shape == (1, 0)
    assert index.search(np.eye(4)[:1], 9, exclude=range(4))[0].shape == (1, 0)
    assert index.search(np.empty((0, 4)), 2)[0].shape == (0, 2)


def test_rows_and_exclude_may_come_in_any_order_and_together():
    index = NeighborIndex(np.ones((6, 2)))
    neighbors, _ = index.search([[1, 1]], 6, rows=[5, 0, 3, 3], exclude=[3, 1])
    assert neighbors.tolist() == [[0, 5]]


@pytest.mark.parametrize("wrong", [[-1], [4], [0.5], [True]])
def test_rows_that_the_index_has_not_are_refused(wrong):
    index = NeighborIndex(np.eye(4))
    for name in ("rows", "exclude"):
        with pytest.raises(IndexError, match="integers from 0 to 3"):
            index.search(np.eye(4), 1, **{name: wrong})


@pytest.mark.parametrize("wrong", [-1, 2.5, "5", True, None])
def test_a_number_of_neighbours_that_is_none_is_refused(wrong):
    index = NeighborIndex(np.eye(4))
    for call in (
        lambda: index.search(np.eye(4), wrong),
        lambda: index.recall(4, wrong),
    ):
        with pytest.raises((ValueError, TypeError), match="k must be an int of at"):
            call()
    with pytest.raises((ValueError, TypeError), match="n_samples must be an int"):
        index.recall(wrong)


def test_float32_vectors_are_not_copied():
    vectors = np.random.RandomState(0).normal(size=(10, 3)).astype(np.float32)
    assert NeighborIndex(vectors).vectors is vectors


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused_with_their_row(bad):
    vectors = np.ones((5, 2))
    vectors[3, 1] = bad
    with pytest.raises(ValueError, match="Row 3 contains NaN or infinity"):
        NeighborIndex(vectors)


def test_infinities_that_would_cancel_are_refused():
    with pytest.raises(ValueError, match="Row 0"):
        NeighborIndex([[np.inf, -np.inf]])


def test_numbers_beyond_single_precision_are_refused():
    with pytest.raises(ValueError, match="finite"):
        NeighborIndex([[1e300, 1.0]])


def test_queries_of_another_dimension_are_refused():
    with pytest.raises(ValueError, match="one encoder"):
        NeighborIndex(np.eye(3)).search(np.eye(4), 1)


def test_an_unknown_kind_is_refused():
    with pytest.raises(
        ValueError, match="'auto', 'exact', 'hnsw', 'ivf', 'ivf_pq'.*'flat'"
    ):
        NeighborIndex(np.eye(3), "flat")


def test_sparse_vectors_are_refused_and_the_remedy_is_named():
    from scipy import sparse

    with pytest.raises(TypeError, match="TruncatedSVD"):
        NeighborIndex(sparse.eye(3, format="csr"))


def test_auto_is_exact_up_to_a_million_rows(monkeypatch):
    assert _index._EXACT_UP_TO == 1_000_000
    monkeypatch.setattr(_index, "_EXACT_UP_TO", 100)
    assert NeighborIndex(np.eye(100), n_searches=10_000).kind == "exact"
    assert NeighborIndex(np.eye(101), n_searches=10_000).kind == "ivf_pq"


@pytest.mark.parametrize(
    ("n_features", "n_searches", "kind"),
    [
        (384, 52, "exact"),
        (384, 53, "ivf_pq"),
        (128, 100, "exact"),
        (768, 100, "ivf_pq"),
    ],
)
def test_auto_builds_what_repays_its_building(n_features, n_searches, kind):
    assert _index._best_kind(1_000_001, n_features, n_searches) == kind


@pytest.mark.parametrize("wrong", [0, -1, 2.5, "often"])
def test_a_number_of_searches_that_is_none_is_refused(wrong):
    with pytest.raises((ValueError, TypeError), match="n_searches must be an int"):
        NeighborIndex(np.eye(3), n_searches=wrong)


@pytest.fixture(scope="module")
def blobs():
    """Points in 60 clouds, some of them equal and one zero; queries beside some."""
    vectors, _ = make_blobs(
        4000, 24, centers=60, cluster_std=4.0, random_state=0, center_box=(-5, 5)
    )
    vectors = vectors.astype(np.float32)
    vectors[2000:2200] = vectors[:200]
    vectors[7] = 0
    noise = np.random.RandomState(0).normal(size=(12, 24))
    return vectors, (vectors[:12] + noise).astype(np.float32)


@pytest.fixture(scope="module", params=APPROXIMATE)
def approximate(request, blobs):
    return NeighborIndex(blobs[0], request.param)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", EXCLUDED)
def test_rows_excluded_at_random_never_come_back(approximate, blobs, share, seed):
    vectors, queries = blobs
    rng = np.random.RandomState(seed)
    excluded = rng.choice(4000, round(share * 4000), replace=False)
    left = np.setdiff1d(np.arange(4000), excluded)
    check_search(approximate, vectors, queries, excluded, left)


@pytest.mark.parametrize("share", EXCLUDED[:-1])
def test_the_nearest_excluded_never_come_back(approximate, blobs, share):
    """What an active-learning loop does: the surroundings of the labels are gone."""
    vectors, queries = blobs
    order = NeighborIndex(vectors, "exact").search(queries[:1], 4000)[0][0]
    excluded = order[: round(share * 4000)]
    left = np.setdiff1d(np.arange(4000), excluded)
    check_search(approximate, vectors, queries, excluded, left)


def check_search(index, vectors, queries, excluded, left):
    k = 10 if index.kind == "ivf_pq" else 30  # for more it does not pay
    neighbors, similarity = index.search(queries, k, exclude=excluded)
    expected, expected_similarity = brute_force(vectors, queries, k, left)
    assert neighbors.shape == similarity.shape == (12, min(k, len(left)))
    assert not np.isin(neighbors, excluded).any()
    if len(left) < 400:  # few live rows: an exact search
        assert np.array_equal(neighbors, expected)
    else:
        found = [
            np.isin(*pair).mean() for pair in zip(expected, neighbors, strict=True)
        ]
        assert np.mean(found) > 0.98
    for row, values in zip(neighbors, similarity, strict=True):
        assert len(set(row)) == len(row)
        ordered = np.lexsort((row, -values))
        assert np.array_equal(ordered, np.arange(len(row)))
    np.testing.assert_allclose(similarity[:, :1], expected_similarity[:, :1], atol=1e-9)


def test_a_search_for_a_large_share_of_the_rows_is_exact(approximate, blobs):
    vectors, queries = blobs
    neighbors, _ = approximate.search(queries, 3000)
    expected, _ = brute_force(vectors, queries, 3000, np.arange(4000))
    assert np.array_equal(neighbors, expected)


def test_the_same_vectors_give_the_same_index(approximate, blobs):
    vectors, queries = blobs
    again = NeighborIndex(vectors, approximate.kind)
    for first, second in zip(
        approximate.search(queries, 50), again.search(queries, 50), strict=True
    ):
        assert np.array_equal(first, second)


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_the_number_of_threads_changes_nothing(approximate, blobs, n_jobs):
    vectors, queries = blobs
    before = threadpool_info()
    index = NeighborIndex(vectors, approximate.kind, n_jobs=n_jobs)
    assert bytes_of(index) == bytes_of(approximate)
    for k in (10, 3000):  # the second is exact
        found = index.search(queries, k)
        for first, second in zip(found, approximate.search(queries, k), strict=True):
            assert np.array_equal(first, second)
    assert threadpool_info() == before


def bytes_of(index):
    import faiss

    return faiss.serialize_index(index._faiss).tobytes()


def test_a_number_of_threads_limits_both_products_and_faiss(blobs, monkeypatch):
    vectors, queries = blobs
    index = NeighborIndex(vectors, "ivf", n_jobs=1)
    used, find = [], NeighborIndex._find

    def watching(self, *args):
        used.extend(pool["num_threads"] for pool in threadpool_info())
        return find(self, *args)

    monkeypatch.setattr(NeighborIndex, "_find", watching)
    index.search(queries, 10)
    assert len(used) > 1
    assert set(used) == {1}


def test_no_threads_at_all_are_refused():
    with pytest.raises(ValueError, match="n_jobs"):
        NeighborIndex(np.eye(3), n_jobs=0)


def test_recall_is_the_share_of_the_neighbours_that_is_found(monkeypatch):
    """Of an index that looks at one list of many."""
    vectors = np.random.RandomState(0).normal(size=(4000, 24)).astype(np.float32)
    monkeypatch.setattr(_faiss_kinds, "_IVF_PROBES", 1)
    index = NeighborIndex(vectors, "ivf")
    share = index.recall(50, 1)
    rows = sample_without_replacement(4000, 50, random_state=draw_seed(0))
    expected, _ = brute_force(vectors, vectors[rows], 2, np.arange(4000))
    found, _ = index.search(vectors[rows], 2)
    assert share == np.mean(found[:, 1] == expected[:, 1])
    assert 0 < share < 1


@pytest.mark.parametrize("kind", ["exact", *APPROXIMATE])
def test_recall_of_what_finds_everything_is_one(kind):
    vectors, _ = awkward_vectors(400, 16, np.random.RandomState(0))
    index = NeighborIndex(vectors, kind)
    assert index.recall() == 1
    assert index.recall(1000, 1000) == 1


def test_recall_draws_by_its_random_state_alone(approximate, monkeypatch):
    drawn, read = [], Directions.read

    def reading(self, rows=slice(None)):
        if isinstance(rows, np.ndarray) and len(rows) == 20:
            drawn.append(sorted(rows.tolist()))
        return read(self, rows)

    monkeypatch.setattr(Directions, "read", reading)
    state = np.random.get_state()[1].tolist()
    for seed in (0, 0, 1, np.random.RandomState(1), None):
        assert 0.9 < approximate.recall(20, 5, random_state=seed) <= 1
    assert drawn[0] == drawn[1] != drawn[2]
    assert np.random.get_state()[1].tolist() == state


@pytest.mark.parametrize("kind", ["exact", *APPROXIMATE])
@pytest.mark.parametrize("n_rows", [0, 1])
def test_an_index_of_hardly_any_rows(kind, n_rows):
    index = NeighborIndex(np.ones((n_rows, 3)), kind)
    assert len(index) == n_rows
    assert index.search(np.ones((2, 3)), 5)[0].shape == (2, n_rows)
    assert index.recall() == 1


@pytest.mark.parametrize("d", [1, 2, 3, 5, 33, 300])
def test_rows_of_any_width_are_quantised(d):
    rng = np.random.RandomState(0)
    vectors = (
        rng.normal(size=(2000, d)) + 3 * rng.normal(size=(20, d))[np.arange(2000) % 20]
    )
    assert NeighborIndex(vectors, "ivf_pq").recall(20, 10) > 0.95


def test_many_rows_of_zeros_hide_no_neighbour():
    """Their distance to a row is less than that of the right neighbours."""
    vectors = np.random.RandomState(0).normal(size=(6000, 64))
    queries = vectors[1::300].copy()
    vectors[::2] = 0
    index = NeighborIndex(vectors, "ivf_pq")
    found, similarity = index.search(queries, 5)
    expected, _ = NeighborIndex(vectors, "exact").search(queries, 5)
    assert (similarity > 0).all()
    assert (found == expected).mean() > 0.8


@pytest.mark.parametrize("kind", APPROXIMATE)
def test_no_neighbour_at_all_may_be_asked_for(blobs, kind):
    assert NeighborIndex(blobs[0][:400], kind).search(blobs[1], 0)[0].shape == (12, 0)


def test_faiss_keeps_its_threads_and_is_not_imported_before_it_is_needed():
    code = (
        "import sys, numpy as np\n"
        "from skal.utils import NeighborIndex\n"
        "NeighborIndex(np.eye(3)).search(np.eye(3), 1)\n"
        "assert 'faiss' not in sys.modules and 'torch' not in sys.modules\n"
        "index = NeighborIndex(np.eye(3), 'hnsw')\n"
        "import faiss\n"
        "faiss.omp_set_num_threads(2)\n"
        "NeighborIndex(np.eye(3), 'hnsw')\n"
        "print(faiss.omp_get_max_threads())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "2"
