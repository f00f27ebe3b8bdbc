# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""k-means that is seeded, quiet and never short of points; picks within clusters."""

import tracemalloc

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs

from skal.functional import k_means, top_per_cluster
from skal.functional._clustering import nearest_center


def inertia(X, centers):
    distances = ((X[:, None] - centers[None]) ** 2).sum(axis=2)
    return distances.min(axis=1).sum()


def test_blobs_are_found():
    X, blob = make_blobs(300, centers=5, cluster_std=0.1, random_state=0)
    clusters, centers = k_means(X, 5, random_state=0)
    assert len(set(zip(clusters.tolist(), blob.tolist(), strict=True))) == 5
    means = [X[clusters == k].mean(axis=0) for k in range(5)]
    np.testing.assert_allclose(centers, means, atol=1e-4)
    assert clusters.dtype == np.int64
    assert centers.dtype == np.float32


def test_every_row_is_in_the_cluster_of_its_nearest_centre():
    X = np.random.RandomState(0).normal(size=(5000, 7)).astype(np.float32)
    clusters, centers = k_means(X, 40, random_state=0)
    distances = ((X[:, None] - centers[None]) ** 2).sum(axis=2)
    own = distances[np.arange(5000), clusters]
    np.testing.assert_allclose(own, distances.min(axis=1), atol=1e-4)


def test_as_tight_as_scikit_learns():
    X = np.random.RandomState(0).normal(size=(5000, 16)).astype(np.float32)
    _, centers = k_means(X, 30, random_state=0)
    theirs = KMeans(30, random_state=0).fit(X)
    # Theirs runs until nothing moves: ten times as long here, without any structure.
    assert inertia(X, centers) < 1.01 * theirs.inertia_


def test_more_iterations_are_tighter():
    X = np.random.RandomState(0).normal(size=(3000, 8)).astype(np.float32)
    one, many = (k_means(X, 20, max_iter=m, random_state=0)[1] for m in (1, 25))
    assert inertia(X, many) < 0.98 * inertia(X, one)


def test_the_seed_decides_and_the_global_generator_is_left_alone():
    X = np.random.RandomState(0).normal(size=(10_000, 5))
    before = np.random.get_state()[1].tolist()
    first, again, other = (k_means(X, 10, random_state=s)[1] for s in (0, 0, 1))
    assert np.random.get_state()[1].tolist() == before
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_silent_where_there_are_few_points(capfd):
    X = np.random.RandomState(0).normal(size=(50, 3))
    clusters, centers = k_means(X, 40, random_state=0)
    assert len(centers) == len(np.unique(clusters)) == 40
    assert capfd.readouterr() == ("", "")


POINTS = np.array([[0.0, 1.0], [2.0, 0.0], [5.0, 5.0]])


@pytest.mark.parametrize("repeats", [1, 2, 50])
@pytest.mark.parametrize("n_clusters", [3, 4, 1000])
def test_no_more_clusters_than_distinct_rows(repeats, n_clusters):
    X = np.repeat(POINTS, repeats, axis=0)
    clusters, centers = k_means(X, n_clusters, random_state=0)
    assert np.array_equal(centers[clusters], X)
    assert len(centers) == 3


@pytest.mark.parametrize("n_clusters", [1, 2, 7])
def test_rows_without_variance_are_one_cluster(n_clusters):
    clusters, centers = k_means(np.full((20, 3), 7.0), n_clusters, random_state=0)
    assert clusters.tolist() == [0] * 20
    np.testing.assert_allclose(centers, [[7, 7, 7]])


def test_one_row():
    clusters, centers = k_means([[1.0, 2.0]], 5)
    assert clusters.tolist() == [0]
    assert centers.tolist() == [[1, 2]]


@pytest.mark.parametrize("scale", [1e-30, 1e-10, 1e10, 1e30])
def test_any_length_of_vectors(scale):
    X, blob = make_blobs(60, centers=3, cluster_std=0.1, random_state=0)
    clusters, centers = k_means(X * scale, 3, random_state=0)
    assert len(set(zip(clusters.tolist(), blob.tolist(), strict=True))) == 3
    np.testing.assert_allclose(centers[clusters] / scale, X, atol=0.5)


def test_ties_go_to_the_lower_cluster():
    centers = np.array([[1, 0], [-1, 0], [0, 1]], dtype=np.float32)
    rows = np.array([[0, 0], [-1, 1], [0, -5]], dtype=np.float32)
    assert nearest_center(rows, centers).tolist() == [0, 1, 0]
    assert nearest_center(rows, centers[::-1]).tolist() == [0, 0, 1]


def test_memory_does_not_grow_with_rows_times_clusters():
    X = np.random.RandomState(0).normal(size=(200_000, 4)).astype(np.float32)
    k_means(X[:100], 2)  # imports
    tracemalloc.start()
    try:
        k_means(X, 100, max_iter=2, random_state=0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200_000 * 100 * 4 / 4


@pytest.mark.parametrize(
    ("X", "n_clusters", "match"),
    [
        ([[1.0, np.nan]], 1, "finite"),
        (np.empty((0, 3)), 1, "no rows"),
        ([[1.0]], 0, "n_clusters must be at least 1"),
    ],
)
def test_what_cannot_be_clustered_is_refused(X, n_clusters, match):
    with pytest.raises(ValueError, match=match):
        k_means(X, n_clusters)


def by_hand(scores, clusters, budget):
    picked = []
    for k, size in enumerate(budget):
        rows = [i for i in range(len(scores)) if clusters[i] == k]
        rows = [i for i in rows if scores[i] > -np.inf]
        picked += sorted(rows, key=lambda i: -scores[i])[:size]
    return picked


@pytest.mark.parametrize("seed", range(10))
def test_top_per_cluster_is_a_sort_in_each(seed):
    rng = np.random.RandomState(seed)
    scores = rng.randint(5, size=200).astype(float)
    scores[scores == 0] = -np.inf
    clusters = rng.randint(12, size=200)
    budget = rng.randint(30, size=14)
    rows = top_per_cluster(scores, clusters, budget)
    assert rows.dtype == np.int64
    assert rows.tolist() == by_hand(scores, clusters, budget)


def test_top_per_cluster_of_nothing():
    assert top_per_cluster([], [], [1, 2]).tolist() == []
    assert top_per_cluster([0.5, -np.inf], [0, 0], [0]).tolist() == []


@pytest.mark.parametrize(
    ("scores", "clusters", "match"),
    [
        ([0.1, np.nan], [0, 0], "Row 1 is NaN"),
        ([0.1, 0.2], [0, 3], "from 0 to 2"),
        ([0.1, 0.2], [0, -1], "from 0 to 2"),
        ([0.1, 0.2], [0.0, 1.0], "dtype float64"),
        ([0.1, 0.2], [0], "shape"),
    ],
)
def test_top_per_cluster_refuses(scores, clusters, match):
    with pytest.raises(ValueError, match=match):
        top_per_cluster(scores, clusters, [1, 1, 1])


def test_weights_draw_the_centres():
    X = np.array([[0.0], [1.0], [10.0], [11.0]])
    _, centers = k_means(X, 2, sample_weight=[3, 1, 1, 3], random_state=0)
    np.testing.assert_allclose(np.sort(centers[:, 0]), [0.25, 10.75])


def test_weights_count_as_copies_do():
    rng = np.random.RandomState(0)
    X, weight = rng.normal(size=(2000, 6)).astype(np.float32), rng.randint(4, size=2000)
    _, centers = k_means(X, 12, sample_weight=weight, random_state=0)
    _, of_copies = k_means(np.repeat(X, weight, axis=0), 12, random_state=0)
    weighted = [
        (weight * ((X[:, None] - c) ** 2).sum(axis=2).min(axis=1)).sum()
        for c in (centers, of_copies)
    ]
    assert weighted[0] == pytest.approx(weighted[1], rel=0.02)
    _, without = k_means(X, 12, random_state=0)
    rest = (weight * ((X[:, None] - without) ** 2).sum(axis=2).min(axis=1)).sum()
    assert weighted[0] < rest


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_the_unit_of_the_weights_does_not_matter(scale):
    X = np.random.RandomState(0).normal(size=(300, 3))
    weight = np.arange(300.0)
    _, centers = k_means(X, 5, sample_weight=weight, random_state=0)
    _, scaled = k_means(X, 5, sample_weight=weight * scale, random_state=0)
    np.testing.assert_allclose(scaled, centers, atol=1e-6)


def test_weights_that_are_all_zero_count_alike():
    X = np.random.RandomState(0).normal(size=(300, 3))
    _, centers = k_means(X, 5, sample_weight=np.zeros(300), random_state=0)
    assert np.array_equal(centers, k_means(X, 5, random_state=0)[1])


def test_rows_without_weight_are_in_a_cluster_all_the_same():
    X = np.array([[0.0], [0.1], [9.0], [50.0]])
    clusters, centers = k_means(X, 3, sample_weight=[1, 1, 1, 0], random_state=0)
    assert len(clusters) == 4
    assert clusters[3] == clusters[2]
    np.testing.assert_allclose(np.sort(centers[:, 0]), [0, 0.1, 9], atol=1e-6)


@pytest.mark.parametrize("weight", [[1.0], [1.0, -1.0], [1.0, np.nan], [[1.0, 1.0]]])
def test_weights_that_cannot_be_used_are_refused(weight):
    with pytest.raises(ValueError, match="sample_weight must hold"):
        k_means([[0.0], [1.0]], 1, sample_weight=weight)
