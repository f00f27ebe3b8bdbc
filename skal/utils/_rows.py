# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Rows of whatever container the user brought: count, take, join, copy."""

import mmap
import numbers
from collections.abc import Sequence

import numpy as np
from scipy import sparse

from skal.utils._sklearn import num_samples, safe_indexing


def _library(X):
    return type(X).__module__.partition(".")[0]


def is_sliced(X):
    """Whether the rows of X are read some at a time, since all may not fit in memory.

    Memory-mapped arrays, Arrow columns, and any sequence that is neither a list nor a
    tuple and does not say that it is in memory: a column of ``datasets``, say.
    """
    if isinstance(X, np.ndarray):
        return is_mapped(X)
    if isinstance(X, (list, tuple, str, bytes, range)):
        return False
    if _library(X) == "pyarrow":
        return hasattr(X, "null_count")  # a column, no table
    return isinstance(X, Sequence) and not getattr(X, "in_memory", False)


def is_mapped(X):
    """Whether X is a NumPy array in a memory-mapped file."""
    while isinstance(X, np.ndarray):
        X = X.base
    return isinstance(X, mmap.mmap)


def num_rows(X):
    """Number of rows of a list, array, sparse matrix, data frame, Series or column."""
    return num_samples(X)


def take_rows(X, rows):
    """The given positions of X, in that order, in X's own kind of container.

    Of a column that is read in slices a list: the scalars of Arrow are no strings to a
    vectorizer.
    """
    rows = np.asarray(rows, dtype=np.int64)
    library = _library(X)
    if library == "polars":
        return X[rows]
    if library == "pyarrow":
        return _take_arrow(X, rows)
    if library in {"datasets", "skal"}:
        return X[rows]
    if isinstance(X, tuple) or (is_sliced(X) and not isinstance(X, np.ndarray)):
        return [X[int(row)] for row in rows]
    if not hasattr(X, "__getitem__"):
        X = np.asarray(X)
    return safe_indexing(X, rows)


def _take_arrow(X, rows):
    """A list; reads the chunks in which rows lie, and joins none of them."""
    chunks = getattr(X, "chunks", None)
    if chunks is None:
        return X.take(rows).to_pylist()
    starts = np.cumsum([0, *map(len, chunks)])
    of_row = np.searchsorted(starts, rows, side="right") - 1
    taken = [None] * len(rows)
    for chunk in np.unique(of_row):
        here = np.flatnonzero(of_row == chunk)
        values = chunks[chunk].take(rows[here] - starts[chunk]).to_pylist()
        for place, value in zip(here, values, strict=True):
            taken[place] = value
    return taken


def copy_rows(X):
    """A copy that later changes to X do not reach; of what is read in slices a list."""
    if isinstance(X, np.ndarray) or sparse.issparse(X) or _library(X) == "pandas":
        return X.copy()
    if isinstance(X, (list, tuple)) or is_sliced(X):
        return to_list(X)
    return X


def readable_rows(X):
    """X as a classifier can read it: a column that is read in slices as a list."""
    return to_list(X) if is_sliced(X) and is_column(X) else X


def to_list(X):
    """The rows of a one-dimensional container as a list of Python objects."""
    library = _library(X)
    if library == "pyarrow":
        return X.to_pylist()
    if library == "polars":
        return X.to_list()
    is_plain = library == "pandas" or (isinstance(X, np.ndarray) and X.ndim == 1)
    return X.tolist() if is_plain else list(X)


def is_column(X):
    """Whether X is one column of things that are not numbers (texts, usually)."""
    if isinstance(X, np.ndarray):
        return X.ndim == 1 and X.dtype.kind in "OSU"
    if _library(X) in {"pandas", "polars", "pyarrow", "datasets"}:
        return not is_frame(X)
    if _library(X) == "skal":
        return getattr(X, "holds_column", False)
    if isinstance(X, (list, tuple)) or is_sliced(X):
        first = X[0] if len(X) else ""
        return not isinstance(first, numbers.Number) and np.ndim(first) == 0
    return False


def missing_texts(X):
    """Positions without a value in a column whose type says that it holds texts.

    None if the type does not say so: a list, an object array. Reads no text.
    """
    library, kind = _library(X), getattr(X, "dtype", getattr(X, "type", None))
    if library == "pandas" and type(kind).__name__ == "StringDtype":
        gaps = X.isna()
    elif (library == "polars" and type(kind).__name__ == "String") or (
        library == "pyarrow" and is_sliced(X) and is_arrow_text(kind)
    ):
        gaps = X.is_null()
    else:
        return None
    return np.flatnonzero(np.asarray(gaps))


def is_arrow_text(kind):
    """Whether values of this type of Arrow are texts."""
    kind = getattr(kind, "value_type", kind) if "dictionary" in str(kind) else kind
    return str(kind) in {"string", "large_string", "string_view"}


def is_frame(X):
    """Whether X is a two-dimensional data frame."""
    return hasattr(X, "columns") and hasattr(X, "shape") and len(X.shape) == 2


def concat_rows(first, second):
    """The rows of both, one below the other, in the first one's kind of container.

    Raises
    ------
    TypeError
        If they are not both frames, both sparse, both columns or neither.
    ValueError
        If their features differ.
    """
    check_alike(first, second)
    if sparse.issparse(first):
        return sparse.vstack([first, second], format="csr")
    library = _library(first)
    if library == _library(second) and library in _CONCAT:
        return _CONCAT[library](first, second)
    if isinstance(first, np.ndarray) and (
        first.ndim > 1 or isinstance(second, np.ndarray)
    ):
        return np.concatenate([first, np.asarray(second)])
    return to_list(first) + to_list(second)


def _concat_pandas(first, second):
    import pandas as pd

    return pd.concat([first, second], ignore_index=True)


def _concat_polars(first, second):
    import polars as pl

    return pl.concat([first, second])


_CONCAT = {"pandas": _concat_pandas, "polars": _concat_polars}


def check_alike(first, second, name="New rows"):
    """Refuse rows of another kind, width or set of columns than the labelled ones."""
    for kind, kind_name in (
        (is_frame, "a data frame"),
        (sparse.issparse, "sparse"),
        (is_column, "a column of texts"),
    ):
        if kind(first) != kind(second):
            raise TypeError(
                f"{name} must be of the kind that the labelled set is kept in: one of "
                f"the two is {kind_name}, the other is not (labelled: "
                f"{type(first).__name__}, new: {type(second).__name__}). Convert one."
            )
    widths = [_width(first), _width(second)]
    if widths[0] != widths[1]:
        raise ValueError(
            f"{name} must have the features of the labelled set. Got {widths[1]}, the "
            f"labelled set has {widths[0]}."
        )


def _width(X):
    """The names or the number of the features; None for a column."""
    if is_frame(X):
        return list(X.columns)
    if is_column(X):
        return None
    return X.shape[1:] if hasattr(X, "shape") else np.shape(X[0])


def is_sparse_matrix(X):
    """Whether X is a SciPy sparse matrix or array."""
    return sparse.issparse(X)


def looks_like_vectors(X):
    """Whether the rows of X are dense numeric vectors (not texts, not sparse)."""
    if isinstance(X, np.ndarray):
        return X.ndim == 2 and X.dtype.kind in "fiub"
    if is_frame(X):
        return all(np.dtype(kind).kind in "fiub" for kind in _numpy_kinds(X))
    if isinstance(X, (list, tuple)) and len(X):
        first = X[0]
        return not isinstance(first, str) and np.asarray(first).dtype.kind in "fiub"
    return False


def _numpy_kinds(frame):
    return {np.asarray(frame[column].to_numpy()[:1]).dtype for column in frame.columns}
