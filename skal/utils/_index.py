# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Nearest neighbours by cosine similarity, exact."""

import numpy as np

from skal.utils._arrays import check_vectors

# Single-precision products of unit vectors are off by less than this; every row within
# it of the k-th best is compared again in double precision.
_SLACK = 1e-5
_PAIRS_AT_ONCE = 8192
_LONGEST = 1e15


class ExactIndex:
    """Exact cosine nearest neighbours among the rows of a dense matrix.

    One blocked matrix product per search finds the candidates; those near the cut are
    compared again in double precision, so that equal rows tie exactly and ties go to
    the lower row, whatever the blocks.

    Parameters
    ----------
    vectors : array-like of shape (n, d)
        Finite numbers. A C-contiguous float32 array is used as it is, without a copy. A
        row of zeros has similarity 0 to everything.
    block_size : int, default=16384
        Rows per matrix product.

    Notes
    -----
    Building costs O(n d) time and O(n) memory beside the vectors. Searching q queries
    costs O(q n d) time and O(q `block_size`) memory.
    """

    def __init__(self, vectors, *, block_size=16384):
        vectors = check_vectors(vectors, "The indexed vectors")
        self.vectors, self.norms = _in_range(vectors, _norms(vectors))
        self.block_size = block_size

    def __len__(self):
        return len(self.vectors)

    def search(self, queries, k, rows=None):
        """The k most similar rows for each query.

        Parameters
        ----------
        queries : array-like of shape (q, d)
        k : int
            Clamped to the number of rows searched.
        rows : ndarray of shape (m,), dtype int64, sorted, default=None
            Search only among these rows; None means all.

        Returns
        -------
        neighbors : ndarray of shape (q, min(k, m)), dtype int64
            Rows of the index, most similar first, ties by lower row.
        similarity : ndarray of shape (q, min(k, m)), dtype float64
        """
        queries = check_vectors(queries, "The query vectors")
        if queries.shape[1] != self.vectors.shape[1]:
            raise ValueError(
                f"The query vectors have {queries.shape[1]} dimensions, the indexed "
                f"ones {self.vectors.shape[1]}; both must come from one encoder."
            )
        n_rows = len(self) if rows is None else len(rows)
        k = min(k, n_rows)
        best = _Best(queries, k, self)
        for start in range(0, n_rows, self.block_size):
            stop = min(start + self.block_size, n_rows)
            best.update(slice(start, stop) if rows is None else rows[start:stop])
        return best.neighbors, best.similarity


class _Best:
    """The k best rows so far, per query."""

    def __init__(self, queries, k, index):
        self.queries, self.query_norms = _in_range(queries, _norms(queries))
        self.k, self.index = k, index
        self.unit_queries = self.queries * _inverse(self.query_norms)[:, None]
        self.neighbors = np.empty((len(queries), 0), dtype=np.int64)
        self.similarity = np.empty((len(queries), 0))

    def update(self, block):
        """Take in the rows of one block (a slice, or sorted positions)."""
        vectors = self.index.vectors[block]
        rough = self.unit_queries @ vectors.T
        rough *= _inverse(self.index.norms[block])
        query, column = np.nonzero(rough >= self._floor(rough)[:, None])
        if isinstance(block, slice):
            row = column + block.start
        else:
            row = np.asarray(block)[column]
        self._merge(query, row, self._exact(query, row))

    def _floor(self, rough):
        """Per query, the rough similarity below which no row is among the k best."""
        n_columns = rough.shape[1]
        if n_columns > self.k:
            cut = n_columns - self.k
            floor = np.partition(rough, cut, axis=1)[:, cut]
        else:
            floor = np.full(len(rough), -np.inf, dtype=rough.dtype)
        if self.similarity.shape[1] == self.k:
            floor = np.maximum(floor, self.similarity[:, -1])
        return floor - _SLACK

    def _exact(self, query, row):
        similarity = np.empty(len(query))
        for start in range(0, len(query), _PAIRS_AT_ONCE):
            part = slice(start, start + _PAIRS_AT_ONCE)
            similarity[part] = np.einsum(
                "ij,ij->i",
                self.queries[query[part]].astype(np.float64),
                self.index.vectors[row[part]].astype(np.float64),
            )
        norms = self.query_norms[query] * self.index.norms[row]
        return np.divide(similarity, norms, out=np.zeros(len(query)), where=norms > 0)

    def _merge(self, query, row, similarity):
        n_queries, width = self.neighbors.shape
        query = np.concatenate([np.repeat(np.arange(n_queries), width), query])
        row = np.concatenate([self.neighbors.ravel(), row])
        similarity = np.concatenate([self.similarity.ravel(), similarity])
        order = np.lexsort((row, -similarity, query))
        counts = np.bincount(query, minlength=n_queries)
        first = np.cumsum(counts) - counts
        picked = order[first[:, None] + np.arange(min(self.k, counts.min()))]
        self.neighbors, self.similarity = row[picked], similarity[picked]


def _norms(vectors):
    return np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))


def _in_range(vectors, norms):
    """Vectors and norms; unit vectors where single precision could not hold 1/norm."""
    if not norms.size or (norms.max() < _LONGEST and _shortest(norms) > 1 / _LONGEST):
        return vectors, norms
    lengths = np.where(norms > 0, norms, 1)[:, None]
    return (vectors / lengths).astype(np.float32), np.where(norms > 0, 1.0, 0.0)


def _shortest(norms):
    return norms[norms > 0].min(initial=np.inf)


def _inverse(norms):
    """1 / norm in single precision, 0 for a row of zeros."""
    inverse = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    return inverse.astype(np.float32)
