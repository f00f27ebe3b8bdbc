# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""AcTune: regions the classifier is unsure of, and the least sure rows of each."""

import numpy as np
from scipy.special import entr

from skal.functional._clustering import check_clusters
from skal.functional._pseudo_errors import check_compat
from skal.utils._arrays import check_proba

# A share of rows that is whole but for rounding counts as whole.
_ROUNDING = 1e-9


def region_scores(scores, proba, clusters, *, beta=0.5, n_clusters=None, compat=None):
    r"""How uncertain the rows of each cluster are, and how mixed their predictions.

    .. math:: u_k = \frac{1}{|C_k|} \sum_{x \in C_k} u(x)
        - \beta \sum_c f_{kc} \log f_{kc}

    where :math:`f_{kc}` is the share of the rows of cluster k that are predicted as
    class c.

    Parameters
    ----------
    scores : array-like of shape (n,)
        Uncertainty u of each row; larger means less certain.
    proba : array-like of shape (n, C)
        Class probabilities.
    clusters : array-like of shape (n,), dtype int
        Cluster of each row, from 0; some may be empty.
    beta : float, default=0.5
        How much mixed predictions count.
    n_clusters : int, default=None
        Their number K. None: one more than the largest in `clusters`.
    compat : {None, "reference"}, default=None
        "reference" divides the counts of classes by the largest of them, as the
        authors' code does, not by their sum: what comes out is no entropy, and the
        majority adds nothing to it.

    Returns
    -------
    region_scores : ndarray of shape (K,), dtype float64
        Larger means label there first; minus infinity for an empty cluster.

    Raises
    ------
    ValueError
        If an entry of `proba` is not a probability, a cluster is not in range, or there
        is not one score per row.

    See Also
    --------
    region_rows : Which rows are picked.

    Notes
    -----
    O(n C + K C) time, O(n + K C) memory. A row that gives two classes the same largest
    probability is predicted as the lower one.

    References
    ----------
    Y. Yu, L. Kong, J. Zhang, R. Zhang, C. Zhang. AcTune: uncertainty-based active
    self-training for active fine-tuning of pretrained language models. NAACL 2022,
    Section 3.2. :doi:`10.18653/v1/2022.naacl-main.102`

    Examples
    --------
    >>> from skal.functional import region_scores
    >>> proba = [[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.1, 0.9]]
    >>> region_scores([0.2, 0.4, 0.2, 0.4], proba, [0, 0, 1, 1], beta=1).round(3)
    array([0.3  , 0.993])
    """
    proba = check_proba(proba)
    if n_clusters is None:
        n_clusters = int(np.max(clusters, initial=-1)) + 1
    clusters = check_clusters(clusters, len(proba), n_clusters)
    scores = _check_scores(scores, len(proba))
    codes = clusters * proba.shape[1] + proba.argmax(axis=1)
    counts = np.bincount(codes, minlength=n_clusters * proba.shape[1])
    counts = counts.reshape(n_clusters, proba.shape[1])
    sizes = np.bincount(clusters, minlength=n_clusters)
    whole = counts.max(axis=1) if check_compat(compat) else sizes
    mixed = entr(counts / np.maximum(whole, 1)[:, None]).sum(axis=1)
    sums = np.bincount(clusters, weights=scores, minlength=n_clusters)
    found = sums / np.maximum(sizes, 1) + beta * mixed
    return np.where(sizes > 0, found, -np.inf)


def region_rows(
    scores,
    clusters,
    region_scores,
    n_queries,
    *,
    n_per_region=10,
    max_share=1.0,
    compat=None,
):
    """The most uncertain rows of the most uncertain clusters.

    The clusters take turns, the one with the largest score first; each gives its
    `n_per_region` rows of largest score.

    Parameters
    ----------
    scores : array-like of shape (n,)
        Larger means pick first within a cluster.
    clusters : array-like of shape (n,), dtype int
        Cluster of each row, from 0.
    region_scores : array-like of shape (K,)
        Larger means that the cluster's turn is earlier.
    n_queries : int
        Clamped to n.
    n_per_region : int, default=10
        Most rows of a cluster in a turn.
    max_share : float, default=1.0
        Largest share of a cluster's rows in a turn, rounded down; of a small cluster
        one row goes all the same.
    compat : {None, "reference"}, default=None
        What is done where the first turn of all clusters does not fill the batch, and
        with small clusters. None: another turn; "reference": as the authors' code, see
        the notes.

    Returns
    -------
    rows : ndarray of shape (min(n_queries, n),), dtype int64
        In the order of the turns; within one by falling score, ties by lower row (by
        rising score with ``compat="reference"``).

    Raises
    ------
    ValueError
        If there is not one number per row or cluster, or a cluster is not in range.

    See Also
    --------
    region_scores : What the clusters are ordered by.

    Notes
    -----
    O(n log n) time, O(n) memory.

    With ``compat="reference"``

    * a cluster of which `max_share` allows no row gives all its rows;
    * what is still missing after a cluster's turn is counted down by the number of rows
      that its rest would give, not by those it gave, and when that reaches 0 no other
      cluster has a turn;
    * the rest comes cluster by cluster by number, the most certain rows first;
    * of what comes out the first `n_queries` are kept. So the last cluster of a batch
      may give its less uncertain rows.

    References
    ----------
    Y. Yu, L. Kong, J. Zhang, R. Zhang, C. Zhang. AcTune: uncertainty-based active
    self-training for active fine-tuning of pretrained language models. NAACL 2022,
    Section 3.2. :doi:`10.18653/v1/2022.naacl-main.102`

    Examples
    --------
    >>> from skal.functional import region_rows
    >>> scores, clusters = [0.1, 0.9, 0.5, 0.7, 0.8], [0, 0, 1, 1, 1]
    >>> region_rows(scores, clusters, [0.5, 0.7], 4, n_per_region=1).tolist()
    [4, 1, 3, 0]
    """
    region_scores = np.asarray(region_scores, dtype=np.float64)
    clusters = np.asarray(clusters)
    scores = _check_scores(scores, len(clusters))
    clusters = check_clusters(clusters, len(scores), len(region_scores))
    limits = n_per_region, max_share
    if check_compat(compat):
        return _reference_rows(scores, clusters, region_scores, n_queries, *limits)
    sizes = np.bincount(clusters, minlength=len(region_scores))
    place = np.empty(len(region_scores), dtype=np.int64)
    place[np.argsort(-region_scores, kind="stable")] = np.arange(len(region_scores))
    rows = np.lexsort((-scores, clusters))
    rank = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    clusters = clusters[rows]
    turn = rank // np.maximum(_allowed(sizes, *limits), 1)[clusters]
    return rows[np.lexsort((rank, place[clusters], turn))][:n_queries]


def _allowed(sizes, n_per_region, max_share):
    """How many rows clusters of these sizes may give in a turn."""
    share = np.floor(sizes * max_share + _ROUNDING).astype(np.int64)
    return np.minimum(share, n_per_region)


def _reference_rows(scores, clusters, region_scores, n_queries, *limits):
    rising = np.lexsort((-np.arange(len(scores)), scores, clusters))
    sizes = np.bincount(clusters, minlength=len(region_scores))
    regions = np.split(rising, np.cumsum(sizes)[:-1])
    first, left = [], n_queries
    for k in np.argsort(region_scores, kind="stable")[::-1]:
        # Where none is allowed, the authors' slices mean "all" and "nothing is left".
        n = min(left, _allowed(len(regions[k]), *limits))
        first.append(regions[k][-n:])
        regions[k] = regions[k][:-n]
        n = min(left, _allowed(len(regions[k]), *limits))
        left -= len(regions[k][-n:])
        if left <= 0:
            break
    return np.concatenate([*first, *regions])[:n_queries]


def _check_scores(scores, n_rows):
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape != (n_rows,) or np.isnan(scores).any():
        raise ValueError(
            f"scores must hold one number per row, shape ({n_rows},). Got shape "
            f"{scores.shape}: {scores[:5]}..."
        )
    return scores
