# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What a batch looked like to the model that selected it (REAL)."""

import numpy as np
from sklearn.utils.multiclass import unique_labels

from skal.metrics._checks import check_labels, check_predictions, check_rows
from skal.utils._arrays import check_proba


def sampling_error_rate(y_true, y_pred, rows):
    r"""Share of a batch that the model predicted wrongly when it was selected.

    .. math:: \varepsilon(Q) = \frac 1{|Q|} \sum_{x \in Q} 1[\hat y(x) \ne y(x)]

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels of the pool the batch was selected from.
    y_pred : array-like of shape (n,)
        What the model predicted of it then, before it learned the batch.
    rows : array-like of int of shape (b,)
        The batch Q: positions in the pool.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If lengths or kinds of labels differ, or `rows` is empty, repeats a position or
        leaves the pool.

    See Also
    --------
    error_lift : The same, compared with the pool.

    Notes
    -----
    O(b) time.

    References
    ----------
    C. Chen et al. REAL: a representative error-driven approach for active learning.
    ECML PKDD 2023, Section 5.2 and Table 3. :doi:`10.1007/978-3-031-43412-9_2`

    Examples
    --------
    >>> from skal.metrics import sampling_error_rate
    >>> sampling_error_rate([0, 0, 1, 1], [0, 1, 1, 1], rows=[1, 2])
    0.5
    """
    _, wrong = check_predictions(y_true, y_pred)
    return float(wrong[check_rows(rows, len(wrong))].mean())


def error_lift(y_true, y_pred, rows):
    r"""How much richer in errors a batch is than the pool it was selected from.

    .. math:: \frac{\varepsilon(Q)}{\varepsilon(D_u)}

    The error rate of the batch Q over that of the whole pool, Q included, before the
    model learned Q. A random batch has 1 on average.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels of the pool the batch was selected from.
    y_pred : array-like of shape (n,)
        What the model predicted of it then, before it learned the batch.
    rows : array-like of int of shape (b,)
        The batch: positions in the pool.

    Returns
    -------
    float
        At least 0; nan where nothing in the pool is wrong.

    Raises
    ------
    ValueError
        If lengths or kinds of labels differ, or `rows` is empty, repeats a position or
        leaves the pool.

    See Also
    --------
    sampling_error_rate : The numerator.

    Notes
    -----
    O(n) time. The paper's code for its analyses is not public. A mean over rounds of
    this ratio is not the ratio of the means, which is what Table 3 of the paper holds.

    References
    ----------
    C. Chen et al. REAL: a representative error-driven approach for active learning.
    ECML PKDD 2023, Section 5.2 and Table 3. :doi:`10.1007/978-3-031-43412-9_2`

    Examples
    --------
    >>> from skal.metrics import error_lift
    >>> error_lift([0, 0, 1, 1], [0, 1, 1, 1], rows=[1, 2])
    2.0
    """
    _, wrong = check_predictions(y_true, y_pred)
    in_batch, in_pool = wrong[check_rows(rows, len(wrong))].mean(), wrong.mean()
    return float(in_batch / in_pool) if in_pool > 0 else float("nan")


def first_step_loss(y_true, proba, rows, *, classes=None):
    r"""Mean loss of a batch before the model learns it.

    .. math:: \ell_0 = \frac 1{|Q|} \sum_{x \in Q} -\log p(y(x) \mid x)

    What the first training step costs where training goes on from the model that
    selected the batch, as in REAL's code.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels of the pool the batch was selected from.
    proba : array-like of shape (n, C)
        What that model's `predict_proba` gave of it.
    rows : array-like of int of shape (b,)
        The batch Q: positions in the pool.
    classes : array-like of shape (C,), default=None
        The label of each column, the model's `classes_`. None: the labels in `y_true`,
        sorted.

    Returns
    -------
    float
        In nats; infinite where a label in the batch was given probability 0.

    Raises
    ------
    ValueError
        If lengths differ, an entry is not a probability, `classes` do not fit the
        columns or lack a label of the batch, or `rows` is not a batch.

    Notes
    -----
    O(b + n) time. The authors train with dropout, so that their first loss has noise;
    with the probabilities of a forward pass without dropout it has none.

    References
    ----------
    C. Chen et al. REAL: a representative error-driven approach for active learning.
    ECML PKDD 2023, Section 5.2 and Table 3. :doi:`10.1007/978-3-031-43412-9_2`

    Examples
    --------
    >>> from skal.metrics import first_step_loss
    >>> proba = [[0.9, 0.1], [0.5, 0.5], [0.25, 0.75]]
    >>> round(first_step_loss([0, 1, 1], proba, rows=[1]), 4)
    0.6931
    """
    proba = check_proba(proba)
    y_true = check_labels(y_true, len(proba))
    rows = check_rows(rows, len(proba))
    classes = unique_labels(y_true) if classes is None else np.asarray(classes)
    if len(classes) != proba.shape[1]:
        raise ValueError(
            f"proba must have one column per class. Got {proba.shape[1]} columns and "
            f"{len(classes)} classes; pass classes=, the model's classes_."
        )
    gold = y_true[rows][:, None] == classes
    if not gold.any(axis=1).all():
        bad = y_true[rows][np.argmin(gold.any(axis=1))]
        raise ValueError(f"classes must hold every label of the batch. {bad!r} is not.")
    with np.errstate(divide="ignore"):
        return float(-np.log(proba[rows][gold]).mean())
