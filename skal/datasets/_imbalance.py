# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Make one class of a labelled set rare."""

from numbers import Real

import numpy as np
from sklearn.utils import check_consistent_length, check_random_state

from skal.utils._sklearn import (
    Interval,
    safe_indexing,
    validate_parameter_constraints,
)

_CONSTRAINTS = {
    "share": [Interval(Real, 0, 1, closed="neither")],
    "binary": ["boolean"],
    "random_state": ["random_state"],
}


def make_imbalanced(X, y, *, minority, share=0.01, binary=True, random_state=None):
    """Keep one class as a rare minority, and all other rows as they are.

    The protocol of the AnchorAL paper [1]_: one class of a labelled set is downsampled
    until it makes up `share` of what is left; the other classes are kept whole and
    merged into one majority.

    Parameters
    ----------
    X : list, ndarray, sparse array, Series or DataFrame, of length n
        The rows, of any kind. Not looked into.
    y : list, ndarray or Series, of length n
        Their labels.
    minority : int or str
        The label of the class that becomes rare.
    share : float, default=0.01
        The share of the result that the minority makes up, strictly between 0 and 1.
        With n_rest rows of other classes, ``round(share / (1 - share) * n_rest)`` rows
        of the minority are kept.
    binary : bool, default=True
        Merge the other classes: y becomes an int64 array with 1 for the minority and 0
        for the rest. With False the labels are returned as they were.
    random_state : int, RandomState instance or None, default=None
        Decides which rows of the minority are kept.

    Returns
    -------
    X : same type as `X`
        The rows that are left, in their original order.
    y : ndarray of shape (n_left,), dtype=int64, or same type as `y`
        Their labels, see `binary`.

    Raises
    ------
    ValueError
        If X and y differ in length; if `minority` is not in y or is the only class; if
        it has too few rows to reach `share`, or `share` is so small that none would be
        left; if `share` lies outside (0, 1) or another parameter has a wrong type.

    Notes
    -----
    Costs O(n) time and memory.

    References
    ----------
    .. [1] Lesci, P. and Vlachos, A. (2024). AnchorAL: Computationally efficient active
       learning for large and imbalanced datasets. NAACL, appendix B.

    Examples
    --------
    >>> from skal.datasets import make_imbalanced
    >>> texts = [f"row {i}" for i in range(8)]
    >>> labels = ["sport", "world", "sport", "tech"] * 2
    >>> X, y = make_imbalanced(
    ...     texts, labels, minority="sport", share=0.2, random_state=0
    ... )
    >>> len(X), y.tolist().count(1)
    (5, 1)
    """
    params = {"share": share, "binary": binary, "random_state": random_state}
    validate_parameter_constraints(_CONSTRAINTS, params, "make_imbalanced")
    check_consistent_length(X, y)
    is_minority = np.asarray([label == minority for label in y], dtype=bool)
    candidates = np.flatnonzero(is_minority)
    n_kept = _n_kept(y, minority, len(candidates), share)
    rng = check_random_state(random_state)
    kept = rng.choice(candidates, n_kept, replace=False)
    rows = np.sort(np.concatenate([np.flatnonzero(~is_minority), kept]))
    y_left = is_minority[rows].astype(np.int64) if binary else safe_indexing(y, rows)
    return safe_indexing(X, rows), y_left


def _n_kept(y, minority, n_minority, share):
    """How many rows of the minority make up `share` of the result."""
    n_rest = len(y) - n_minority
    if n_minority == 0 or n_rest == 0:
        classes = ", ".join(sorted({repr(label) for label in y})[:10])
        raise ValueError(
            "minority must be one of at least two classes in y. Got "
            f"minority={minority!r}, and y holds {classes}."
        )
    n_kept = round(share / (1 - share) * n_rest)
    if not 1 <= n_kept <= n_minority:
        largest = n_minority / (n_minority + n_rest)
        raise ValueError(
            f"share={share} of the result would be {n_kept} rows of minority="
            f"{minority!r} beside {n_rest} other rows, and there are {n_minority}. "
            f"Give a share between {1 / (1 + n_rest):.2g} and {largest:.2g}, or thin "
            "out the other classes first."
        )
    return n_kept
