# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""REAL: minority predictions of a cluster, and a budget for where they are dense."""

import numpy as np

from skal.functional._clustering import check_clusters
from skal.utils._arrays import check_proba


def check_compat(compat):
    """Whether the authors' code is to be followed where it differs from the paper."""
    if compat not in (None, "reference"):
        raise ValueError(f"compat must be None or 'reference'. Got {compat!r}.")
    return compat == "reference"


# A share that is whole but for rounding counts as whole.
_ROUNDING = 1e-9


def pseudo_errors(proba, clusters, *, n_clusters=None, compat=None):
    r"""The rows that are predicted otherwise than most rows of their cluster.

    .. math:: \epsilon(x) = 1 - p(y_{maj} \mid x), \qquad
        \epsilon_k = \sum_{x \in \tilde E_k} \epsilon(x)

    where :math:`y_{maj}` is the class predicted most often in the cluster of x, and
    :math:`\tilde E_k` are the rows of cluster k that are predicted otherwise.

    Parameters
    ----------
    proba : array-like of shape (n, C)
        Class probabilities.
    clusters : array-like of shape (n,), dtype int
        Cluster of each row, from 0; some may be empty.
    n_clusters : int, default=None
        Their number K. None: one more than the largest in `clusters`.
    compat : {None, "reference"}, default=None
        How a tie for the majority is broken. None: the lowest class. "reference": as
        the authors' code, the class that is first met last in the order of the rows.

    Returns
    -------
    majority : ndarray of shape (K,), dtype int64
        The majority's class in each cluster; -1 for an empty one.
    is_error : ndarray of shape (n,), dtype bool
        Whether a row is a pseudo-error.
    epsilon : ndarray of shape (n,), dtype float64
        One minus the probability of the cluster's majority, of every row.
    density : ndarray of shape (K,), dtype float64
        Sum of epsilon over the pseudo-errors of each cluster.

    Raises
    ------
    ValueError
        If an entry of `proba` is not a probability, or a cluster is not in range.

    Notes
    -----
    O(n C + K C) time and memory. A row that gives two classes the same largest
    probability is predicted as the lower one.

    References
    ----------
    C. Chen et al. REAL: a representative error-driven approach for active learning.
    ECML PKDD 2023, equations 2 to 5. :doi:`10.1007/978-3-031-43412-9_2`

    Examples
    --------
    >>> from skal.functional import pseudo_errors
    >>> proba = [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.1, 0.9]]
    >>> majority, is_error, epsilon, density = pseudo_errors(proba, [0, 0, 0, 1])
    >>> majority.tolist(), is_error.tolist()
    ([0, 1], [False, False, True, False])
    >>> epsilon.round(1).tolist(), density.round(1).tolist()
    ([0.1, 0.2, 0.7, 0.1], [0.7, 0.0])
    """
    proba = check_proba(proba)
    n_rows, n_classes = proba.shape
    if n_clusters is None:
        n_clusters = int(np.max(clusters, initial=-1)) + 1
    clusters = check_clusters(clusters, n_rows, n_clusters)
    predicted = proba.argmax(axis=1)
    cells = clusters * n_classes + predicted
    counts = np.bincount(cells, minlength=n_clusters * n_classes)
    counts = counts.reshape(n_clusters, n_classes)
    if check_compat(compat):
        majority = _latest_of_most(counts, cells)
    else:
        majority = counts.argmax(axis=1)
    own = majority[clusters]
    is_error = predicted != own
    epsilon = 1 - proba[np.arange(n_rows), own]
    density = np.bincount(clusters, weights=epsilon * is_error, minlength=n_clusters)
    majority[counts.sum(axis=1) == 0] = -1
    return majority, is_error, epsilon, density


def _latest_of_most(counts, cells):
    """Per cluster, of the classes with most rows the one first met last."""
    first = np.zeros(counts.size, dtype=np.int64)
    first[cells[::-1]] = np.arange(len(cells))[::-1]
    most = counts == counts.max(axis=1, keepdims=True)
    return np.where(most, first.reshape(counts.shape), -1).argmax(axis=1)


def allocate_budget(density, n_queries, *, compat=None):
    r"""Share a batch out among clusters in proportion to their error density.

    .. math:: b_k = \left\lfloor b \, \epsilon_k / \sum_i \epsilon_i \right\rfloor

    Of what is left, one goes to each of the clusters with the largest
    :math:`b_k > 0`.

    Parameters
    ----------
    density : array-like of shape (K,)
        Not negative.
    n_queries : int
        The size b of the batch.
    compat : {None, "reference"}, default=None
        Who gets what is left. None: as above, ties by lower cluster. "reference": as
        the authors' code, the clusters with the largest density, whatever their
        :math:`b_k`, ties by higher cluster.

    Returns
    -------
    budget : ndarray of shape (K,), dtype int64
        Their sum is at most `n_queries`; less where there are fewer clusters to give to
        than there is left. All 0 where every density is.

    Raises
    ------
    ValueError
        If a density is negative or not finite.

    Notes
    -----
    O(K log K) time. With ``compat="reference"`` and no density at all the shares are 0
    and one goes to each of `n_queries` clusters: so one of the authors' variants does
    it; the others divide by 0 and stop.

    References
    ----------
    C. Chen et al. REAL: a representative error-driven approach for active learning.
    ECML PKDD 2023, equation 6 and Algorithm 1, lines 8 to 12.
    :doi:`10.1007/978-3-031-43412-9_2`

    Examples
    --------
    >>> from skal.functional import allocate_budget
    >>> allocate_budget([3.0, 0.0, 1.0, 5.0], 10).tolist()
    [3, 0, 1, 6]
    """
    density = np.asarray(density, dtype=np.float64)
    if not (density.ndim == 1 and np.all((density >= 0) & np.isfinite(density))):
        raise ValueError(
            "density must hold one finite number of at least 0 per cluster. Got shape "
            f"{density.shape}: {density[:5]}..."
        )
    total = density.sum()
    shares = n_queries * (density / total) if total > 0 else np.zeros(len(density))
    budget = np.floor(shares + _ROUNDING).astype(np.int64)
    left = n_queries - budget.sum()
    if check_compat(compat):
        lucky = np.argsort(density, kind="stable")[::-1]
    else:
        lucky = np.argsort(-budget, kind="stable")
        lucky = lucky[budget[lucky] > 0]
    budget[lucky[:left]] += 1
    return budget
