# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Squared Euclidean distances: rough ones of all pairs, exact ones of a few.

Products in single precision say which pairs can matter, with a bound on what their
rounding adds up to; these are compared in double precision. So equal rows tie exactly,
and neither blocks nor the number of threads matter.
"""

import numpy as np

_HALF_ULP = 2.0**-24
# Distances at a time: a product of 4 MB.
PRODUCTS_AT_ONCE = 2**20
_PAIRS_AT_ONCE = 1024
# Rows whose mean distances are taken about; any point near to them would do.
_SAMPLE = 4096


class Points:
    """Rows of a float32 matrix without entries beyond 1e15, one row or more.

    Distances are taken about a point amid the rows: the farther all of them lie from
    zero, the more that saves of the single precision.
    """

    def __init__(self, vectors):
        self.vectors = vectors
        self.origin = vectors[:: 1 + len(vectors) // _SAMPLE].mean(axis=0)
        self.norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        self.sizes = np.empty(len(vectors), dtype=np.float32)
        for rows in self.blocks(vectors.shape[1]):
            shifted = vectors[rows] - self.origin
            np.einsum("ij,ij->i", shifted, shifted, out=self.sizes[rows])

    def __len__(self):
        return len(self.vectors)

    def blocks(self, width):
        """Slices of the rows, `width` numbers to be held for each."""
        size = max(64, PRODUCTS_AT_ONCE // max(width, 1))
        for start in range(0, len(self), size):
            yield slice(start, min(start + size, len(self)))


class Centers:
    """What distances are taken to; there may be added to, up to a number."""

    def __init__(self, points, vectors, room=0):
        size = len(vectors) + room, vectors.shape[1]
        self.points = points
        self.vectors = np.empty(size, dtype=np.float32)
        self._minus_twice = np.empty(size, dtype=np.float32)
        self._constant = np.empty((len(vectors) + room, 1), dtype=np.float32)
        self._reach = np.zeros(len(vectors) + room, dtype=np.float32)
        self._n = 0
        self.add(vectors)

    def __len__(self):
        return self._n

    def add(self, vectors):
        """Take in more centres."""
        new = slice(self._n, self._n + len(vectors))
        shifted = vectors - self.points.origin
        squared = np.einsum("ij,ij->i", shifted, shifted, dtype=np.float64)
        offset = shifted.astype(np.float64) @ self.points.origin.astype(np.float64)
        self.vectors[new], self._minus_twice[new] = vectors, -2 * shifted
        self._constant[new, 0] = squared + 2 * offset
        self._reach[new] = np.sqrt(squared)
        self._n = new.stop

    def rough(self, rows, start=0):
        """Rough distances of the centres from `start` on, (n_centers, n_rows).

        Less `points.sizes`, which are the same for all centres.
        """
        own = slice(start, self._n)
        squared = self._minus_twice[own] @ self.points.vectors[rows].T
        squared += self._constant[own]
        return squared

    def slack(self, rows):
        """How far rough distances of these rows can be from the true ones."""
        reach = self._reach[: self._n].max(initial=0)
        # Twice what the rounding of d products and some sums can add up to.
        tolerance = np.float32(4 * (self.vectors.shape[1] + 8) * _HALF_ULP)
        around = (self.points.norms[rows] + reach) * reach + self.points.sizes[rows]
        return tolerance * around

    def exact(self, centers, rows):
        """Distances of pairs, in double precision."""
        squared = np.empty(len(rows))
        for start in range(0, len(rows), _PAIRS_AT_ONCE):
            part = slice(start, start + _PAIRS_AT_ONCE)
            gap = self.points.vectors[rows[part]].astype(np.float64)
            gap -= self.vectors[centers[part]]
            squared[part] = np.einsum("ij,ij->i", gap, gap)
        return squared

    def nearest(self, rows):
        """The exact distance of each of these rows to its nearest centre."""
        rough = self.rough(rows)
        close = rough <= rough.min(axis=0) + 2 * self.slack(rows)
        center, at = np.nonzero(close)
        squared = np.full(len(rows), np.inf)
        np.minimum.at(squared, at, self.exact(center, rows[at]))
        return squared
