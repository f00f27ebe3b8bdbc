# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Pools that may not fit in memory, read some rows at a time and in order."""

import operator
from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from skal.utils._rows import is_column, is_sliced, num_rows, take_rows, to_list
from skal.utils._validation import not_a_text

#: A pool that is longer is never in memory as a whole, if it was not there before.
ROWS_AT_ONCE = 16_384


def is_large(X):
    """Whether X has more rows than are read at once."""
    return num_rows(X) > ROWS_AT_ONCE


def read_slices(X, rows=None, name="the pool"):
    """Read rows of X in order, some at a time.

    Parameters
    ----------
    X : rows
    rows : ndarray of shape (m,), dtype int64, sorted, default=None
        Which positions; None means all.
    name : str, default="the pool"
        What error texts call X.

    Yields
    ------
    part : list of str or ndarray
        At most `ROWS_AT_ONCE` of the rows; an empty one if there are none.

    Raises
    ------
    ValueError
        If X is a column and a row is not a str (position in X named).
    """
    start, texts = 0, is_column(X)
    parts = X.read(rows) if isinstance(X, RowsInSlices) else _parts(X, rows)
    for part in parts:
        if texts:
            part = to_list(part)
            _check_all_texts(part, start, rows, name)
        yield part
        start += len(part)


def _parts(X, rows):
    n_rows = num_rows(X) if rows is None else len(rows)
    for start in range(0, max(n_rows, 1), ROWS_AT_ONCE):
        if rows is not None:
            yield take_rows(X, rows[start : start + ROWS_AT_ONCE])
        elif hasattr(X, "iloc"):
            yield X.iloc[start : start + ROWS_AT_ONCE]
        else:
            part = X[start : start + ROWS_AT_ONCE]
            # A copy: a view of a memory-mapped array is one itself.
            yield np.array(part) if isinstance(X, np.ndarray) else part


def _check_all_texts(part, start, rows, name):
    if set(map(type, part)) <= {str}:
        return
    bad = np.flatnonzero([not isinstance(row, str) for row in part])
    if len(bad):
        places = start + bad if rows is None else rows[start + bad]
        raise ValueError(not_a_text(name, places, part[bad[0]]))


class RowsInSlices(Sequence):
    """A sequence whose rows are read when they are asked for.

    A subclass has `__len__`, `read` and `holds_column`: whether a row is a text or the
    like, and not a vector.
    """

    @abstractmethod
    def read(self, rows=None):
        """Yield lists of rows, at most `ROWS_AT_ONCE` in each; `rows` are sorted."""

    def __iter__(self):
        for part in self.read():
            yield from part

    def __getitem__(self, rows):
        """One row (an int), or a list of rows (a slice or an array)."""
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        elif np.ndim(rows) == 0:
            return self._one(self._positions([operator.index(rows)])[0])
        rows, inverse = np.unique(self._positions(rows), return_inverse=True)
        found = [row for part in self.read(rows) for row in part]
        return [found[place] for place in inverse]

    def _one(self, row):
        return next(iter(self.read(np.array([row]))))[0]

    def _positions(self, rows):
        """Positions from 0 on, of positions or a mask as NumPy takes them."""
        rows, n_rows = np.asarray(rows), len(self)
        if rows.dtype == bool and rows.shape == (n_rows,):
            return np.flatnonzero(rows)
        rows = rows.astype(np.int64) if rows.size == 0 else rows
        whole = rows.ndim == 1 and rows.dtype.kind in "iu"
        if not whole or ((rows < -n_rows) | (rows >= n_rows)).any():
            raise IndexError(
                f"Positions must be integers from {-n_rows} to {n_rows - 1}. Got "
                f"{rows.dtype} of shape {rows.shape}: {rows.ravel()[:5].tolist()}."
            )
        return np.where(rows < 0, rows + n_rows, rows)


class SomeRows(RowsInSlices):
    """Some rows of a pool, none of them read yet.

    Parameters
    ----------
    pool : rows
    rows : ndarray of shape (n,), dtype int64, sorted, default=None
        Positions in the pool; None means all.
    """

    def __init__(self, pool, rows=None):
        self.pool, self.rows = pool, rows
        self.holds_column = is_column(pool)

    def __len__(self):
        return num_rows(self.pool) if self.rows is None else len(self.rows)

    def read(self, rows=None):
        """Yield parts as `read_slices` does."""
        if self.rows is not None:
            rows = self.rows if rows is None else self.rows[rows]
        return read_slices(self.pool, rows)


def part_of(X, rows=None):
    """Rows of X, all by default; many of what is read in slices are not read yet.

    Few of a column that is read in slices are a list.
    """
    if is_sliced(X):
        part, is_numbers = SomeRows(X, rows), not is_column(X)
        if len(part) > ROWS_AT_ONCE:
            return X if rows is None and is_numbers else part
        if not is_numbers:
            return next(part.read())
    return X if rows is None else take_rows(X, rows)


def through_slices(method, X):
    """What a method says of each row of X, an array; of each slice on its own."""
    if not is_sliced(X):
        return method(X)
    found = [method(part) for part in read_slices(X, name="X")]
    return found[0] if len(found) == 1 else np.concatenate(found)


def join_outputs(parts, n_rows):
    """One dict of arrays of those of consecutive slices.

    The rows of "samples" lie on its second axis, of all else on the first.
    """
    joined, start = {}, 0
    for part in parts:
        for name, values in part.items():
            axis = int(name == "samples")
            size = values.shape[axis]
            if name not in joined:
                shape = (*values.shape[:axis], n_rows, *values.shape[axis + 1 :])
                joined[name] = (
                    values if size == n_rows else np.empty(shape, values.dtype)
                )
            if size < n_rows:
                joined[name].swapaxes(0, axis)[start : start + size] = values.swapaxes(
                    0, axis
                )
        start += size
    return joined
