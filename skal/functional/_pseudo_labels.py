# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Pseudo-labels: which unlabelled rows a classifier is sure enough of."""

from numbers import Integral

import numpy as np

from skal.functional._clustering import check_clusters
from skal.functional._uncertainty import entropy
from skal.utils._arrays import check_proba


def confident_rows(proba, threshold):
    r"""Rows whose predictive entropy is below a threshold, the surest first (CEAL).

    .. math:: \{x : H(p_x) < \delta\}

    Parameters
    ----------
    proba : array-like of shape (n, C)
        Class probabilities.
    threshold : float
        The paper's delta, in nats. 0 or less: no row is below it.

    Returns
    -------
    rows : ndarray of shape (m,), dtype int64
        By rising entropy, ties by lower row. Their pseudo-labels are the largest
        entries of `proba`.

    Raises
    ------
    ValueError
        If an entry of `proba` is not a probability.

    See Also
    --------
    decayed_threshold : The threshold of a round.
    confident_region_rows : Rows of certain regions, AcTune's rule.

    Notes
    -----
    O(n C + m log m) time, O(n) memory. A row exactly at the threshold is left out.

    References
    ----------
    K. Wang, D. Zhang, Y. Li, R. Zhang, L. Lin. Cost-effective active learning for deep
    image classification. IEEE TCSVT 27, 2017. https://arxiv.org/abs/1701.03551

    Examples
    --------
    >>> from skal.functional import confident_rows
    >>> confident_rows([[0.98, 0.02], [0.6, 0.4], [0.0, 1.0]], 0.1).tolist()
    [2, 0]
    """
    scores = entropy(proba)
    return _surest_first(scores, scores < threshold)


def decayed_threshold(threshold, n_rounds, *, rate=0.0033, decay="linear"):
    r"""CEAL's entropy threshold after some rounds.

    .. math:: \delta_t = \delta_0 - r t \quad\text{(linear)}, \qquad
        \delta_t = \delta_{t-1} - r t \quad\text{(literal)}

    Parameters
    ----------
    threshold : float
        The threshold of the first round, delta_0, in nats.
    n_rounds : int
        Rounds since the first, t.
    rate : float, default=0.0033
        How fast it falls, r.
    decay : {"linear", "literal"}, default="linear"
        "literal" is the paper's formula to the letter. It adds up to
        ``threshold - rate * t * (t + 1) / 2``: it falls quadratically.

    Returns
    -------
    threshold : float
        It may be negative; no entropy is below it then.

    Raises
    ------
    ValueError
        If `n_rounds` is no integer of at least 0 or `decay` is none of the two.

    See Also
    --------
    confident_rows : The rows below the threshold.

    References
    ----------
    K. Wang, D. Zhang, Y. Li, R. Zhang, L. Lin. Cost-effective active learning for deep
    image classification. IEEE TCSVT 27, 2017, the threshold updating.
    https://arxiv.org/abs/1701.03551

    Examples
    --------
    >>> from skal.functional import decayed_threshold
    >>> [round(decayed_threshold(0.05, t), 4) for t in (0, 1, 2, 6)]
    [0.05, 0.0467, 0.0434, 0.0302]
    >>> [round(decayed_threshold(0.05, t, decay="literal"), 4) for t in (0, 1, 2, 6)]
    [0.05, 0.0467, 0.0401, -0.0193]
    """
    if not isinstance(n_rounds, Integral) or n_rounds < 0:
        raise ValueError(f"n_rounds must be an int of at least 0. Got {n_rounds!r}.")
    if decay not in ("linear", "literal"):
        raise ValueError(f"decay must be 'linear' or 'literal'. Got {decay!r}.")
    steps = n_rounds if decay == "linear" else n_rounds * (n_rounds + 1) // 2
    return float(threshold - rate * steps)


def confident_region_rows(
    proba, clusters, region_scores, *, n_regions=10, threshold=0.7
):
    """Rows predicted with confidence in the regions of least uncertainty (AcTune).

    Parameters
    ----------
    proba : array-like of shape (n, C)
        Class probabilities.
    clusters : array-like of shape (n,), dtype int
        Cluster of each row, from 0; some may be empty.
    region_scores : array-like of shape (K,)
        Uncertainty of each cluster, as :func:`region_scores` gives it; minus infinity
        marks an empty one.
    n_regions : int, default=10
        How many clusters to look into, those with the smallest scores.
    threshold : float, default=0.7
        The probability of the predicted class is above it.

    Returns
    -------
    rows : ndarray of shape (m,), dtype int64
        By rising entropy, ties by lower row. Their pseudo-labels are the largest
        entries of `proba`.

    Raises
    ------
    ValueError
        If an entry of `proba` is not a probability or a cluster is not in range.

    See Also
    --------
    region_scores : How uncertain each region is.
    region_rows : The method's other part, the uncertain rows of uncertain regions.
    confident_rows : A rule without regions.

    Notes
    -----
    O(n C + K log K + m log m) time, O(n + K) memory. Of clusters with equal scores the
    lower one comes first.

    References
    ----------
    Y. Yu, L. Kong, J. Zhang, R. Zhang, C. Zhang. AcTune: uncertainty-based active
    self-training for active fine-tuning of pretrained language models. NAACL 2022,
    Section 3.3. :doi:`10.18653/v1/2022.naacl-main.102`

    Examples
    --------
    >>> from skal.functional import confident_region_rows
    >>> proba = [[0.8, 0.2], [0.9, 0.1], [0.55, 0.45], [0.3, 0.7], [0.95, 0.05]]
    >>> regions = [0.4, 1.2]
    >>> confident_region_rows(proba, [0, 0, 0, 1, 1], regions, n_regions=1).tolist()
    [1, 0]
    """
    proba = check_proba(proba)
    region_scores = np.asarray(region_scores, dtype=np.float64)
    clusters = check_clusters(clusters, len(proba), len(region_scores))
    by_score = np.argsort(region_scores, kind="stable")
    certain = by_score[region_scores[by_score] > -np.inf][:n_regions]
    sure = np.isin(clusters, certain) & (proba.max(axis=1, initial=0) > threshold)
    return _surest_first(entropy(proba), sure)


def _surest_first(scores, eligible):
    rows = np.flatnonzero(eligible)
    return rows[np.argsort(scores[rows], kind="stable")]
