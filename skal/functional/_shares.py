# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""How many of a batch each of several parts may take."""

import numpy as np


def allocate_evenly(available, n_queries):
    """Share a batch out as evenly as what is available allows.

    Parameters
    ----------
    available : array-like of shape (K,), dtype int
        Rows that each part has.
    n_queries : int
        Clamped to their sum.

    Returns
    -------
    counts : ndarray of shape (K,), dtype int64
        No part gets more than one row more than another that has rows left. What cannot
        be divided goes to the parts with fewest rows, ties by lower part.

    Notes
    -----
    O(K log K) time.

    Examples
    --------
    >>> from skal.functional import allocate_evenly
    >>> allocate_evenly([50, 2, 9], 10).tolist()
    [4, 2, 4]
    """
    available = np.asarray(available, dtype=np.int64)
    counts = np.zeros(len(available), dtype=np.int64)
    left = min(n_queries, int(available.sum()))
    for served, part in enumerate(np.argsort(available, kind="stable")):
        even = -(-left // (len(available) - served))
        counts[part] = min(available[part], even)
        left -= counts[part]
    return counts


def allocate_shares(shares, n_queries):
    """Share a batch out in given proportions, by the largest remainders.

    Parameters
    ----------
    shares : array-like of shape (K,)
        Not negative, not all 0; only their proportions count.
    n_queries : int
        The size of the batch.

    Returns
    -------
    counts : ndarray of shape (K,), dtype int64
        Their sum is `n_queries`. Of equal remainders the lower part's counts first.

    Notes
    -----
    O(K log K) time.

    Examples
    --------
    >>> from skal.functional import allocate_shares
    >>> allocate_shares([1, 1], 25).tolist()
    [13, 12]
    """
    shares = np.asarray(shares, dtype=np.float64)
    exact = n_queries * (shares / shares.sum())
    counts = np.floor(exact + 1e-9).astype(np.int64)
    by_remainder = np.argsort(-np.round(exact - counts, 9), kind="stable")
    counts[by_remainder[: n_queries - counts.sum()]] += 1
    return counts
