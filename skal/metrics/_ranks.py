# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Tests of several methods over several data sets, by their ranks."""

import math
from collections.abc import Mapping
from numbers import Real

import numpy as np
from scipy import stats
from sklearn.utils import Bunch

from skal.metrics._checks import check_scores
from skal.utils._sklearn import Interval, validate_parameter_constraints

_CONSTRAINTS = {"confidence_level": [Interval(Real, 0, 1, closed="neither")]}


def friedman_nemenyi_test(scores, *, confidence_level=0.95):
    r"""Test by their ranks whether several methods differ over data sets.

    On each of N data sets the k methods are ranked, the best first. Friedman's test
    asks whether the mean ranks :math:`R_j` differ more than by chance, in the form of
    Iman and Davenport,

    .. math:: \chi^2 = \frac{12 N}{k (k + 1)} \Bigl(\sum_j R_j^2
        - \frac{k (k + 1)^2}{4}\Bigr), \qquad
        F = \frac{(N - 1) \chi^2}{N (k - 1) - \chi^2}

    which is compared with the F distribution of :math:`k - 1` and
    :math:`(k - 1)(N - 1)` degrees of freedom. If they do, two methods differ by
    Nemenyi's test where their mean ranks are further apart than the critical difference

    .. math:: \mathrm{CD} = q_\alpha \sqrt{\frac{k (k + 1)}{6 N}} .

    Parameters
    ----------
    scores : dict of str to array-like of shape (n_datasets,)
        The score of each method on each data set, larger is better: the mean over the
        seeds. The data sets are in one order for all.
    confidence_level : float, default=0.95
        :math:`1 - \alpha` of Nemenyi's test, of all pairs together.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        names : list of str
            The methods.
        ranks : ndarray of shape (n_datasets, k), dtype float64
            1 is the best; equal scores share the mean of their ranks.
        mean_ranks : ndarray of shape (k,), dtype float64
            Over the data sets.
        statistic : float
            F; infinite where all data sets rank alike.
        pvalue : float
            Of Friedman's test.
        critical_difference : float
            CD.

    Raises
    ------
    ValueError
        If there are less than two methods or data sets, numbers of data sets differ, a
        score is not finite, or the level is out of range.
    TypeError
        If `scores` is no dict.

    See Also
    --------
    skal.inspection.RankDisplay : The picture.
    paired_permutation_test : Two methods on one data set, over seeds.

    Notes
    -----
    O(N k log k) time. :math:`q_\alpha` is the quantile of the studentized range with
    infinitely many degrees of freedom, divided by :math:`\sqrt 2`. Deviates from the
    paper where scores are equal: :math:`\chi^2` is then corrected for ties, which is
    the usual correction and raises it. Data sets must be independent: seeds are not
    data sets. With less than about five data sets CD is larger than most differences.

    References
    ----------
    J. Demšar. Statistical comparisons of classifiers over multiple data sets. JMLR 7,
    2006, Sections 3.2.1 and 3.2.2. https://jmlr.org/papers/v7/demsar06a.html

    Examples
    --------
    >>> from skal.metrics import friedman_nemenyi_test
    >>> scores = {
    ...     "a": [0.9, 0.8, 0.7, 0.9, 0.8],
    ...     "b": [0.8, 0.7, 0.6, 0.8, 0.9],
    ...     "c": [0.5, 0.4, 0.5, 0.6, 0.4],
    ... }
    >>> result = friedman_nemenyi_test(scores)
    >>> result.mean_ranks.round(1).tolist(), round(result.critical_difference, 2)
    ([1.2, 1.8, 3.0], 1.48)
    """
    params = {"confidence_level": confidence_level}
    validate_parameter_constraints(_CONSTRAINTS, params, "friedman_nemenyi_test")
    ranks = stats.rankdata(-_check_methods(scores), axis=1)
    n_datasets, n_methods = ranks.shape
    statistic, pvalue = _friedman(ranks)
    quantile = stats.studentized_range.ppf(confidence_level, n_methods, np.inf)
    width = math.sqrt(n_methods * (n_methods + 1) / (12 * n_datasets))
    return Bunch(
        names=list(scores),
        ranks=ranks,
        mean_ranks=ranks.mean(axis=0),
        statistic=statistic,
        pvalue=pvalue,
        critical_difference=float(quantile) * width,
    )


def _check_methods(scores):
    """The scores of all methods, (n_datasets, n_methods)."""
    if not isinstance(scores, Mapping):
        raise TypeError(
            "scores must be a dict: the scores of each method under its name. Got "
            f"{type(scores).__name__}."
        )
    if len(scores) < 2:
        raise ValueError(
            f"There must be at least two methods to compare. Got {list(scores)}."
        )
    columns = [
        check_scores(values, f"scores[{name!r}]", "data set")
        for name, values in scores.items()
    ]
    sizes = {name: len(column) for name, column in zip(scores, columns, strict=True)}
    if len(set(sizes.values())) > 1:
        raise ValueError(
            "All methods must have a score on each data set, in one order. Got numbers "
            f"of data sets {sizes}; leave out data sets that one of them lacks."
        )
    return np.column_stack(columns)


def _friedman(ranks):
    """Iman and Davenport's F, and its p-value."""
    n_datasets, n_methods = ranks.shape
    middle = (n_methods + 1) / 2
    scatter = np.square(ranks - middle).sum()
    if scatter == 0:  # all scores are equal
        return 0.0, 1.0
    between = np.square(ranks.sum(axis=0) - n_datasets * middle).sum()
    chi2 = (n_methods - 1) * between / scatter
    rest = n_datasets * (n_methods - 1) - chi2
    if rest < 1e-9:
        return math.inf, 0.0
    statistic = (n_datasets - 1) * chi2 / rest
    degrees = n_methods - 1, (n_methods - 1) * (n_datasets - 1)
    return float(statistic), float(stats.f.sf(statistic, *degrees))
