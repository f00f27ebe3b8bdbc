# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Exact nearest neighbours by cosine similarity: the arithmetic of the index."""

from dataclasses import dataclass

import numpy as np

from skal.utils._arrays import check_finite_rows, in_single_precision

_BLOCK = 32768
_QUERIES_AT_ONCE = 128
# What is looked through while it is still in the processor's cache.
_PRODUCTS_AT_ONCE = 20 * _BLOCK
_PAIRS_AT_ONCE = 1024
_MEASURED_AT_ONCE = 4096
# A block with more rows per neighbour sought than this gets a cut of its own.
_MANY = 8
# Beyond this length, or below its inverse, single precision cannot hold 1 / norm.
_LONGEST = 1e15
_HALF_ULP = 2.0**-24


@dataclass(frozen=True)
class Directions:
    """Rows of a matrix, of which only the direction counts.

    The matrix stays where it is, in memory or in a memory-mapped file, and is read in
    single precision, some rows at a time. `norms` are in double precision, their
    `inverse` in single precision; both are 0 for a row of zeros. Rows too long or too
    short for that are multiplied in reading by their `scale`, a power of two: nothing
    is rounded.
    """

    vectors: np.ndarray
    norms: np.ndarray
    inverse: np.ndarray
    scale: np.ndarray | None = None

    @classmethod
    def of(cls, vectors, lengths=None, name="The vectors"):
        """Take a matrix of numbers as it is; `lengths` are those of its rows, if known.

        Numbers that are not finite in single precision are refused.
        """
        norms = _lengths(vectors) if lengths is None else lengths
        check_finite_rows(norms, name)
        scale = None
        if norms.size and (norms.max() > _LONGEST or _shortest(norms) < 1 / _LONGEST):
            exponents = np.clip(-np.frexp(norms)[1], -126, 127)
            scale = np.ldexp(np.float32(1), exponents)
            norms = norms * scale
        inverse = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
        return cls(vectors, norms, inverse.astype(np.float32), scale)

    def __len__(self):
        return len(self.vectors)

    def __getitem__(self, rows):
        scale = None if self.scale is None else self.scale[rows]
        return Directions(
            self.vectors[rows], self.norms[rows], self.inverse[rows], scale
        )

    @property
    def lengths(self):
        """The lengths of the rows as they are in the matrix."""
        return self.norms if self.scale is None else self.norms / self.scale

    def read(self, rows=slice(None)):
        """Some rows in single precision; no copy where a slice of them is just that."""
        vectors = in_single_precision(self.vectors[rows])
        return vectors if self.scale is None else vectors * self.scale[rows, None]

    @property
    def unit(self):
        """The rows at unit length, a copy in single precision."""
        return self.read() * self.inverse[:, None]


def similarity_of_pairs(first, i, second, j):
    """Cosine similarity in double precision: equal rows give equal numbers."""
    products = np.empty(len(i))
    for start in range(0, len(i), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        a, b = first.read(i[part]), second.read(j[part])
        products[part] = np.einsum("ij,ij->i", a, b, dtype=np.float64)
    norms = first.norms[i] * second.norms[j]
    return np.divide(products, norms, out=np.zeros(len(i)), where=norms > 0)


def best_of_pairs(query, row, similarity, n_queries, k):
    """Per query the k most similar rows, ties by lower row.

    Every query has k pairs or more, or all have the same number.
    """
    order = np.lexsort((row, -similarity, query))
    counts = np.bincount(query, minlength=n_queries)
    first = np.cumsum(counts) - counts
    picked = order[first[:, None] + np.arange(min(k, counts.min(initial=k)))]
    return row[picked], similarity[picked]


def nearest(points, queries, k, live=None, block_size=None):
    """The k most similar points of each query, exactly.

    Blocked matrix products in single precision find the candidates; whatever their
    rounding could have put on either side of the cut is compared again in double
    precision.

    Parameters
    ----------
    points, queries : Directions
    k : int
        At most the number of live points.
    live : ndarray of bool, default=None
        Which points count; None means all.
    block_size : int, default=None
        Points per matrix product; None: fewer, the more queries there are at once.

    Returns
    -------
    neighbors : ndarray of shape (q, k), dtype int64
    similarity : ndarray of shape (q, k), dtype float64
    """
    neighbors = np.empty((len(queries), k), dtype=np.int64)
    similarity = np.empty((len(queries), k))
    for start in range(0, len(queries) if k else 0, _QUERIES_AT_ONCE):
        part = slice(start, start + _QUERIES_AT_ONCE)
        best = _Best(points, queries[part], k)
        size = block_size or min(_BLOCK, _PRODUCTS_AT_ONCE // len(best.queries))
        for block, dead in _blocks(len(points), live, size):
            best.update(block, dead)
        neighbors[part], similarity[part] = best.neighbors, best.similarity
    return neighbors, similarity


def _blocks(n_points, live, block_size):
    """(rows, those of them that do not count): slices, or positions if few live."""
    if live is not None and 4 * np.count_nonzero(live) < n_points:
        rows = np.flatnonzero(live)
        for start in range(0, len(rows), block_size):
            yield rows[start : start + block_size], None
        return
    for start in range(0, n_points, block_size):
        block = slice(start, min(start + block_size, n_points))
        yield block, None if live is None else np.flatnonzero(~live[block])


class _Best:
    """The k best points so far, per query."""

    def __init__(self, points, queries, k):
        self.points, self.queries, self.k = points, queries, k
        self.unit_queries = queries.unit.T
        # Twice what the rounding of d products and three factors can add up to.
        self.slack = 2 * (points.vectors.shape[1] + 4) * _HALF_ULP
        self.floor = np.full(len(queries), -np.inf, dtype=np.float32)
        self.neighbors = np.empty((len(queries), 0), dtype=np.int64)
        self.similarity = np.empty((len(queries), 0))

    def update(self, block, dead=None):
        """Take in the points of one block, but for those in the rows `dead` of it."""
        rough = self._rough(block)
        if dead is not None and len(dead):
            rough[dead] = -np.inf
        row, query = np.divmod(self._reaching(rough), rough.shape[1])
        if len(query):
            by_slice = isinstance(block, slice)
            self._merge(query, row + block.start if by_slice else block[row])

    def _rough(self, block):
        """Similarities in single precision, one column per query."""
        rough = self.points.read(block) @ self.unit_queries
        rough *= self.points.inverse[block, None]
        return rough

    def _reaching(self, rough):
        """Flat positions of what may be among the k best; raises the floor."""
        reaching = np.flatnonzero(rough > self.floor)
        cut = len(rough) - self.k
        if cut > 0 and len(reaching) > _MANY * self.k * rough.shape[1]:
            kth = np.partition(rough.T, cut, axis=1)[:, cut]
            self.floor = np.maximum(self.floor, kth - np.float32(self.slack))
            reaching = np.flatnonzero(rough > self.floor)
        return reaching

    def _merge(self, query, row):
        similarity = similarity_of_pairs(self.queries, query, self.points, row)
        n_queries, width = self.neighbors.shape
        query = np.concatenate([np.repeat(np.arange(n_queries), width), query])
        row = np.concatenate([self.neighbors.ravel(), row])
        similarity = np.concatenate([self.similarity.ravel(), similarity])
        self.neighbors, self.similarity = best_of_pairs(
            query, row, similarity, n_queries, self.k
        )
        if self.neighbors.shape[1] == self.k:
            floor = (self.similarity[:, -1] - self.slack).astype(np.float32)
            self.floor = np.maximum(self.floor, floor)


def _lengths(vectors):
    lengths = np.empty(len(vectors))
    for start in range(0, len(vectors), _MEASURED_AT_ONCE):
        part = slice(start, start + _MEASURED_AT_ONCE)
        block = in_single_precision(vectors[part])
        lengths[part] = np.einsum("ij,ij->i", block, block, dtype=np.float64)
    return np.sqrt(lengths)


def _shortest(norms):
    return norms[norms > 0].min(initial=np.inf)
