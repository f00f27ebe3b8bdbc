# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Tests of the difference between two methods that were run with the same seeds."""

from numbers import Integral, Real

import numpy as np
from scipy import stats
from sklearn.utils import Bunch

from skal.metrics._checks import check_scores
from skal.utils._random import draw_seed
from skal.utils._sklearn import Interval, StrOptions, validate_parameter_constraints

_CONSTRAINTS = {
    "alternative": [StrOptions({"two-sided", "greater", "less"})],
    "confidence_level": [Interval(Real, 0, 1, closed="neither")],
    "n_resamples": [Interval(Integral, 1, None, closed="left")],
    "random_state": ["random_state"],
}
# Means that are equal but for the order of their terms.
_ROUNDING = 1e-12
# Numbers drawn at a time: 32 MB.
_AT_ONCE = 2**22


def paired_permutation_test(
    a, b, *, alternative="two-sided", n_resamples=9999, random_state=None
):
    r"""Test by swapping pairs whether two methods have the same scores.

    If it made no difference which method a score came from, each difference
    :math:`d_i = a_i - b_i` could as well have the other sign. The p-value is the share
    of all :math:`2^n` choices of signs with a mean as large as the one observed.

    Parameters
    ----------
    a, b : array-like of shape (n,)
        The scores of each method; ``a[i]`` and ``b[i]`` have the seed in common. At
        least two pairs.
    alternative : {"two-sided", "greater", "less"}, default="two-sided"
        What the test looks for: a difference, a larger A, a smaller A.
    n_resamples : int, default=9999
        If there are more choices of signs than this, so many are drawn at random, and
        the one observed is added. With 13 pairs or less all are taken: the p-value is
        exact.
    random_state : int, RandomState instance or None, default=None
        Where the draws come from.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        difference : float
            The mean of ``a - b``.
        pvalue : float
            At least ``2 / 2**n``, or half that if one-sided: five seeds cannot give
            less than 0.0625, whatever the scores are.

    Raises
    ------
    ValueError
        If numbers of scores differ, there are less than two, one is not finite, or a
        parameter is out of range.

    See Also
    --------
    paired_bootstrap_test : With a confidence interval.
    bonferroni : Correct several p-values.

    Notes
    -----
    :func:`scipy.stats.permutation_test` with ``permutation_type="samples"``. O(n
    n_resamples) time, O(n + n_resamples) memory. deepsig 1.2.8 draws at random always,
    and tests one side.

    References
    ----------
    R. A. Fisher. The design of experiments. 1935, Section 21.

    Examples
    --------
    >>> from skal.metrics import paired_permutation_test
    >>> a, b = [0.82, 0.85, 0.79, 0.88, 0.84], [0.80, 0.81, 0.78, 0.83, 0.81]
    >>> result = paired_permutation_test(a, b)
    >>> round(result.difference, 3), result.pvalue
    (0.03, 0.0625)
    """
    params = {k: v for k, v in locals().items() if k in _CONSTRAINTS}
    validate_parameter_constraints(_CONSTRAINTS, params, "paired_permutation_test")
    differences = _differences(a, b)
    result = stats.permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        alternative=alternative,
        n_resamples=n_resamples,
        batch=max(1, _AT_ONCE // len(differences)),
        random_state=np.random.default_rng(draw_seed(random_state)),
    )
    return Bunch(difference=float(differences.mean()), pvalue=float(result.pvalue))


def paired_bootstrap_test(
    a,
    b,
    *,
    alternative="two-sided",
    confidence_level=0.95,
    n_resamples=9999,
    random_state=None,
):
    r"""Test by resampling pairs whether one method scores higher than another.

    Pairs are drawn with replacement; :math:`\delta^*` is the mean difference of the
    drawn ones, :math:`\delta` that of all. Around their true mean, the observed ones
    are taken to scatter as the drawn ones do around the observed:

    .. math:: p = \frac{1 + \#\{\delta^* - \delta \ge \delta\}}{1 + B}

    Parameters
    ----------
    a, b : array-like of shape (n,)
        The scores of each method; ``a[i]`` and ``b[i]`` have the seed, or the test row,
        in common. At least two pairs; with less than about 20 the p-value is too small.
    alternative : {"two-sided", "greater", "less"}, default="two-sided"
        What the test looks for: a difference, a larger A, a smaller A. The formula is
        that of "greater".
    confidence_level : float, default=0.95
        Of the interval, which has two sides always.
    n_resamples : int, default=9999
        B.
    random_state : int, RandomState instance or None, default=None
        Where the draws come from.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        difference : float
            The mean of ``a - b``.
        low, high : float
            The basic bootstrap confidence interval of the mean difference.
        pvalue : float
            At least ``1 / (1 + n_resamples)``.

    Raises
    ------
    ValueError
        If numbers of scores differ, there are less than two, one is not finite, or a
        parameter is out of range.

    See Also
    --------
    paired_permutation_test : Exact for few pairs.
    bonferroni : Correct several p-values.

    Notes
    -----
    :func:`scipy.stats.bootstrap`, ``method="basic"``, of the differences. O(n
    n_resamples) time, O(n + n_resamples) memory. deepsig 1.2.8 draws from A and B
    independently, which loses the pairs: it takes a seed that is hard for both for
    chance. The p-value counts the observed sample as one of the resamples, so that it
    is never 0.

    References
    ----------
    T. Berg-Kirkpatrick, D. Burkett, D. Klein. An empirical investigation of statistical
    significance in NLP. EMNLP 2012, Figure 1. https://aclanthology.org/D12-1091

    Examples
    --------
    >>> from skal.metrics import paired_bootstrap_test
    >>> a, b = [0.82, 0.85, 0.79, 0.88, 0.84], [0.80, 0.81, 0.78, 0.83, 0.81]
    >>> result = paired_bootstrap_test(a, b, random_state=0)
    >>> result.low > 0, result.pvalue < 0.05
    (True, True)
    """
    params = {k: v for k, v in locals().items() if k in _CONSTRAINTS}
    validate_parameter_constraints(_CONSTRAINTS, params, "paired_bootstrap_test")
    differences = _differences(a, b)
    result = stats.bootstrap(
        (differences,),
        np.mean,
        method="basic",
        vectorized=True,
        confidence_level=confidence_level,
        n_resamples=n_resamples,
        batch=max(1, _AT_ONCE // len(differences)),
        random_state=np.random.default_rng(draw_seed(random_state)),
    )
    difference = differences.mean()
    scatter = result.bootstrap_distribution - difference
    sign = -1 if alternative == "less" else 1
    scatter, observed = sign * scatter, sign * difference
    if alternative == "two-sided":
        scatter, observed = np.abs(scatter), np.abs(difference)
    rounding = _ROUNDING * np.abs(differences).max()
    n_as_large = int((scatter >= observed - rounding).sum())
    interval = result.confidence_interval
    return Bunch(
        difference=float(difference),
        low=float(interval.low),
        high=float(interval.high),
        pvalue=(1 + n_as_large) / (1 + n_resamples),
    )


def bonferroni(pvalues):
    r"""Correct p-values for their number.

    .. math:: \min(1, k \, p_i)

    Parameters
    ----------
    pvalues : array-like of shape (k,)
        Of all tests that were made.

    Returns
    -------
    corrected : ndarray of shape (k,), dtype float64
        In the same order. Those below a level :math:`\alpha` hold together at it.

    Raises
    ------
    ValueError
        If one is not between 0 and 1, or `pvalues` is empty or not one-dimensional.

    Notes
    -----
    O(k) time. What deepsig 1.2.8 calls by this name is another procedure, and returns
    its results in another order.

    References
    ----------
    O. J. Dunn. Multiple comparisons among means. JASA 56, 1961.
    :doi:`10.1080/01621459.1961.10482090`

    Examples
    --------
    >>> from skal.metrics import bonferroni
    >>> bonferroni([0.01, 0.2, 0.4]).round(2).tolist()
    [0.03, 0.6, 1.0]
    """
    pvalues = np.asarray(pvalues, dtype=np.float64)
    if pvalues.ndim != 1 or not len(pvalues):
        raise ValueError(
            "pvalues must be a one-dimensional sequence, one per test. Got shape "
            f"{pvalues.shape}."
        )
    if not ((pvalues >= 0) & (pvalues <= 1)).all():
        raise ValueError(f"p-values must be between 0 and 1. Got {pvalues.tolist()}.")
    return np.minimum(1.0, pvalues * len(pvalues))


def _differences(a, b):
    a, b = check_scores(a, "a"), check_scores(b, "b")
    if len(a) != len(b):
        raise ValueError(
            "a and b must be paired: the same seeds in the same order. Got "
            f"{len(a)} and {len(b)} scores; leave out seeds that one of them lacks."
        )
    return a - b
