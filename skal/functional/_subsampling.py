# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A random part of the rows, in which the uncertain ones are sure to be."""

import numpy as np
from sklearn.utils import check_random_state

from skal.functional._ranking import top_rows


def subsampling_proba(scores, *, gamma=0.1, temperature=0.01):
    r"""The probability with which unlabelled pool subsampling keeps each row.

    .. math:: \exp\left(-\frac{\max(0, r_i / n - \gamma)}{T}\right)

    where :math:`r_i` is the rank of row i, 0 for the largest score: the share
    :math:`\gamma` of largest scores is always kept, and the lower the others rank, the
    less often they are.

    Parameters
    ----------
    scores : array-like of shape (n,)
        Larger means more uncertain. NaN is refused.
    gamma : float, default=0.1
        The share that is always kept, from 0 to 1. The largest score is kept even with
        0.
    temperature : float, default=0.01
        Larger than 0. About so large a share is kept beside the first.

    Returns
    -------
    proba : ndarray of shape (n,), dtype float64
        Equal scores have equal probabilities, the mean over the ranks that they share.

    Raises
    ------
    ValueError
        If a score is NaN, or a parameter is out of its range.

    Notes
    -----
    O(n log n) time, O(n) memory. The mean is what a random order of equal scores comes
    to; the authors' code leaves them to an unstable sort.

    References
    ----------
    A. Tsvigun, A. Shelmanov, G. Kuzmin, L. Sanochkin, D. Larionov, G. Gusev, M.
    Avetisian, L. Zhukov. Towards computationally feasible deep active learning.
    Findings of NAACL 2022. :doi:`10.18653/v1/2022.findings-naacl.90`

    Examples
    --------
    >>> from skal.functional import subsampling_proba
    >>> scores = [0.9, 0.1, 0.5, 0.7]
    >>> subsampling_proba(scores, gamma=0.25, temperature=0.25).round(2).tolist()
    [1.0, 0.14, 0.37, 1.0]
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1 or np.isnan(scores).any():
        raise ValueError(
            f"scores must be one number per row. Got shape {scores.shape} and "
            f"{np.isnan(scores).sum()} NaN."
        )
    if not 0 <= gamma <= 1 or not temperature > 0:
        raise ValueError(
            "gamma must be from 0 to 1 and temperature larger than 0. Got "
            f"gamma={gamma!r} and temperature={temperature!r}."
        )
    order = np.argsort(-scores, kind="stable")
    with np.errstate(over="ignore", under="ignore"):
        excess = np.maximum(0, np.arange(len(scores)) / max(len(scores), 1) - gamma)
        by_rank = np.exp(-excess / temperature)
    proba = np.empty(len(scores))
    proba[order] = _mean_of_equal(scores[order], by_rank)
    return proba


def _mean_of_equal(keys, values):
    """Each value replaced by the mean over those with an equal key; equals adjoin."""
    if len(keys) == 0:
        return values
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    sizes = np.diff(np.append(starts, len(keys)))
    return np.repeat(np.add.reduceat(values, starts) / sizes, sizes)


def subsampled_rows(
    scores, n_least=1, *, gamma=0.1, temperature=0.01, random_state=None
):
    """Keep each row with its probability by :func:`subsampling_proba`.

    Parameters
    ----------
    scores : array-like of shape (n,)
        Larger means more uncertain.
    n_least : int, default=1
        Where fewer rows are kept, those with the largest scores are added. Clamped to
        n.
    gamma, temperature : float
        See :func:`subsampling_proba`.
    random_state : int, RandomState instance or None, default=None
        Where the draws come from, one per row.

    Returns
    -------
    rows : ndarray of shape (m,), dtype int64
        Sorted positions, no duplicates.

    Raises
    ------
    ValueError
        See :func:`subsampling_proba`.

    Notes
    -----
    O(n log n) time, O(n) memory.

    Examples
    --------
    >>> from skal.functional import subsampled_rows
    >>> subsampled_rows([0.9, 0.1, 0.5, 0.7], gamma=0.3, random_state=0).tolist()
    [0, 3]
    """
    scores = np.asarray(scores, dtype=np.float64)
    proba = subsampling_proba(scores, gamma=gamma, temperature=temperature)
    kept = check_random_state(random_state).random_sample(len(proba)) < proba
    if kept.sum() < n_least:
        kept[top_rows(np.where(kept, np.inf, scores), n_least)] = True
    return np.flatnonzero(kept)
