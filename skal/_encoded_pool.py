# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A pool as the vectors of one encoder, and what labelled rows found in it."""

import os
from functools import cached_property

import joblib
import numpy as np

from skal.exceptions import PoolMismatchError
from skal.functional import k_means
from skal.utils._arrays import check_stored_vectors, check_vectors
from skal.utils._index import NeighborIndex
from skal.utils._nearest import Directions
from skal.utils._random import stream
from skal.utils._rows import is_sliced, missing_texts, num_rows, take_rows, to_list
from skal.utils._slices import is_large, read_slices

# Vectors of one row, encoded twice in other company, are closer than this; those of two
# rows that differ are not.
_ITSELF = 1 - 1e-9
# Of a saved index as many vectors are compared with those of the pool's rows, at unit
# length. What half precision does to one is a tenth of this.
_N_COMPARED, _SAME_VECTOR = 64, 0.01


class EncodedPool:
    """The vectors of a pool, their indexes, and what earlier queries found.

    A pool that is memory-mapped vectors, without an encoder, stays on disk. The pool is
    encoded when its vectors are first needed; a saved index has its own.

    Parameters
    ----------
    pool : rows
    encoder : transformer or None
        As the user gave it; held so that its id stays taken.
    fitted : transformer or None
        None is the identity.
    """

    def __init__(self, pool, encoder, fitted):
        self.pool, self.encoder, self.fitted = pool, encoder, fitted
        self._indexes, self._encoded = {}, {}
        self._near, self._clusters = {}, {}

    @cached_property
    def vectors(self):
        """The rows of the pool, encoded."""
        pool, fitted = self.pool, self.fitted
        vectors = pool if fitted is None else _encode(fitted, pool)
        return check_stored_vectors(vectors, "The indexed vectors")

    @cached_property
    def _points(self):
        return Directions.of(self.vectors, name="The indexed vectors")

    def index(self, kind):
        """The index of this kind, built when it is first asked for; or a saved one."""
        if kind not in self._indexes:
            saved = isinstance(kind, os.PathLike)
            index = self._load(kind) if saved else NeighborIndex(self._points, kind)
            self._indexes[kind] = index
        return self._indexes[kind]

    def _load(self, folder):
        """The index saved in a folder, if it is one of this pool."""
        if self.fitted is None:
            return NeighborIndex.load(folder, self.vectors)
        index = NeighborIndex.load(folder)
        n_rows = num_rows(self.pool)
        rows = np.linspace(0, n_rows - 1, min(n_rows, _N_COMPARED)).astype(np.int64)
        encoded = self.fitted.transform(take_rows(self.pool, rows))
        encoded = check_vectors(encoded, "The encoded rows")
        _check_shape(index, (n_rows, encoded.shape[1]), folder)
        indexed = Directions.of(check_vectors(index.vectors[rows]))
        apart = np.linalg.norm(Directions.of(encoded).unit - indexed.unit, axis=1)
        if apart.max() > _SAME_VECTOR:
            raise PoolMismatchError(
                f"The index in {folder} was built on other vectors than this encoder "
                f"gives this pool: those of row {rows[np.argmax(apart)]} differ. Pass "
                "the pool and the encoder that it was built on, the rows in their "
                "order, or build an index on these vectors."
            )
        return index

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
            index = self.index(kind)
            if index.vectors.dtype == np.float16:  # as the pool's row was rounded
                vectors = vectors.astype(np.float16)
            neighbors, similarity = index.search(vectors, k + 1)
            counts = np.ones(neighbors.shape, dtype=bool)
            counts[similarity[:, 0] < _ITSELF, k:] = False
            self._near[key] = np.unique(neighbors[counts])
        return self._near[key]

    def clusters(self, n_clusters, seed):
        """The k-means cluster of each row, at unit length; found once."""
        key = n_clusters, seed
        if key not in self._clusters:
            unit = Directions.of(self.vectors).unit
            found, _ = k_means(unit, n_clusters, random_state=stream(seed, 0))
            self._clusters[key] = found
        return self._clusters[key]


def _encode(fitted, pool):
    """The vectors of a pool; of one whose texts are not at hand, slice by slice."""
    by_slices = is_sliced(pool) or (is_large(pool) and missing_texts(pool) is not None)
    if not by_slices or getattr(fitted, "_reads_slices", False):
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


def _check_shape(index, shape, folder):
    if index.vectors.shape != shape:
        raise PoolMismatchError(
            f"The index in {folder} was built on vectors of shape "
            f"{index.vectors.shape}, and this pool and encoder give {shape}. Pass "
            "those that it was built on, or build an index on these vectors."
        )
