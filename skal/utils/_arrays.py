# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Checks of numbers: vectors, probabilities, positions."""

import numpy as np

from skal.utils._rows import (
    is_frame,
    is_mapped,
    is_sparse_matrix,
    looks_like_vectors,
    num_rows,
)


def check_vectors(X, name="X"):
    """X as a two-dimensional C-contiguous float32 array of finite numbers.

    A float32 C-contiguous array is returned as it is, not copied.

    Raises
    ------
    TypeError
        If X is sparse (the remedy names TruncatedSVD) or not numeric.
    ValueError
        If X is not two-dimensional, or a number is NaN or infinite (row named).
    """
    _check_dense(X, name)
    vectors = in_single_precision(X)
    _check_two_dimensional(vectors, name)
    check_finite(vectors, name)
    return vectors


def check_stored_vectors(X, name="X"):
    """X as :func:`check_vectors` gives it; a memory-mapped array as it is.

    Of a memory-mapped array no number is read: those who read it, in parts, see to it
    that all are finite.

    Raises
    ------
    TypeError, ValueError
        As :func:`check_vectors` does.
    """
    if not is_mapped(X):
        return check_vectors(X, name)
    _check_two_dimensional(X, name)
    _check_dense(X, name)
    return X


def in_single_precision(X):
    """X as a C-contiguous float32 array, not copied if it is one."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(X, dtype=np.float32)


def _check_dense(X, name):
    if is_sparse_matrix(X):
        raise TypeError(
            f"{name} must be dense vectors. Got a sparse matrix of shape {X.shape}; "
            "reduce it first, for example with sklearn.decomposition.TruncatedSVD as "
            "the step after the vectorizer."
        )
    if not looks_like_vectors(X):
        raise TypeError(
            f"{name} must be dense numeric vectors of shape (n_rows, n_features). Got "
            f"{type(X).__name__} of {_row_kind(X)}."
        )


def _check_two_dimensional(X, name):
    if X.ndim != 2:
        raise ValueError(f"{name} must have shape (n_rows, n_features). Got {X.shape}.")


def check_finite(vectors, name):
    """Refuse NaN and infinite numbers, naming the row."""
    with np.errstate(invalid="ignore", over="ignore"):
        check_finite_rows(vectors.sum(axis=1, dtype=np.float64), name)


def check_finite_rows(totals, name):
    """Refuse a row of which the sum, or the length, is not finite."""
    finite = np.isfinite(totals)
    if not finite.all():
        raise ValueError(
            f"{name} must be finite. Row {int(np.argmin(finite))} contains NaN or "
            "infinity; repair or drop it."
        )


def _row_kind(X):
    if is_frame(X):
        return f"columns {list(X.columns)}"
    dtype = getattr(X, "dtype", None)
    if dtype is not None:
        return f"dtype {dtype} and shape {getattr(X, 'shape', '?')}"
    return f"{type(X[0]).__name__}" if num_rows(X) else "no rows"


def check_proba(proba, name="proba"):
    """Class probabilities as a float64 array of shape (n, C), entries in [0, 1].

    Raises
    ------
    ValueError
        If the shape is wrong or an entry is not a probability: NaN, negative, above 1
        (logits given in place of probabilities, usually).
    """
    return _check_between_0_and_1(proba, name, "(n_rows, n_classes)")


def check_samples(samples, name="samples"):
    """Class probabilities drawn several times, float64 of shape (T, n, C), T >= 1.

    Raises
    ------
    ValueError
        As :func:`check_proba` does, or if there is no sample.
    """
    samples = _check_between_0_and_1(samples, name, "(n_samples, n_rows, n_classes)")
    if len(samples) == 0:
        raise ValueError(f"{name} must hold at least one sample. Got none.")
    return samples


def _check_between_0_and_1(proba, name, shape):
    proba = np.asarray(proba, dtype=np.float64)
    if proba.ndim != shape.count(",") + 1:
        raise ValueError(f"{name} must have shape {shape}. Got {proba.shape}.")
    low, high = (proba.min(), proba.max()) if proba.size else (0.0, 1.0)
    if not (low >= -1e-6 and high <= 1 + 1e-6):
        raise ValueError(
            f"{name} must hold probabilities between 0 and 1. Got values from "
            f"{low} to {high}; were logits passed, or a NaN?"
        )
    rounding_only = low < 0 or high > 1
    return np.clip(proba, 0, 1) if rounding_only else proba


def check_picks(rows, n_rows, n_least, who, exactly=True):
    """What a strategy picked, or a filter kept, as int64 positions.

    Raises
    ------
    ValueError
        If positions are not integers, repeat, lie outside the pool or are too few (or
        too many, with `exactly`); `who` is named.
    """
    rows = np.asarray(rows)
    right = rows.ndim == 1 and rows.dtype.kind in "iu" and len(rows) >= n_least
    if right and exactly:
        right = len(rows) == n_least
    if right and len(rows):
        seen = np.zeros(n_rows, dtype=bool)
        inside = rows.min() >= 0 and rows.max() < n_rows
        if inside:
            seen[rows] = True
        right = inside and seen.sum() == len(rows)
    if not right:
        raise ValueError(
            f"{who} must return {'' if exactly else 'at least '}{n_least} distinct "
            f"integer positions below {n_rows}. Got {len(rows)} of dtype {rows.dtype}: "
            f"{rows[:5]}..."
        )
    return rows.astype(np.int64, copy=False)
