# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""From scores to rows."""

import numpy as np


def top_rows(scores, n_queries):
    """The rows with the largest scores, largest first, ties by lower row.

    Parameters
    ----------
    scores : array-like of shape (n,)
        Larger means label first. NaN is refused.
    n_queries : int
        Clamped to n.

    Returns
    -------
    rows : ndarray of shape (min(n_queries, n),), dtype int64
        Positions in `scores`.

    Raises
    ------
    ValueError
        If scores is not one-dimensional or holds a NaN.

    Notes
    -----
    O(n + m log m) time, where m is the number of rows that reach the cut.

    Examples
    --------
    >>> from skal.functional import top_rows
    >>> top_rows([0.1, 0.7, 0.7, 0.3], 2)
    array([1, 2])
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1:
        raise ValueError(f"scores must have shape (n_rows,). Got {scores.shape}.")
    if np.isnan(scores).any():
        raise ValueError(
            f"scores must be numbers. Row {int(np.argmax(np.isnan(scores)))} is NaN."
        )
    n_queries = min(n_queries, len(scores))
    if n_queries == 0:
        return np.empty(0, dtype=np.int64)
    cut = np.partition(scores, len(scores) - n_queries)[len(scores) - n_queries]
    rows = np.flatnonzero(scores >= cut)
    return rows[np.argsort(-scores[rows], kind="stable")][:n_queries]
