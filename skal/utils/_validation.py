# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Checks of what the user gives, and all their error texts."""

import numbers
import os
from collections.abc import Iterator, Mapping, Set

import numpy as np
from sklearn.utils import get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from skal.exceptions import PoolExhaustedWarning
from skal.utils._arrays import check_finite
from skal.utils._rows import (
    is_column,
    is_mapped,
    is_sliced,
    looks_like_vectors,
    missing_texts,
    num_rows,
    to_list,
)
from skal.utils._warnings import warn


def check_texts(X, name="X"):
    """X as a one-dimensional object array of str.

    Parameters
    ----------
    X : sequence of str of length n
        List, tuple, object or ``<U`` array, pandas or polars Series, Arrow array.
    name : str, default="X"
        What the error texts call it.

    Returns
    -------
    texts : ndarray of shape (n,), dtype object
        A new array.

    Raises
    ------
    TypeError
        If X is one bare string.
    ValueError
        If X is empty or not one-dimensional, or a row is not a str (row named).
    """
    check_not_bare_string(X, name)
    if getattr(X, "ndim", 1) != 1 or len(getattr(X, "shape", (0,))) != 1:
        raise ValueError(
            f"{name} must be a one-dimensional sequence of texts. Got an object of "
            f"shape {X.shape}; pass the one column that holds the texts, for example "
            f"{name}[:, 0] of an array or {name}['text'] of a data frame."
        )
    rows = to_list(X)
    if not rows:
        raise ValueError(
            f"{name} holds no texts: at least one row is needed. Got an empty "
            f"{type(X).__name__}."
        )
    texts = np.empty(len(rows), dtype=object)
    texts[:] = rows
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(not_a_text(name, [row], text))
    return texts


def not_a_text(name, rows, value):
    """What to say of rows that are no texts, the first of them being `value`."""
    first = f"Row {rows[0]} is {value!r:.60} ({type(value).__name__})"
    if len(rows) == 1:
        return (
            f"Every row of {name} must be a str. {first}; drop the row or replace it "
            "with a text."
        )
    others = ", ".join(map(str, rows[1:6])) + ", ..." * (len(rows) > 6)
    return (
        f"Every row of {name} must be a str. {first}, and so are {len(rows) - 1} more "
        f"no str: {others}; drop these rows or replace them with texts."
    )


def check_not_bare_string(X, name="X"):
    """Refuse one string where a sequence of rows is expected."""
    if isinstance(X, (str, bytes)):
        raise TypeError(
            f"{name} must be a sequence of rows. Got a single {type(X).__name__}, "
            f"read character by character otherwise; wrap it in a list: [{X!r:.40}]."
        )


def check_pool(X, estimator=None, name="X_pool"):
    """Refuse a pool that no strategy could work on, before anything is computed.

    Of a pool that is read in slices the rows are checked when they are read.
    """
    check_not_bare_string(X, name)
    _check_kind(X, name)
    n_rows = num_rows(X)
    if n_rows == 0:
        raise ValueError(f"{name} is empty. Pass at least one row.")
    texts_only = estimator is not None and _takes_texts(estimator)
    if is_column(X):
        _check_column(X, name, texts_only)
    elif texts_only:
        check_texts(X, name)
    elif isinstance(X, np.ndarray) and X.dtype.kind in "OU" and X.shape[1:] == (1,):
        raise ValueError(
            f"{name} must be one-dimensional if it is a column of texts. Got an object "
            f"array of shape {X.shape}; pass {name}[:, 0]."
        )
    if is_mapped(X):
        _check_file_is_whole(X, name)
    return n_rows


def _check_kind(X, name):
    """Refuse what has no rows in an order, or none that can be read twice."""
    got = type(X).__name__
    is_sized = any(hasattr(X, name) for name in ("__len__", "shape", "__array__"))
    if isinstance(X, (Iterator, Set)) or not is_sized:
        raise TypeError(
            f"{name} must be rows in an order that can be read more than once. Got "
            f"{got}; pass a list of its rows."
        )
    # A table of the libraries datasets and pyarrow, too, is a mapping of columns.
    if isinstance(X, Mapping) or (hasattr(X, "column_names") and hasattr(X, "shape")):
        names = list(getattr(X, "column_names", X))
        raise TypeError(
            f"{name} must be one column of texts, or vectors. Got {got} with "
            f"{names!s:.200}; pass the column that holds the texts, for example "
            f"{name}['text']."
        )


def _check_file_is_whole(X, name):
    """Refuse a memory-mapped file that was cut short: reading it would be a crash."""
    while isinstance(X.base, np.ndarray):
        X = X.base
    path, needed = getattr(X, "filename", None), getattr(X, "offset", 0) + X.nbytes
    if path is not None and os.path.getsize(path) < needed:
        raise ValueError(
            f"{name} is memory-mapped, and its file must not be cut short. {path} has "
            f"{os.path.getsize(path)} bytes of {needed}; write it again."
        )


def check_new_rows(X, estimator, name="X"):
    """Refuse rows that the estimator could never be fitted on."""
    check_pool(X, estimator, name)
    if looks_like_vectors(X) and not _takes_nan(estimator):
        check_finite(np.asarray(X, dtype=np.float64), name)


def _takes_nan(estimator):
    if not hasattr(estimator, "__sklearn_tags__"):
        return True
    return get_tags(estimator).input_tags.allow_nan


def _takes_texts(estimator):
    if not hasattr(estimator, "__sklearn_tags__"):
        return False
    tags = get_tags(estimator).input_tags
    return tags.string and not tags.two_d_array


def _check_column(X, name, texts_only):
    """Refuse missing values, and texts mixed with something else."""
    missing = missing_texts(X)
    if missing is not None:
        if len(missing):
            raise ValueError(not_a_text(name, missing, None))
        return
    if is_sliced(X):
        return
    is_text = _are_texts(X)
    if all(is_text):
        return
    rows, bad = to_list(X), np.flatnonzero(np.logical_not(is_text))
    if not any(is_text) and not texts_only:
        bad = [row for row, value in enumerate(rows) if _is_missing(value)]
    if len(bad):
        raise ValueError(not_a_text(name, bad, rows[bad[0]]))


def _are_texts(X):
    """For each row whether it is a str; one True where all are."""
    if set(map(type, X)) <= {str, np.str_}:
        return [True]
    return [isinstance(row, str) for row in to_list(X)]


def check_labels(y, n_rows):
    """y as a one-dimensional array of class labels, one per row."""
    y = column_or_1d(y, warn=True)
    if y.dtype == object and any(_is_missing(label) for label in y):
        row = next(row for row, label in enumerate(y) if _is_missing(label))
        raise ValueError(
            f"Every row of y must be a class label. Row {row} is missing; drop the "
            "row, or teach it with the answer None."
        )
    if len(y) != n_rows:
        raise ValueError(
            "X and y must have one label per row. Got inconsistent numbers of samples: "
            f"{n_rows} rows in X, {len(y)} labels in y."
        )
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        row = int(np.argmin(np.isfinite(y)))
        raise ValueError(
            f"Every row of y must be a class label. Input y contains {y[row]} in row "
            f"{row}; drop the row, or teach it with the answer None."
        )
    check_classification_targets(y)
    return y


def check_answers(y, n_rows):
    """The labels among answers, and which answers are labels (None, NaN: skipped).

    Returns
    -------
    labels : ndarray of shape (n_answered,)
    answered : ndarray of shape (n_rows,), dtype bool
    """
    check_not_bare_string(y, "y")
    if getattr(y, "ndim", 1) != 1:
        raise ValueError(f"y must be one-dimensional. Got shape {y.shape}.")
    answers = y.tolist() if isinstance(y, np.ndarray) and y.ndim == 1 else to_list(y)
    if len(answers) != n_rows:
        raise ValueError(
            "X and y must have one answer per row (None for a skipped one). Got "
            f"{n_rows} rows in X, {len(answers)} answers in y."
        )
    answered = np.array([not _is_missing(answer) for answer in answers], dtype=bool)
    labels = [answer for answer in answers if not _is_missing(answer)]
    if not labels:
        return np.asarray([]), answered
    kinds = {isinstance(label, str) for label in labels}
    if len(kinds) > 1:
        raise TypeError(f"Labels must be of one type. Got a mixture: {labels[:5]}.")
    labels = check_labels(labels, len(labels))
    if labels.dtype.kind == "f" and not answered.all() and not (labels % 1).any():
        labels = labels.astype(np.int64)  # a missing answer had made floats of them
    return labels, answered


def _is_missing(answer):
    """None, NaN, pandas.NA or NaT."""
    if answer is None or type(answer).__name__ in {"NAType", "NaTType"}:
        return True
    return isinstance(answer, numbers.Number) and answer != answer


def check_known_labels(y, classes):
    """Refuse labels outside the fixed label vocabulary."""
    classes = np.asarray(classes).tolist()
    unknown = [label for label in np.unique(y).tolist() if label not in classes]
    if unknown:
        raise ValueError(
            f"Every label must be one of classes={classes}. Got {unknown[:5]}; "
            "add them to `classes` or correct the labels."
        )


def check_classes(classes):
    """The label vocabulary as a sorted array."""
    classes = column_or_1d(np.asarray(classes))
    unique = np.unique(classes)
    if len(unique) != len(classes):
        raise ValueError(f"`classes` must not repeat a label. Got {list(classes)}.")
    return unique


def check_count(value, name, least=1):
    """An integer of at least `least` (bool and float refused)."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise TypeError(
            f"{name} must be an int of at least {least}. Got {value!r} of type "
            f"{type(value).__name__}."
        )
    if value < least:
        raise ValueError(f"{name} must be an int of at least {least}. Got {value}.")
    return int(value)


def warn_if_more_than_left(n_queries, n_left):
    """Say that fewer rows come back than were asked for."""
    if n_queries > n_left:
        warn(
            f"{n_queries} rows were asked for, {n_left} are left; these are returned.",
            PoolExhaustedWarning,
        )


def check_ids(ids, n_rows, name="ids"):
    """ids as a list of unique hashable values, one per row."""
    check_not_bare_string(ids, name)
    ids = to_list(ids)
    is_plain = set(map(type, ids)) <= {int, str}
    if not is_plain:
        ids = [_unboxed(id_) for id_ in ids]
    if len(ids) != n_rows:
        raise ValueError(
            f"{name} must hold one id per row. Got {len(ids)} ids for {n_rows} rows."
        )
    missing = [] if is_plain else [i for i, id_ in enumerate(ids) if _is_missing(id_)]
    if missing:
        raise ValueError(
            f"{name} must name every row. The id of row {missing[0]} is missing."
        )
    try:
        n_unique = len(set(ids))
    except TypeError as error:
        bad = next(i for i in ids if not _is_hashable(i))
        raise TypeError(
            f"{name} must be hashable (str, int, tuple, ...). Got {bad!r:.60} of type "
            f"{type(bad).__name__}; turn it into a str or tuple."
        ) from error
    if n_unique != n_rows:
        seen = set()
        twice = next(i for i in ids if i in seen or seen.add(i))
        raise ValueError(
            f"{name} must be unique. Got {twice!r} more than once; an id names one row."
        )
    return ids


def check_pool_ids(pool_ids, pool):
    """Ids as `check_ids` gives them, one per row of the pool; None for None."""
    if pool_ids is None:
        return None
    if pool is None:
        raise ValueError("pool_ids name the rows of X_pool. Got no X_pool; pass both.")
    return check_ids(pool_ids, num_rows(pool), "pool_ids")


def _unboxed(value):
    """The Python object in a scalar of NumPy, torch or Arrow: equal ids hash alike."""
    if hasattr(value, "as_py"):
        return value.as_py()
    is_scalar = hasattr(value, "item") and getattr(value, "ndim", None) == 0
    return value.item() if is_scalar else value


def _is_hashable(value):
    try:
        hash(value)
    except TypeError:
        return False
    return True


def check_exclude(exclude, n_rows):
    """Positions to leave out, as a boolean mask of length n_rows."""
    mask = np.zeros(n_rows, dtype=bool)
    exclude = np.asarray(exclude)
    if exclude.size == 0:
        return mask
    if exclude.ndim != 1 or exclude.dtype.kind not in "iu":
        raise TypeError(
            "exclude must be a one-dimensional sequence of integer positions in "
            f"X_pool. Got dtype {exclude.dtype} and shape {exclude.shape}; turn a "
            "mask into positions with numpy.flatnonzero."
        )
    if exclude.min() < 0 or exclude.max() >= n_rows:
        bad = exclude[(exclude < 0) | (exclude >= n_rows)][0]
        raise ValueError(
            f"exclude must hold positions in X_pool, from 0 to {n_rows - 1}. Got {bad}."
        )
    mask[exclude] = True
    return mask
