# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Summaries of a learning curve."""

import math

from sklearn.utils.validation import check_array


def learning_curve_auc(values, *, normalize=False):
    r"""Area under a learning curve, in rounds.

    The trapezoidal rule with one round as the unit of the x-axis, as in the AnchorAL
    paper [1]_: with the scores :math:`f_0, \dots, f_T` after each round,

    .. math:: \mathrm{AUC} = \sum_{t=1}^{T} \frac{f_{t-1} + f_t}{2} .

    Its largest value is the number of rounds times the largest score, so areas of runs
    with different numbers of rounds compare only when normalized.

    Parameters
    ----------
    values : array-like of shape (n_rounds + 1,)
        The score after each round, starting with round 0 (the seed labels alone).
    normalize : bool, default=False
        Divide by the number of rounds: the mean height of the curve. The curve of a
        single point has none, which gives nan.

    Returns
    -------
    float
        The area; 0.0 for a single point.

    Raises
    ------
    ValueError
        If `values` is empty, not one-dimensional or not numeric, or if it holds nan or
        infinity.
    TypeError
        If `values` is a single number.

    Notes
    -----
    Costs O(n_rounds).

    References
    ----------
    .. [1] Lesci, P. and Vlachos, A. (2024). AnchorAL: Computationally efficient active
       learning for large and imbalanced datasets. NAACL, appendix B.

    Examples
    --------
    >>> from skal.metrics import learning_curve_auc
    >>> learning_curve_auc([0.25, 0.5, 0.75])
    1.0
    >>> learning_curve_auc([0.25, 0.5, 0.75], normalize=True)
    0.5
    """
    values = check_array(
        values, dtype="float64", ensure_2d=False, allow_nd=True, input_name="values"
    )
    if values.ndim != 1:
        raise ValueError(
            "values must be one-dimensional: one score per round of one run. Got an "
            f"array of shape {values.shape}. Call learning_curve_auc once per run."
        )
    n_rounds = len(values) - 1
    area = float((values[:-1] + values[1:]).sum() / 2)
    if not normalize:
        return area
    return area / n_rounds if n_rounds else math.nan
