# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What the course of training says of each training row."""

import numpy as np

# Counts of labels held at a time: 8 MB.
_AT_ONCE = 2**17


def data_map(gold_proba, correct):
    r"""Place each training row on a data map.

    .. math:: \hat\mu_i = \frac 1E \sum_e p_e(y_i \mid x_i), \qquad
        \hat\sigma_i = \sqrt{\frac 1E \sum_e (p_e(y_i \mid x_i) - \hat\mu_i)^2}, \qquad
        \hat\phi_i = \frac 1E \sum_e 1[\hat y_{e,i} = y_i]

    Parameters
    ----------
    gold_proba : array-like of shape (E, n)
        Probability of each row's own label in each epoch.
    correct : array-like of shape (E, n)
        Whether that label was predicted in the epoch.

    Returns
    -------
    confidence : ndarray of shape (n,), dtype float64
        Mean of the probability over the epochs.
    variability : ndarray of shape (n,), dtype float64
        Its population standard deviation.
    correctness : ndarray of shape (n,), dtype float64
        Share of the epochs in which the row was predicted right. (The authors of data
        maps count the epochs; Cartography AL takes the share.)

    Raises
    ------
    ValueError
        If the shapes differ, there is no epoch, or an entry of `gold_proba` is not a
        probability.

    Notes
    -----
    O(E n) time and memory.

    References
    ----------
    S. Swayamdipta et al. Dataset Cartography: mapping and diagnosing datasets with
    training dynamics. EMNLP 2020. :doi:`10.18653/v1/2020.emnlp-main.746`

    M. Zhang, B. Plank. Cartography Active Learning. Findings of EMNLP 2021, equations
    1 to 3. :doi:`10.18653/v1/2021.findings-emnlp.36`

    Examples
    --------
    >>> from skal.functional import data_map
    >>> confidence, variability, correctness = data_map([[0.2], [0.8]], [[0], [1]])
    >>> confidence.round(1).tolist(), variability.round(1).tolist()
    ([0.5], [0.3])
    >>> correctness.tolist()
    [0.5]
    """
    gold_proba = np.asarray(gold_proba, dtype=np.float64)
    correct = np.asarray(correct, dtype=np.float64)
    if gold_proba.ndim != 2 or gold_proba.shape != correct.shape or not len(correct):
        raise ValueError(
            "gold_proba and correct must have one shape (n_epochs, n_rows), with at "
            f"least one epoch. Got {gold_proba.shape} and {correct.shape}."
        )
    if not np.all((gold_proba >= -1e-6) & (gold_proba <= 1 + 1e-6)):
        raise ValueError("gold_proba must hold probabilities between 0 and 1.")
    return gold_proba.mean(axis=0), gold_proba.std(axis=0), correct.mean(axis=0)


def forgetting_events(correct, *, never_learned=None):
    r"""Count how often training unlearned each of its rows.

    A row is forgotten where one presentation of it was classified right and the next
    one was not:

    .. math:: f_i = \sum_{e=2}^{E} 1[c_{e-1,i} = 1 \wedge c_{e,i} = 0]

    Parameters
    ----------
    correct : array-like of shape (E, n) or (R, E, n)
        Whether each row's own label was predicted in each presentation, one per epoch
        as a rule; of several runs the counts are added up.
    never_learned : float, default=None
        The count of a row that was right in no presentation of a run. None is E, as in
        the authors' code; data maps take 1000, selection via proxy infinity, and 0
        leaves the events as they are (such a row has none).

    Returns
    -------
    events : ndarray of shape (n,), dtype float64
        Counts; those of a row that was never learned as `never_learned` says.

    Raises
    ------
    ValueError
        If `correct` has another shape, no presentation, or entries other than 0 and 1;
        if `never_learned` is negative or NaN.

    Notes
    -----
    O(R E n) time. Becoming right again is no event: a survey that counts a change "or
    vice versa" differs from the authors' code.

    References
    ----------
    M. Toneva, A. Sordoni, R. Tachet des Combes, A. Trischler, Y. Bengio, G. J. Gordon.
    An empirical study of example forgetting during deep neural network learning. ICLR
    2019. https://arxiv.org/abs/1812.05159

    Examples
    --------
    >>> from skal.functional import forgetting_events
    >>> correct = [[1, 0, 0], [0, 0, 1], [1, 0, 1], [0, 0, 1]]
    >>> forgetting_events(correct).tolist()
    [2.0, 4.0, 0.0]
    >>> forgetting_events(correct, never_learned=0).tolist()
    [2.0, 0.0, 0.0]
    """
    correct = np.asarray(correct)
    if correct.ndim not in (2, 3) or 0 in correct.shape[:-1]:
        raise ValueError(
            "correct must have shape (n_epochs, n_rows) or (n_runs, n_epochs, n_rows), "
            f"with at least one epoch and run. Got {correct.shape}."
        )
    right = correct.astype(bool)
    if not np.array_equal(right, correct):
        raise ValueError("correct must hold 0 and 1, or False and True, only.")
    n_epochs = correct.shape[-2]
    never_learned = n_epochs if never_learned is None else never_learned
    if not never_learned >= 0:
        raise ValueError(f"never_learned must be at least 0. Got {never_learned}.")
    forgotten = right[..., :-1, :] & ~right[..., 1:, :]
    events = np.count_nonzero(forgotten, axis=-2).astype(np.float64)
    events[~right.any(axis=-2)] = never_learned
    return events.sum(axis=0) if correct.ndim == 3 else events


def label_dispersion(predictions, n_classes):
    r"""How far the predictions of a row, made in the course of training, are scattered.

    .. math:: s(x) = 1 - \frac 1T \max_c \sum_{t=1}^T 1[\hat y_t(x) = c]

    Parameters
    ----------
    predictions : array-like of shape (T, n), dtype int
        The class predicted for each row after each epoch that was recorded, coded from
        0 to C - 1.
    n_classes : int
        C.

    Returns
    -------
    dispersion : ndarray of shape (n,), dtype float64
        The share of the predictions that are not the row's most frequent one: from 0
        to ``1 - 1 / min(T, C)``.

    Raises
    ------
    ValueError
        If there is no prediction, or one that is no integer from 0 to C - 1.

    Notes
    -----
    O(n (T + C)) time; memory O(n) and 1 MB of counts. With one prediction a row it is
    0. What :func:`variation_ratio` is of several models it is of one model at several
    times.

    References
    ----------
    J. Z. Bengar, B. Raducanu, J. van de Weijer. When deep learners change their mind:
    learning dynamics for active learning. CAIP 2021, Section 3.1.
    :doi:`10.1007/978-3-030-89128-2_39`

    Examples
    --------
    >>> from skal.functional import label_dispersion
    >>> label_dispersion([[0, 1], [0, 2], [0, 0], [0, 1]], n_classes=3).tolist()
    [0.0, 0.5]
    """
    predictions = np.asarray(predictions)
    if predictions.ndim != 2 or not len(predictions):
        raise ValueError(
            "predictions must have shape (n_times, n_rows), with at least one time. "
            f"Got {predictions.shape}."
        )
    _check_codes(predictions, n_classes)
    n_times, n_rows = predictions.shape
    most = np.empty(n_rows, dtype=np.int64)
    size = max(1, _AT_ONCE // max(n_times, n_classes))
    for start in range(0, n_rows, size):
        block = predictions[:, start : start + size].astype(np.int64)
        width = block.shape[1]
        block += n_classes * np.arange(width)
        counts = np.bincount(block.ravel(), minlength=n_classes * width)
        most[start : start + size] = counts.reshape(width, n_classes).max(axis=1)
    return 1 - most / n_times


def _check_codes(predictions, n_classes):
    codes = predictions if predictions.size else np.zeros(1, dtype=np.int64)
    if codes.dtype.kind not in "iu" or codes.min() < 0 or codes.max() >= n_classes:
        raise ValueError(
            f"predictions must be integer codes from 0 to n_classes - 1. Got "
            f"n_classes={n_classes} and codes of dtype {codes.dtype} from "
            f"{codes.min()} to {codes.max()}; leave out rows without a prediction."
        )
