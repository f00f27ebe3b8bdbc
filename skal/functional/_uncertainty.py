# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Uncertainty of one predictive distribution per row."""

from scipy.special import entr

from skal.utils._arrays import check_proba


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
    O(n C) time and memory.

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
    return entr(check_proba(proba)).sum(axis=1)
