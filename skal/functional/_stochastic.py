# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Scores with noise, whose largest are a random batch."""

import numpy as np
from scipy.stats import rankdata
from sklearn.utils import check_random_state

KINDS = ("power", "softmax", "softrank")
_SMALLEST = np.finfo(np.float64).tiny


def perturbed_scores(scores, *, kind="power", beta=1.0, random_state=None):
    r"""Add Gumbel noise to scores, so that the largest are a draw without replacement.

    The n largest of the result are rows drawn one after the other without replacement,
    each time with probabilities in proportion to

    .. math:: s_i^\beta \quad (\text{power}), \qquad e^{\beta s_i} \quad
        (\text{softmax}), \qquad r_i^{-\beta} \quad (\text{softrank})

    where :math:`r_i` is the rank of row i, 1 for the largest score.

    Parameters
    ----------
    scores : array-like of shape (n,)
        Finite. Larger means label first.
    kind : {"power", "softmax", "softrank"}, default="power"
        The law of the draw.
    beta : float, default=1.0
        How much the scores weigh: 0 draws uniformly, and the larger it is, the closer
        the draw comes to the largest scores themselves.
    random_state : int, RandomState instance or None, default=None
        Where the noise comes from.

    Returns
    -------
    scores : ndarray of shape (n,), dtype float64
        Finite; larger means label first.

    Raises
    ------
    ValueError
        If a score is not finite or `kind` is none of the three.

    Notes
    -----
    O(n) time and memory, O(n log n) time for ranks. "power" needs scores of at least 0:
    where one is negative (:func:`margin` gives such), the smallest is subtracted from
    all. Rows of score 0 come after all others, at random. Equal scores have one rank,
    the lowest of theirs.

    References
    ----------
    A. Kirsch et al. Stochastic batch acquisition: a simple baseline for deep active
    learning. TMLR 2023, section 3. https://arxiv.org/abs/2106.12059

    W. Kool, H. van Hoof, M. Welling. Stochastic beams and where to find them: the
    Gumbel-top-k trick for sampling sequences without replacement. ICML 2019.
    https://arxiv.org/abs/1903.06059

    Examples
    --------
    >>> from skal.functional import perturbed_scores, top_rows
    >>> top_rows(perturbed_scores([0.0, 0.2, 0.9], random_state=0), 2)
    array([2, 1])
    """
    scores = np.asarray(scores, dtype=np.float64)
    if not np.isfinite(scores).all():
        row = int(np.argmin(np.isfinite(scores)))
        raise ValueError(f"scores must be finite. Row {row} is {scores[row]}.")
    noise = check_random_state(random_state).gumbel(size=scores.shape)
    return beta * _log_weights(scores, kind) + noise


def _log_weights(scores, kind):
    if kind == "softmax":
        return scores
    if kind == "softrank":
        return -np.log(rankdata(-scores, method="min"))
    if kind == "power":
        scores = scores - min(scores.min(initial=0), 0)
        return np.log(np.maximum(scores, _SMALLEST))
    raise ValueError(f"kind must be one of {list(KINDS)}. Got {kind!r}.")
