# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Uncertainty of one predictive distribution per row."""

import numpy as np
from scipy.special import entr

from skal.utils._arrays import check_proba

_BLOCK = 4096


def entropy(proba):
    r"""Predictive entropy, in nats.

    .. math:: H(p) = -\sum_c p_c \log p_c, \qquad 0 \log 0 = 0

    Parameters
    ----------
    proba : array-like of shape (n, C)
        Class probabilities.

    Returns
    -------
    scores : ndarray of shape (n,), dtype float64
        Between 0 and log C; larger means more uncertain.

    Raises
    ------
    ValueError
        If `proba` is not two-dimensional or an entry is not a probability.

    Notes
    -----
    O(n C) time, O(n) memory.

    References
    ----------
    C. E. Shannon. A mathematical theory of communication. Bell System Technical Journal
    27, 1948. :doi:`10.1002/j.1538-7305.1948.tb01338.x`

    Examples
    --------
    >>> from skal.functional import entropy
    >>> entropy([[1.0, 0.0], [0.5, 0.5]]).round(3).tolist()
    [0.0, 0.693]
    """
    proba = check_proba(proba)
    scores = np.empty(len(proba))
    for start in range(0, len(proba), _BLOCK):
        rows = slice(start, start + _BLOCK)
        entr(proba[rows]).sum(axis=1, out=scores[rows])
    return scores


def least_confidence(proba):
    r"""One less the probability of the predicted class.

    .. math:: 1 - \max_c p_c

    Parameters
    ----------
    proba : array-like of shape (n, C)
        Class probabilities.

    Returns
    -------
    scores : ndarray of shape (n,), dtype float64
        Between 0 and 1 - 1/C; larger means more uncertain.

    Raises
    ------
    ValueError
        If `proba` is not two-dimensional or an entry is not a probability.

    See Also
    --------
    entropy, margin : The same order of rows for two classes.

    Notes
    -----
    O(n C) time, O(n) memory.

    References
    ----------
    D. D. Lewis, W. A. Gale. A sequential algorithm for training text classifiers. SIGIR
    1994. :doi:`10.1007/978-1-4471-2099-5_1`

    Examples
    --------
    >>> from skal.functional import least_confidence
    >>> least_confidence([[1.0, 0.0], [0.25, 0.75]]).tolist()
    [0.0, 0.25]
    """
    return 1 - check_proba(proba).max(axis=1)


def margin(proba):
    r"""The lead of the most probable class over the second, with its sign turned.

    .. math:: -(p_{(1)} - p_{(2)}), \qquad p_{(1)} \ge p_{(2)} \ge \ldots

    Parameters
    ----------
    proba : array-like of shape (n, C)
        Class probabilities.

    Returns
    -------
    scores : ndarray of shape (n,), dtype float64
        Between -1 and 0; larger means more uncertain, 0 that two classes tie.

    Raises
    ------
    ValueError
        If `proba` is not two-dimensional or an entry is not a probability.

    See Also
    --------
    entropy, least_confidence : The same order of rows for two classes.

    Notes
    -----
    O(n C) time, O(n) memory. The smallest margin is to be labelled first; the sign
    makes it the largest score, as everywhere here. A single class leads over nothing:
    -p.

    References
    ----------
    T. Scheffer, C. Decomain, S. Wrobel. Active hidden Markov models for information
    extraction. IDA 2001. :doi:`10.1007/3-540-44816-0_31`

    Examples
    --------
    >>> from skal.functional import margin
    >>> margin([[1.0, 0.0, 0.0], [0.5, 0.25, 0.25]]).tolist()
    [-1.0, -0.25]
    """
    proba = check_proba(proba)
    if proba.shape[1] == 1:
        return -proba[:, 0]
    scores = np.empty(len(proba))
    for start in range(0, len(proba), _BLOCK):
        rows = slice(start, start + _BLOCK)
        second, first = np.partition(proba[rows], -2, axis=1)[:, -2:].T
        np.subtract(second, first, out=scores[rows])
    return scores
