# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Almost stochastic order: is one set of scores larger, as a distribution?"""

from collections.abc import Mapping
from itertools import combinations
from numbers import Integral, Real

import numpy as np
from scipy.stats import norm
from sklearn.utils import Bunch, check_random_state

from skal.metrics._checks import check_scores
from skal.utils._random import draw_seed
from skal.utils._sklearn import Interval, validate_parameter_constraints

_CONSTRAINTS = {
    "confidence_level": [Interval(Real, 0, 1, closed="neither")],
    "n_comparisons": [Interval(Integral, 1, None, closed="left")],
    "n_resamples": [Interval(Integral, 2, None, closed="left")],
    "dt": [Interval(Real, 0, 0.5, closed="right")],
    "random_state": ["random_state"],
}


def almost_stochastic_order(
    a,
    b,
    *,
    confidence_level=0.95,
    n_comparisons=1,
    n_resamples=1000,
    dt=0.005,
    random_state=None,
):
    r"""Test whether scores of A are stochastically almost larger than those of B.

    The violation ratio says which part of the distance between the two distributions
    speaks against A, by their quantile functions :math:`F^{-1}`: 0 if every quantile of
    A is at least that of B, 1 if A is below B everywhere,

    .. math:: \varepsilon(A, B) = \frac{\int_V (F_B^{-1}(t) - F_A^{-1}(t))^2 \, dt}
        {\int_0^1 (F_B^{-1}(t) - F_A^{-1}(t))^2 \, dt}, \qquad
        V = \{t: F_A^{-1}(t) < F_B^{-1}(t)\} .

    Of n scores of A and m of B only an estimate can be had. The test gives an upper
    bound of the true ratio, at level :math:`\alpha`, less if several are made,

    .. math:: \varepsilon_{\min}(A, B) = \hat\varepsilon
        - \hat\sigma \sqrt{\tfrac{n + m}{nm}} \, \Phi^{-1}\bigl(\tfrac\alpha k\bigr)

    where :math:`\hat\sigma` is the standard deviation of
    :math:`\sqrt{nm / (n + m)} (\varepsilon^* - \hat\varepsilon)` over resamples. A is
    almost stochastically larger than B if it is below 0.5, or a smaller threshold.

    Parameters
    ----------
    a, b : array-like of shape (n,) and (m,)
        The scores of each, larger is better, one per seed: areas under its learning
        curves, for example. They may differ in number; at least two each. Scores of
        several rounds of one run depend on each other, and do not belong here.
    confidence_level : float, default=0.95
        :math:`1 - \alpha`.
    n_comparisons : int, default=1
        How many such bounds are to hold together, k: Bonferroni's correction.
    n_resamples : int, default=1000
        Bootstrap resamples.
    dt : float, default=0.005
        Quantiles are compared at dt, 2 dt, ... below 1.
    random_state : int, RandomState instance or None, default=None
        Where the resamples come from.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        epsilon : float
            The bound for "A is larger than B", clipped to [0, 1].
        epsilon_reverse : float
            The bound for "B is larger than A". It is not ``1 - epsilon``, which would
            be a lower bound: both can be above 0.5, and then nothing is shown.
        violation_ratio : float
            :math:`\hat\varepsilon(A, B)`; 0.5 where all quantiles are equal. That of B
            and A is ``1 - violation_ratio``.

    Raises
    ------
    ValueError
        If there are less than two scores of either, one is not finite, or a parameter
        is out of range.

    See Also
    --------
    pairwise_stochastic_order : All pairs of several methods, with the correction.
    paired_permutation_test : For scores of the same seeds; exact for few.

    Notes
    -----
    O(n_resamples (n + m + 1 / dt)) time and memory. With a handful of seeds the bound
    is rough: where all scores of A are above all of B, it is 0 whatever their number.

    Deviates from deepsig 1.2.8, whose quantiles are these, in three places. There, a
    correction for k comparisons takes :math:`1 - \alpha + \alpha / k` for
    :math:`1 - \alpha / k`, so that it gets weaker with more of them; two models
    compared with it are never ordered; and the first grid point is left out of the
    numerator, so that a ratio of 1 comes out below 1.

    References
    ----------
    R. Dror, S. Shlomov, R. Reichart. Deep dominance - how to properly compare deep
    neural models. ACL 2019, Section 4. :doi:`10.18653/v1/P19-1266`

    E. del Barrio, J. A. Cuesta-Albertos, C. Matrán. An optimal transportation approach
    for assessing almost stochastic order. 2018. :doi:`10.48550/arXiv.1705.01788`

    Examples
    --------
    >>> from skal.metrics import almost_stochastic_order
    >>> a = [0.82, 0.85, 0.79, 0.88, 0.84, 0.86]
    >>> b = [0.80, 0.78, 0.81, 0.77, 0.79, 0.80]
    >>> result = almost_stochastic_order(a, b, random_state=0)
    >>> result.epsilon < 0.5 < result.epsilon_reverse
    True
    """
    params = {k: v for k, v in locals().items() if k in _CONSTRAINTS}
    validate_parameter_constraints(_CONSTRAINTS, params, "almost_stochastic_order")
    a, b = check_scores(a, "a"), check_scores(b, "b")
    random = check_random_state(draw_seed(random_state))
    drawn_a = random.choice(a, (n_resamples, len(a)))
    drawn_b = random.choice(b, (n_resamples, len(b)))
    ratio = float(_violation_ratio(a, b, dt))
    resampled = _violation_ratio(drawn_a, drawn_b, dt)
    level = 1 - (1 - confidence_level) / n_comparisons
    return Bunch(
        epsilon=_bound(ratio, resampled, len(a), len(b), level),
        epsilon_reverse=_bound(1 - ratio, 1 - resampled, len(a), len(b), level),
        violation_ratio=ratio,
    )


def _violation_ratio(a, b, dt):
    """Of scores along the last axis; 0.5 where no quantile differs."""
    lead = _quantiles(b, dt) - _quantiles(a, dt)
    whole = np.square(lead).sum(axis=-1)
    against = np.square(np.maximum(lead, 0)).sum(axis=-1)
    differs = whole > 0
    return np.where(differs, against / np.where(differs, whole, 1), 0.5)


def _quantiles(scores, dt):
    """The inverse of the empirical distribution function on a grid."""
    n_scores = scores.shape[-1]
    index = np.ceil(n_scores * np.arange(dt, 1, dt)).astype(np.int64) - 1
    return np.sort(scores, axis=-1)[..., np.clip(index, 0, n_scores - 1)]


def _bound(ratio, resampled, n_a, n_b, level):
    scale = np.sqrt(n_a * n_b / (n_a + n_b))
    sigma = np.std(scale * (resampled - ratio))
    return float(np.clip(ratio - sigma / scale * norm.ppf(1 - level), 0, 1))


def pairwise_stochastic_order(
    scores,
    *,
    confidence_level=0.95,
    n_comparisons=None,
    n_resamples=1000,
    dt=0.005,
    random_state=None,
):
    r"""Test all pairs of several methods for almost stochastic order.

    Parameters
    ----------
    scores : dict of str to array-like of shape (n_runs,)
        The scores of each method, larger is better, one per seed.
    confidence_level : float, default=0.95
        Of all bounds together: the probability that none is below the true ratio.
    n_comparisons : int or None, default=None
        What Bonferroni's correction divides the level by. None: the number of bounds,
        k (k - 1) for k methods, since both directions of each pair are tested. The
        literature counts pairs, k (k - 1) / 2; 1 corrects nothing.
    n_resamples : int, default=1000
        Bootstrap resamples of each pair.
    dt : float, default=0.005
        Quantiles are compared at dt, 2 dt, ... below 1.
    random_state : int, RandomState instance or None, default=None
        Where the resamples come from; each pair starts anew.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        names : list of str
            The methods.
        epsilon : ndarray of shape (k, k), dtype float64
            ``epsilon[i, j]`` is the bound for "i is larger than j", nan for ``i == j``.
        violation_ratio : ndarray of shape (k, k), dtype float64
            The estimates.

    Raises
    ------
    ValueError
        If there are less than two methods, or less than two scores of one of them, one
        is not finite, or a parameter is out of range.
    TypeError
        If `scores` is no dict.

    See Also
    --------
    almost_stochastic_order : The test of one pair, and its formula.

    Notes
    -----
    O(k² n_resamples (n + 1 / dt)) time. Where deepsig 1.2.8 and Table 2 of the
    Cartography AL paper differ: see :func:`almost_stochastic_order`. That table fills
    one half with one minus the other, which are lower bounds, not upper ones.

    References
    ----------
    R. Dror, S. Shlomov, R. Reichart. Deep dominance - how to properly compare deep
    neural models. ACL 2019. :doi:`10.18653/v1/P19-1266`

    Examples
    --------
    >>> from skal.metrics import pairwise_stochastic_order
    >>> scores = {
    ...     "a": [0.82, 0.85, 0.79, 0.88, 0.84],
    ...     "b": [0.60, 0.58, 0.61, 0.57, 0.59],
    ...     "c": [0.40, 0.42, 0.39, 0.41, 0.38],
    ... }
    >>> result = pairwise_stochastic_order(scores, random_state=0)
    >>> (result.epsilon < 0.5).tolist()
    [[False, True, True], [False, False, True], [False, False, False]]
    """
    if not isinstance(scores, Mapping):
        raise TypeError(
            "scores must be a dict: the scores of each method under its name. Got "
            f"{type(scores).__name__}."
        )
    names = list(scores)
    if len(names) < 2:
        raise ValueError(f"There must be at least two methods to compare. Got {names}.")
    checked = [check_scores(scores[name], f"scores[{name!r}]") for name in names]
    n_bounds = len(names) * (len(names) - 1)
    options = {
        "confidence_level": confidence_level,
        "n_comparisons": n_bounds if n_comparisons is None else n_comparisons,
        "n_resamples": n_resamples,
        "dt": dt,
        "random_state": draw_seed(random_state),
    }
    epsilon, ratio = np.full((2, len(names), len(names)), np.nan)
    for i, j in combinations(range(len(names)), 2):
        pair = almost_stochastic_order(checked[i], checked[j], **options)
        epsilon[i, j], epsilon[j, i] = pair.epsilon, pair.epsilon_reverse
        ratio[i, j], ratio[j, i] = pair.violation_ratio, 1 - pair.violation_ratio
    return Bunch(names=names, epsilon=epsilon, violation_ratio=ratio)
