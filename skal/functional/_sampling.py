# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Uniform draws of rows."""

import numpy as np
from sklearn.utils import check_random_state


def random_rows(n_rows, size, random_state=None):
    """Draw positions uniformly without replacement, sorted.

    Parameters
    ----------
    n_rows : int
        Number of rows to draw from.
    size : int
        Clamped to `n_rows`.
    random_state : int, RandomState instance or None, default=None
        Where the draw comes from.

    Returns
    -------
    rows : ndarray of shape (min(size, n_rows),), dtype int64
        Positions, no duplicates.

    Notes
    -----
    O(n_rows) time and memory (one permutation); no draw is made when all are kept.

    References
    ----------
    S. Ertekin et al. Learning on the border: active learning in imbalanced data
    classification. CIKM 2007. :doi:`10.1145/1321440.1321461`

    Examples
    --------
    >>> from skal.functional import random_rows
    >>> random_rows(3, 5).tolist()
    [0, 1, 2]
    """
    if size >= n_rows:
        return np.arange(n_rows, dtype=np.int64)
    rng = check_random_state(random_state)
    return np.sort(rng.choice(n_rows, size, replace=False)).astype(np.int64)
