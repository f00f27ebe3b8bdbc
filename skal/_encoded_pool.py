# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A pool as the vectors of one encoder, and what labelled rows found in it."""

import joblib
import numpy as np

from skal.utils._arrays import check_vectors
from skal.utils._index import NeighborIndex
from skal.utils._rows import is_sliced, missing_texts, num_rows, to_list
from skal.utils._slices import is_large, read_slices

# Vectors of one row, encoded twice in other company, are closer than this; those of two
# rows that differ are not.
_ITSELF = 1 - 1e-9


class EncodedPool:
    """The vectors of a pool, their indexes, and what earlier queries asked of them.

    Parameters
    ----------
    pool : rows
    encoder : transformer or None
        As the user gave it; held so that its id stays taken.
    fitted : transformer or None
        None is the identity.
    """

    def __init__(self, pool, encoder, fitted):
        self.encoder, self.fitted = encoder, fitted
        vectors = pool if fitted is None else _encode(fitted, pool)
        self.vectors = check_vectors(vectors, "The indexed vectors")
        self._indexes, self._encoded, self._near = {}, {}, {}

    def index(self, kind):
        """The index of this kind, built when it is first asked for."""
        if kind not in self._indexes:
            self._indexes[kind] = NeighborIndex(self.vectors, kind)
        return self._indexes[kind]

    def encode(self, rows):
        """Vectors of other rows; the same rows together are encoded once.

        Only the same rows *together*: the company in which a row is encoded may change
        the last digits of its vector.
        """
        if self.fitted is None:
            return check_vectors(rows, "The labelled vectors")
        key = hash_rows(rows)
        if key not in self._encoded:
            vectors = self.fitted.transform(rows)
            self._encoded[key] = check_vectors(vectors, "The labelled vectors")
        return self._encoded[key]

    def near(self, vectors, k, kind):
        """Sorted positions of the k rows nearest to any of the vectors; found once.

        A vector that lies in the pool itself takes no place among its neighbours.
        """
        key = joblib.hash(vectors), k, kind
        if key not in self._near:
            neighbors, similarity = self.index(kind).search(vectors, k + 1)
            counts = np.ones(neighbors.shape, dtype=bool)
            counts[similarity[:, 0] < _ITSELF, k:] = False
            self._near[key] = np.unique(neighbors[counts])
        return self._near[key]


def _encode(fitted, pool):
    """The vectors of a pool; of one whose texts are not at hand, slice by slice."""
    if not (is_sliced(pool) or (is_large(pool) and missing_texts(pool) is not None)):
        return fitted.transform(pool)
    name, vectors, start = "The indexed vectors", None, 0
    for part in read_slices(pool):
        found = check_vectors(fitted.transform(part), f"{name} from row {start} on")
        if vectors is None:
            vectors = np.empty((num_rows(pool), found.shape[1]), dtype=np.float32)
        vectors[start : start + len(part)] = found
        start += len(part)
    return vectors


def hash_rows(rows):
    """A name for the content of rows, whatever one-dimensional container holds them."""
    return joblib.hash(to_list(rows) if getattr(rows, "ndim", 1) == 1 else rows)
