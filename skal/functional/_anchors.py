# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""AnchorAL: anchors out of the labelled set, a subpool out of their neighbours."""

import numpy as np
from sklearn.cluster import kmeans_plusplus
from sklearn.preprocessing import normalize
from sklearn.utils import check_random_state

from skal.functional._ranking import top_rows
from skal.utils._arrays import check_vectors


def spread_anchors(embedding, n_anchors, random_state=None):
    """Choose rows that are far from one another, by k-means++ seeding.

    Parameters
    ----------
    embedding : array-like of shape (n, d)
        Vectors of the rows of one class; normalised to unit length here.
    n_anchors : int
        How many to choose.
    random_state : int, RandomState instance or None, default=None
        Where the draws come from.

    Returns
    -------
    rows : ndarray of shape (m,), dtype int64
        In the order drawn. All n rows if n <= n_anchors; fewer than `n_anchors` where
        equal vectors were drawn twice.

    Notes
    -----
    scikit-learn's greedy k-means++ with 2 + log(n_anchors) trials per draw, as the
    authors' code uses. O(n d n_anchors log n_anchors) time.

    References
    ----------
    P. Lesci, A. Vlachos. AnchorAL: Computationally efficient active learning for large
    and imbalanced datasets. NAACL 2024, Algorithm 1, lines 3 to 6.

    Examples
    --------
    >>> from skal.functional import spread_anchors
    >>> rows = spread_anchors([[1, 0], [1, 0.01], [0, 1]], 2, random_state=0)
    >>> sorted(rows.tolist()) in ([0, 2], [1, 2])
    True
    """
    embedding = check_vectors(embedding, "embedding")
    if len(embedding) <= n_anchors:
        return np.arange(len(embedding), dtype=np.int64)
    # The seeding is fed with single-precision unit vectors, as the authors' code is.
    _, rows = kmeans_plusplus(
        normalize(embedding), n_anchors, random_state=check_random_state(random_state)
    )
    _, first = np.unique(rows, return_index=True)
    return rows[np.sort(first)].astype(np.int64)


def anchor_subpool(neighbors, similarity, max_subpool):
    """The union of the anchors' neighbours, cut to the most similar.

    A row's score is its mean similarity to the anchors *that retrieved it*: a row near
    one anchor outranks a row fairly near to many.

    Parameters
    ----------
    neighbors : array-like of shape (n_anchors, K), dtype int
        Pool rows retrieved by each anchor.
    similarity : array-like of shape (n_anchors, K)
        Their similarities.
    max_subpool : int
        Most rows to keep (the paper's M).

    Returns
    -------
    rows : ndarray of shape (m,), dtype int64
        Sorted pool rows, m <= max_subpool.
    scores : ndarray of shape (m,), dtype float64
        Score of each.

    Notes
    -----
    O(n_anchors K log(n_anchors K)) time. Ties at the cut go to the lower row; the
    authors' code leaves them to an unstable sort.

    References
    ----------
    P. Lesci, A. Vlachos. AnchorAL: Computationally efficient active learning for large
    and imbalanced datasets. NAACL 2024, Algorithm 1, lines 7 to 9.

    Examples
    --------
    >>> from skal.functional import anchor_subpool
    >>> rows, scores = anchor_subpool([[4, 2], [4, 7]], [[0.9, 0.8], [0.5, 0.4]], 2)
    >>> rows.tolist(), scores.round(1).tolist()
    ([2, 4], [0.8, 0.7])
    """
    neighbors = np.asarray(neighbors, dtype=np.int64)
    similarity = np.asarray(similarity, dtype=np.float64)
    if neighbors.shape != similarity.shape:
        raise ValueError(
            "neighbors and similarity must have one shape. Got "
            f"{neighbors.shape} and {similarity.shape}."
        )
    rows, hit = np.unique(neighbors, return_inverse=True)
    hit = hit.ravel()
    scores = np.bincount(hit, weights=similarity.ravel()) / np.bincount(hit)
    kept = np.sort(top_rows(scores, max_subpool))
    return rows[kept], scores[kept]
