# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""How far the predictions of two models of the same rows agree."""

import math

import numpy as np

from skal.functional._uncertainty import entropy


def cohen_kappa(first, second):
    r"""Agreement of two models beyond what chance would give.

    .. math:: \kappa = \frac{p_o - p_e}{1 - p_e}, \qquad
              p_o = \frac{1}{n} \sum_i [\hat y_i = \hat y'_i], \qquad
              p_e = \sum_c \frac{n_c}{n} \frac{n'_c}{n}

    with :math:`n_c` and :math:`n'_c` rows that the one and the other predict to be of
    class c.

    Parameters
    ----------
    first, second : array-like of shape (n,)
        Predicted labels of the same rows.

    Returns
    -------
    kappa : float
        1 for equal predictions, 0 for an agreement as good as chance, at least -1.

    Raises
    ------
    ValueError
        If the two are not one-dimensional, differ in length or are empty.

    Notes
    -----
    O(n log n) time, O(n) memory.

    If both predict one and the same class for all rows, numerator and denominator are
    0. The predictions are equal, so kappa is 1 here, where
    :func:`sklearn.metrics.cohen_kappa_score` gives nan.

    References
    ----------
    J. Cohen. A coefficient of agreement for nominal scales. Educational and
    Psychological Measurement 20, 1960. :doi:`10.1177/001316446002000104`

    Examples
    --------
    >>> from skal.functional import cohen_kappa
    >>> cohen_kappa(["a", "a", "b", "b"], ["a", "a", "b", "a"])
    0.5
    >>> cohen_kappa(["a", "a"], ["a", "a"])
    1.0
    """
    first, second = _codes(first, second)
    n_rows = len(first)
    n_agreeing = int(np.sum(first == second))
    size = int(max(first.max(), second.max())) + 1
    counts = np.bincount(first, minlength=size), np.bincount(second, minlength=size)
    by_chance = int(np.dot(*counts))  # n * n * p_e, a whole number
    if by_chance == n_rows * n_rows:
        return 1.0
    return (n_rows * n_agreeing - by_chance) / (n_rows * n_rows - by_chance)


def prediction_change(first, second):
    """Share of the rows that two models predict differently.

    Parameters
    ----------
    first, second : array-like of shape (n,)
        Predicted labels of the same rows.

    Returns
    -------
    change : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If the two are not one-dimensional, differ in length or are empty.

    Notes
    -----
    O(n log n) time, O(n) memory.

    References
    ----------
    J. Zhu, H. Wang, E. Hovy. Multi-criteria-based strategy to stop active learning for
    data annotation. COLING 2008. https://aclanthology.org/C08-1142

    Examples
    --------
    >>> from skal.functional import prediction_change
    >>> prediction_change(["a", "a", "b", "b"], ["a", "a", "b", "a"])
    0.25
    """
    first, second = _codes(first, second)
    return int(np.sum(first != second)) / len(first)


def predicted_f_change(first, second, pos_label=None):
    r"""How much F1 would differ between two models, if one of them were right.

    .. math:: \Delta \hat F = 1 - \frac{2a}{2a + b + c}

    with a rows that both models predict to be positive and b and c rows that only the
    one or the other does. Rows that both predict to be negative do not count.

    Parameters
    ----------
    first, second : array-like of shape (n,)
        Predicted labels of the same rows.
    pos_label : label or None, default=None
        The positive class, as in the paper. None: the mean over the classes that either
        model predicts, each in its turn positive.

    Returns
    -------
    change : float
        Between 0 and 1. 0 if neither model predicts `pos_label` for any row, where the
        equation reads 0/0: nothing has changed.

    Raises
    ------
    ValueError
        If the two are not one-dimensional, differ in length or are empty.

    Notes
    -----
    O(n log n + C) time for C classes, O(n + C) memory.

    The paper has two classes, one of them positive. Of the ways to more classes, the
    mean over them (macro F1) is taken, for it heeds rare ones; with the counts summed
    over all classes (micro F1) the equation becomes :func:`prediction_change`.

    References
    ----------
    M. Altschuler, M. Bloodgood. Stopping active learning based on predicted change of F
    measure for text classification. ICSC 2019. https://arxiv.org/abs/1901.09118

    Examples
    --------
    >>> from skal.functional import predicted_f_change
    >>> before, now = ["+", "+", "-", "-", "-"], ["+", "-", "+", "-", "-"]
    >>> predicted_f_change(before, now, pos_label="+")
    0.5
    >>> round(predicted_f_change(before, now), 3)
    0.417
    """
    if pos_label is not None:
        first, second = _codes(first, second, of=pos_label)
    else:
        first, second = _codes(first, second)
    size = int(max(first.max(), second.max())) + 1
    in_both = np.bincount(first[first == second], minlength=size)
    in_each = np.bincount(first, minlength=size) + np.bincount(second, minlength=size)
    if pos_label is not None:
        in_both, in_each = in_both[1:], in_each[1:]
    found = in_each > 0  # 2a + b + c of each class
    if not found.any():
        return 0.0
    changes = (in_each - 2 * in_both)[found] / in_each[found]
    return math.fsum(changes) / len(changes)


def overall_uncertainty(proba):
    r"""Mean entropy, as a share of the largest there could be.

    .. math:: \frac{1}{n} \sum_i \frac{H(p_i)}{\log C}

    Parameters
    ----------
    proba : array-like of shape (n, C)
        Class probabilities.

    Returns
    -------
    uncertainty : float
        Between 0 and 1; nan without rows and with a single class, of which no model
        could be uncertain.

    Raises
    ------
    ValueError
        If `proba` is not two-dimensional or an entry is not a probability.

    See Also
    --------
    entropy : Of each row, in nats.

    Notes
    -----
    O(n C) time, O(n) memory.

    References
    ----------
    J. Zhu, H. Wang, E. Hovy. Multi-criteria-based strategy to stop active learning for
    data annotation. COLING 2008. https://aclanthology.org/C08-1142

    Examples
    --------
    >>> from skal.functional import overall_uncertainty
    >>> overall_uncertainty([[1.0, 0.0], [0.5, 0.5]])
    0.5
    """
    scores = entropy(proba)
    n_classes = np.shape(proba)[1]
    if len(scores) == 0 or n_classes < 2:
        return math.nan
    return min(math.fsum(scores) / len(scores) / math.log(n_classes), 1.0)


def _codes(first, second, of=None):
    """Both as codes of their labels; with `of`, 1 for this label and 0 for others."""
    first, second = np.asarray(first), np.asarray(second)
    if first.ndim != 1 or first.shape != second.shape or not len(first):
        raise ValueError(
            "Predictions of two models must be of the same rows, at least one, in one "
            f"dimension. Got shapes {first.shape} and {second.shape}."
        )
    if of is not None:
        return (first == of).astype(np.int64), (second == of).astype(np.int64)
    _, codes = np.unique(np.concatenate([first, second]), return_inverse=True)
    return codes[: len(first)], codes[len(first) :]
