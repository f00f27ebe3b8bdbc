# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Clusters of rows, and picks within each cluster."""

import warnings

import numpy as np
from sklearn.cluster import kmeans_plusplus
from sklearn.utils import check_random_state

from skal.utils._arrays import check_vectors

_BLOCK = 16384
# Rows the seeds are drawn from: this many, and this many per cluster if that is more.
_LEAST_SAMPLE, _SAMPLE_PER_CLUSTER = 4096, 16
# Squares of larger numbers, or of smaller ones, leave single precision.
_LARGE = 1e15


def k_means(
    embedding, n_clusters, *, sample_weight=None, max_iter=25, random_state=None
):
    """Cluster rows by k-means, Euclidean, seeded by k-means++.

    Parameters
    ----------
    embedding : array-like of shape (n, d)
        Vectors; taken as they are, not normalised.
    n_clusters : int
        Most clusters to make. Rows with fewer distinct vectors give fewer.
    sample_weight : array-like of shape (n,), default=None
        How much each row counts, 0 or more. None, or weights that are all zero: all
        alike. Rows that do not count are still put into a cluster.
    max_iter : int, default=25
        Lloyd iterations.
    random_state : int, RandomState instance or None, default=None
        Where the draws of the seeds come from.

    Returns
    -------
    clusters : ndarray of shape (n,), dtype int64
        The nearest centre of each row, ties by lower number.
    centers : ndarray of shape (K, d), dtype float32
        K <= min(n_clusters, n); no cluster is empty.

    Raises
    ------
    ValueError
        If the vectors are not finite, there is none, `n_clusters` is below 1, or a
        weight is negative or not finite.

    Notes
    -----
    The seeds are drawn by scikit-learn's greedy k-means++ from a uniform sample of
    max(4096, 16 K) rows; faiss runs the Lloyd iterations on all rows, without its own
    subsampling. O(n K d) time per iteration, which is nearly all of it; O(K d + 16384
    K) memory beside the vectors.

    References
    ----------
    D. Arthur, S. Vassilvitskii. k-means++: the advantages of careful seeding. SODA
    2007.

    M. Douze et al. The Faiss library. 2024. :doi:`10.48550/arXiv.2401.08281`

    Examples
    --------
    >>> from skal.functional import k_means
    >>> clusters, centers = k_means([[0, 0], [0, 1], [9, 9]], 2, random_state=0)
    >>> clusters.tolist(), centers.tolist()
    ([0, 0, 1], [[0.0, 0.5], [9.0, 9.0]])
    """
    if n_clusters < 1:
        raise ValueError(f"n_clusters must be at least 1. Got {n_clusters}.")
    X, scale = in_range(check_vectors(embedding, "embedding"))
    weight = _check_weight(sample_weight, len(X))
    seeds = _seeds(X, n_clusters, weight, check_random_state(random_state))
    centers = _lloyd(X, seeds, weight, max_iter)
    clusters = nearest_center(X, centers)
    used = np.bincount(clusters, minlength=len(centers)) > 0
    return (np.cumsum(used) - 1)[clusters], centers[used] * scale


def _check_weight(sample_weight, n_rows):
    """Weights of which the largest is 1, in single precision; None if all are alike."""
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n_rows,) or not (np.isfinite(weight) & (weight >= 0)).all():
        raise ValueError(
            "sample_weight must hold one finite number per row, 0 or more, shape "
            f"({n_rows},). Got shape {weight.shape}: {weight[:5]}..."
        )
    largest = weight.max()
    return (weight / largest).astype(np.float32) if largest > 0 else None


def in_range(*arrays):
    """Arrays whose squares fit into single precision, and what they were divided by.

    That is a power of two, so that nothing is rounded.
    """
    if not len(arrays[0]):
        raise ValueError("There are no rows to cluster. Pass at least one.")
    longest = max(max(X.max(), -X.min()) for X in arrays if X.size)
    if longest == 0 or 1 / _LARGE < longest < _LARGE:
        return *arrays, np.float32(1)
    scale = np.ldexp(np.float32(1), np.frexp(longest)[1] - 1)
    return *(X / scale for X in arrays), scale


def nearest_center(X, centers):
    """The number of the nearest centre of each row, ties by lower number."""
    half_norms = np.einsum("ij,ij->i", centers, centers) / 2
    clusters = np.empty(len(X), dtype=np.int64)
    for start in range(0, len(X), _BLOCK):
        block = slice(start, start + _BLOCK)
        clusters[block] = (half_norms - X[block] @ centers.T).argmin(axis=1)
    return clusters


def _seeds(X, n_clusters, weight, rng):
    """Distinct rows to start from; fewer than `n_clusters` if the sample has fewer."""
    size = max(_LEAST_SAMPLE, _SAMPLE_PER_CLUSTER * n_clusters)
    rows = np.arange(len(X)) if weight is None else np.flatnonzero(weight)
    if size < len(rows):
        rows = np.sort(rng.choice(rows, size, replace=False))
    # In double precision: the seeding converts single precision anew for every draw.
    _, drawn = kmeans_plusplus(
        X[rows].astype(np.float64),
        min(n_clusters, len(rows)),
        sample_weight=None if weight is None else weight[rows],
        random_state=rng,
    )
    return np.unique(X[rows[drawn]], axis=0)


def _lloyd(X, centers, weight, max_iter):
    with warnings.catch_warnings():
        # faiss 1.9 reads a private module of numpy.
        warnings.simplefilter("ignore", DeprecationWarning)
        import faiss

    # Every row takes part, and there are never too few for faiss's liking.
    every_row = {"min_points_per_centroid": 1, "max_points_per_centroid": len(X)}
    run = faiss.Kmeans(X.shape[1], len(centers), niter=max_iter, **every_row)
    run.train(X, weights=weight, init_centroids=centers)
    return run.centroids


def top_per_cluster(scores, clusters, budget):
    """The best rows of each cluster, as many as its budget allows.

    Parameters
    ----------
    scores : array-like of shape (n,)
        Larger means pick first; minus infinity means never.
    clusters : array-like of shape (n,), dtype int
        Cluster of each row, from 0.
    budget : array-like of shape (K,), dtype int
        Most rows to pick in each cluster.

    Returns
    -------
    rows : ndarray of shape (m,), dtype int64
        Cluster by cluster, largest score first, ties by lower row.

    Raises
    ------
    ValueError
        If scores and clusters differ in shape, a score is NaN or a cluster has no
        budget.

    Notes
    -----
    O(n + m log m) time, where m is the number of rows that may be picked.

    Examples
    --------
    >>> from skal.functional import top_per_cluster
    >>> top_per_cluster([0.1, 0.9, 0.5, 0.7], [0, 0, 1, 1], [2, 1]).tolist()
    [1, 0, 3]
    """
    scores = np.asarray(scores, dtype=np.float64)
    budget = np.asarray(budget, dtype=np.int64)
    clusters = check_clusters(clusters, len(scores), len(budget))
    if np.isnan(scores).any():
        raise ValueError(
            f"scores must be numbers. Row {int(np.argmax(np.isnan(scores)))} is NaN."
        )
    rows = np.flatnonzero((scores > -np.inf) & (budget[clusters] > 0))
    rows = rows[np.lexsort((-scores[rows], clusters[rows]))]
    sizes = np.bincount(clusters[rows], minlength=len(budget))
    rank = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return rows[rank < np.repeat(budget, sizes)]


def check_clusters(clusters, n_rows, n_clusters):
    """Cluster numbers as an int64 array of shape (n_rows,), all below `n_clusters`."""
    clusters = np.asarray(clusters)
    right = clusters.shape == (n_rows,) and (clusters.dtype.kind in "iu" or not n_rows)
    if right and n_rows:
        right = clusters.min() >= 0 and clusters.max() < n_clusters
    if not right:
        raise ValueError(
            f"clusters must hold one integer from 0 to {n_clusters - 1} per row, shape "
            f"({n_rows},). Got dtype {clusters.dtype} and shape {clusters.shape}: "
            f"{clusters[:5]}..."
        )
    return clusters.astype(np.int64, copy=False)
