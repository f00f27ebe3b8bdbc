# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Rows that cover the pool: far apart, near to centres, or similar to the rest."""

import numpy as np
from sklearn.utils import gen_batches

from skal.functional._clustering import in_range
from skal.functional._distances import PRODUCTS_AT_ONCE, Centers, Points
from skal.functional._ranking import top_rows
from skal.utils._arrays import check_picks, check_vectors
from skal.utils._nearest import Directions

# To look at this many rows one by one, and one more per so many there are, costs about
# as much as to look at all of them at once.
_LEAST_CHECKS, _ROWS_PER_CHECK = 32, 256
# Rows checked at once, at most: they double as long as none of them is the farthest.
_MAX_AT_ONCE = 1024
# Gains in similarity that are closer tie: two rows that are similar to none but each
# other, say, differ by rounding only.
_TIE = 1e-6
# A row that is more similar by less than that is not: products in single precision.
_ROUNDING = 1e-6


def k_center_greedy(embedding, labeled_embedding, n_queries):
    r"""Pick the row farthest from all labelled and picked rows, again and again.

    .. math:: x = \operatorname{argmax}_{i} \min_{j \in L \cup Q} \|h_i - h_j\|_2

    Parameters
    ----------
    embedding : array-like of shape (n, d)
        Vectors of the pool; taken as they are, not normalised.
    labeled_embedding : array-like of shape (n_labeled, d)
        Vectors of the labelled rows; may be empty, and the first row is picked first
        then.
    n_queries : int
        Clamped to n.

    Returns
    -------
    rows : ndarray of shape (min(n_queries, n),), dtype int64
        In the order picked; no duplicates.

    Raises
    ------
    TypeError
        If vectors are sparse or not numeric.
    ValueError
        If vectors are not finite, or differ in their number of dimensions.

    Notes
    -----
    The picks are those of the plain loop in double precision, ties by lower row. A
    row's distance of a while ago can only be too large, so that it is worked out anew
    only when it is the largest; those of all rows are brought up to date, with one
    matrix product, when that has been done for n / 256 rows. So there is one pass over
    the pool for the labelled rows and there are few for the picks: at most
    O(n d (n_labeled + n_queries)) time; O(n + (n_labeled + n_queries) d) memory beside
    the vectors.

    Once every row left equals a labelled or picked one the rest of the batch is the
    lowest rows; the authors' code returns its first row again and again there.

    References
    ----------
    O. Sener, S. Savarese. Active learning for convolutional neural networks: a core-set
    approach. ICLR 2018, Algorithm 1. https://arxiv.org/abs/1708.00489

    Examples
    --------
    >>> from skal.functional import k_center_greedy
    >>> k_center_greedy([[0.0], [1.0], [4.0], [9.0]], [[0.0]], 2).tolist()
    [3, 2]
    """
    X = check_vectors(embedding, "embedding")
    labeled = _check_centers(labeled_embedding, X, "labeled_embedding")
    n_queries = min(n_queries, len(X))
    if n_queries == 0:
        return np.empty(0, dtype=np.int64)
    cover = _Cover(*in_range(X, labeled)[:2], room=n_queries)
    return np.array([cover.take() for _ in range(n_queries)], dtype=np.int64)


class _Cover:
    """Upper bounds on the distance of each row to its nearest centre.

    A row's bound is exact if `settled` is the number of centres there are; minus
    infinity for a row that was taken.
    """

    def __init__(self, X, centers, room):
        self.points = Points(X)
        self.centers = Centers(self.points, centers, room)
        self.upper = np.full(len(X), np.inf)
        self.settled = np.zeros(len(X), dtype=np.int64)
        self.n_fresh = self.n_checks = 0
        if len(centers):
            self._refresh()

    def take(self):
        """Make the row farthest from all centres a centre itself."""
        row = self._farthest()
        self.upper[row] = -np.inf
        self.centers.add(self.points.vectors[[row]])
        return row

    def _farthest(self):
        at_once = 1
        while True:
            row = int(self.upper.argmax())
            if self.upper[row] == 0 or self.settled[row] == len(self.centers):
                return row
            if self._is_stale():
                self._refresh()
            else:
                self._settle(at_once)
                at_once = min(2 * at_once, _MAX_AT_ONCE)

    def _is_stale(self):
        limit = _LEAST_CHECKS + len(self.points) // _ROWS_PER_CHECK
        has_new = len(self.centers) > self.n_fresh
        return has_new and (self.n_fresh == 0 or self.n_checks >= limit)

    def _refresh(self):
        """Lower the bounds of all rows by the centres that are new."""
        width = len(self.centers) - self.n_fresh
        for rows in self.points.blocks(width):
            squared = self.centers.rough(rows, self.n_fresh).min(axis=0)
            squared += self.points.sizes[rows]
            bound = np.maximum(squared + self.centers.slack(rows), 0)
            self.settled[rows][bound < self.upper[rows]] = 0
            np.minimum(self.upper[rows], bound, out=self.upper[rows])
        self.n_fresh, self.n_checks = len(self.centers), 0

    def _settle(self, size):
        """Make the largest bounds exact."""
        size = min(size, len(self.points))
        if size == 1:
            rows = self.upper.argmax(keepdims=True)
        else:
            cut = len(self.points) - size
            rows = np.argpartition(self.upper, cut)[cut:]
            is_open = self.settled[rows] < len(self.centers)
            rows = rows[is_open & (self.upper[rows] > 0)]
        self.upper[rows] = self.centers.nearest(rows)
        self.settled[rows] = len(self.centers)
        self.n_checks += len(rows)


def nearest_to_centers(embedding, centers):
    """The row nearest to each centre, centre by centre, none twice.

    Parameters
    ----------
    embedding : array-like of shape (n, d)
        Vectors of the pool.
    centers : array-like of shape (K, d)
        No more than rows. A row that is nearest to several goes to the first of them;
        the others then get, in order, the nearest row that is left.

    Returns
    -------
    rows : ndarray of shape (K,), dtype int64
        No duplicates; ties by lower row.

    Raises
    ------
    TypeError
        If vectors are sparse or not numeric.
    ValueError
        If vectors are not finite or differ in their number of dimensions, or there are
        more centres than rows.

    Notes
    -----
    O(n K d) time, and O(n d) more for each centre whose nearest row is taken; O(n)
    memory beside the vectors. Distances are Euclidean, and compared in double precision
    where single precision cannot tell them apart.

    Where a row is nearest to two centres ALPS's code draws another at random, with
    replacement, and stops if that gives a row twice.

    References
    ----------
    F. Zhdanov. Diverse mini-batch active learning. 2019, Algorithm 1.
    https://arxiv.org/abs/1901.05954

    Examples
    --------
    >>> from skal.functional import nearest_to_centers
    >>> nearest_to_centers([[0.0], [1.0], [5.0]], [[4.0], [5.1], [0.4]]).tolist()
    [2, 1, 0]
    """
    X = check_vectors(embedding, "embedding")
    centers = _check_centers(centers, X, "centers")
    if len(centers) > len(X):
        raise ValueError(
            "There must be no more centers than rows, as none is returned twice. Got "
            f"{len(centers)} centers and {len(X)} rows."
        )
    if len(centers) == 0:
        return np.empty(0, dtype=np.int64)
    X, centers, _ = in_range(X, centers)
    points = Points(X)
    free = np.ones(len(X), dtype=bool)
    rows = _nearest_rows(points, centers, free)
    free[rows] = False
    _, first = np.unique(rows, return_index=True)
    for k in np.setdiff1d(np.arange(len(centers)), first):
        rows[k] = _nearest_rows(points, centers[[k]], free)[0]
        free[rows[k]] = False
    return rows


def _nearest_rows(points, centers, free):
    """The nearest free row of each centre; several centres may have the same."""
    centers = Centers(points, centers)
    bar = np.full((len(centers), 1), np.inf)
    found = []
    for rows in points.blocks(len(centers)):
        rough, slack = centers.rough(rows) + points.sizes[rows], centers.slack(rows)
        rough[:, ~free[rows]] = np.inf
        np.minimum(bar, (rough + slack).min(axis=1, keepdims=True), out=bar)
        center, row = np.nonzero(rough <= bar + slack)
        found.append((center, row + rows.start))
    center, row = np.concatenate(found, axis=1)
    row, center = row[free[row]], center[free[row]]
    order = np.lexsort((row, centers.exact(center, row), center))
    _, first = np.unique(center[order], return_index=True)
    return row[order[first]]


def facility_location(embedding, candidates, n_queries):
    r"""Pick the candidates that are together most similar to all rows.

    .. math:: F(S) = \sum_{j=1}^n \max_{i \in S} \cos(h_i, h_j)

    Each pick is the candidate that raises F most.

    Parameters
    ----------
    embedding : array-like of shape (n, d)
        Vectors of the pool, compared by cosine; one of zeros is similar to nothing.
    candidates : array-like of shape (K,), dtype int
        The rows that may be picked, distinct.
    n_queries : int
        Clamped to K.

    Returns
    -------
    rows : ndarray of shape (min(n_queries, K),), dtype int64
        In the order picked. Candidates whose gains differ by less than a millionth tie;
        the earliest of them is picked.

    Raises
    ------
    TypeError
        If `embedding` is sparse or not numeric.
    ValueError
        If vectors are not finite, or candidates are not distinct rows.

    Notes
    -----
    The greedy picks, lazily: what a candidate adds can only fall from pick to pick, so
    that it is worked out anew only when it is the largest. That holds from the first
    pick on, as if all rows had a similarity of -1 before. O(K n d) time for the
    similarities, in single precision, held in 4 K n bytes as long as K <= d and worked
    out again otherwise; then O(n) per candidate looked at.

    References
    ----------
    L. Yang, Y. Zhang, J. Chen, S. Zhang, D. Z. Chen. Suggestive annotation: a deep
    active learning framework for biomedical image segmentation. MICCAI 2017, Section
    2.3. :doi:`10.1007/978-3-319-66179-7_46`

    Examples
    --------
    >>> from skal.functional import facility_location
    >>> X = [[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [1.0, 0.2]]
    >>> facility_location(X, [0, 1, 2], 2).tolist()
    [1, 2]
    """
    X = check_vectors(embedding, "embedding")
    n_queries = min(n_queries, np.size(candidates))
    if n_queries == 0:
        return np.empty(0, dtype=np.int64)
    candidates = check_picks(candidates, len(X), 1, "candidates", exactly=False)
    similarity = _Similarity(Directions.of(X), candidates)
    gain = similarity.gain(np.arange(len(candidates)))
    known = np.zeros(len(candidates), dtype=np.int64)
    picked, at_once = [], 1
    while len(picked) < n_queries:
        best = gain.max()
        tied = np.flatnonzero(gain >= best - _TIE * (1 + best))
        if (known[tied] == len(picked)).all():
            similarity.cover(tied[0])
            gain[tied[0]] = -np.inf
            picked.append(tied[0])
            at_once = 1
        else:
            old = np.flatnonzero((known < len(picked)) & (gain > -np.inf))
            old = old[top_rows(gain[old], at_once)]
            gain[old], known[old] = similarity.gain(old), len(picked)
            at_once *= 2
    return candidates[picked]


class _Similarity:
    """Cosine similarities of candidates to all rows; equal for equal candidates.

    `covered` is that of each row to the most similar candidate there is so far.
    """

    def __init__(self, points, candidates):
        self.points = points
        distinct, self.number = np.unique(
            points.read(candidates), axis=0, return_inverse=True
        )
        self.number = self.number.ravel()
        self.queries = Directions.of(distinct).unit
        self.covered = np.full(len(points), -1, dtype=np.float32)
        self.table = None
        if len(distinct) <= points.vectors.shape[1]:
            self.table = np.empty((len(distinct), len(points)), dtype=np.float32)
            every = np.arange(len(distinct))
            for rows in self._blocks(len(distinct)):
                self.table[:, rows] = self._products(every, rows)

    def cover(self, candidate):
        """Take in one candidate."""
        for rows in self._blocks(1):
            similarity = self._of([self.number[candidate]], rows)[0]
            np.maximum(self.covered[rows], similarity, out=self.covered[rows])

    def gain(self, candidates):
        """How much more similar to each of these the rows are than covered, in all."""
        numbers, inverse = np.unique(self.number[candidates], return_inverse=True)
        gain = np.zeros(len(numbers))
        for rows in self._blocks(len(numbers)):
            more = self._of(numbers, rows) - self.covered[rows]
            more[more < _ROUNDING] = 0
            gain += more.sum(axis=1, dtype=np.float64)
        return gain[inverse.ravel()]

    def _of(self, numbers, rows):
        if self.table is None:
            return self._products(numbers, rows)
        return self.table[numbers, rows]

    def _products(self, numbers, rows):
        products = self.queries[numbers] @ self.points.read(rows).T
        products *= self.points.inverse[rows]
        return products

    def _blocks(self, width):
        return gen_batches(len(self.points), max(64, PRODUCTS_AT_ONCE // width))


def _check_centers(centers, X, name):
    """Vectors with as many dimensions as the pool's; none at all are right too."""
    if np.size(centers) == 0:
        return np.empty((0, X.shape[1]), dtype=np.float32)
    centers = check_vectors(centers, name)
    if centers.shape[1] != X.shape[1]:
        raise ValueError(
            f"{name} must have as many dimensions as embedding. Got "
            f"{centers.shape[1]} and {X.shape[1]}."
        )
    return centers
