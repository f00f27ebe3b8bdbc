# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What the course of training says of each training row."""

import numpy as np


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
