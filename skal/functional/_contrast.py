# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What the labelled rows say of the rows that lie near to them."""

import numpy as np
from scipy.special import entr

from skal.utils._arrays import check_proba, check_vectors
from skal.utils._nearest import Directions, best_of_pairs, similarity_of_pairs

# Numbers at a time, in each of some arrays: 2 MB in single precision.
_AT_ONCE = 2**19
_HALF_ULP = 2.0**-24
_AGGREGATES = {"mean": np.mean, "max": np.max, "median": np.median}


def contrastive_scores(
    proba,
    embedding,
    labeled_proba,
    labeled_embedding,
    n_neighbors=10,
    *,
    aggregate="mean",
):
    r"""How differently a row is predicted from the labelled rows nearest to it.

    .. math:: s(x) = \frac{1}{k} \sum_{i \in N_k(x)} \mathrm{KL}(p_i \,\|\, p_x)
        = \frac{1}{k} \sum_{i \in N_k(x)} \sum_c p_{ic} \log \frac{p_{ic}}{p_{xc}}

    where :math:`N_k(x)` are the k labelled rows nearest to x.

    Parameters
    ----------
    proba : array-like of shape (n, C)
        Class probabilities of the pool.
    embedding : array-like of shape (n, d)
        Its vectors; normalised to unit length here.
    labeled_proba : array-like of shape (n_labeled, C)
        Class probabilities of the labelled rows, by the same classifier.
    labeled_embedding : array-like of shape (n_labeled, d)
        Their vectors.
    n_neighbors : int, default=10
        The paper's k; clamped to n_labeled.
    aggregate : {"mean", "max", "median"}, default="mean"
        What is made of the k divergences. The paper takes the mean; the others are
        options of the authors' program.

    Returns
    -------
    scores : ndarray of shape (n,), dtype float64
        In nats; larger means that the row differs more from its neighbours.

    Raises
    ------
    TypeError
        If vectors are sparse or not numeric.
    ValueError
        If an entry of a `proba` is not a probability or a vector is not finite, shapes
        do not fit together, there is no labelled row, `n_neighbors` is below 1 or
        `aggregate` is none of the above.

    Notes
    -----
    Two matrix products, in blocks: O(n n_labeled (d + C)) time, O(n) memory beside the
    arrays. Of equally near labelled rows the first count. 0 log 0 = 0, and a
    probability of 0 where a neighbour has one counts as 2e-308, so that no score is
    infinite.

    REAL's repository takes probabilities for their logarithms, small-text looks for the
    neighbours among all rows, each row itself included: neither is followed.

    References
    ----------
    K. Margatina, G. Vernikos, L. Barrault, N. Aletras. Active learning by acquiring
    contrastive examples. EMNLP 2021, Algorithm 1.
    :doi:`10.18653/v1/2021.emnlp-main.51`

    Examples
    --------
    >>> from skal.functional import contrastive_scores
    >>> labeled = [[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [0.0, 2.0]]
    >>> proba, embedding = [[0.5, 0.5], [1.0, 0.0]], [[1.0, 0.1], [1.0, 0.2]]
    >>> contrastive_scores(proba, embedding, *labeled, 1).round(3).tolist()
    [0.693, 0.0]
    """
    proba, labeled_proba = check_proba(proba), check_proba(labeled_proba)
    points = Directions.of(check_vectors(embedding, "embedding"))
    labeled = Directions.of(check_vectors(labeled_embedding, "labeled_embedding"))
    _check_arguments(proba, points, labeled_proba, labeled, n_neighbors, aggregate)
    k = min(n_neighbors, len(labeled))
    negative_entropy = -entr(labeled_proba).sum(axis=1)
    scores = np.empty(len(proba))
    size = max(64, _AT_ONCE // (len(labeled) + proba.shape[1]))
    for start in range(0, len(proba), size):
        rows = slice(start, start + size)
        log_proba = np.log(np.maximum(proba[rows], np.finfo(np.float64).tiny))
        divergence = negative_entropy - log_proba @ labeled_proba.T
        nearest = _nearest_labeled(points[rows], labeled, k)
        chosen = np.take_along_axis(divergence, nearest, axis=1)
        scores[rows] = _AGGREGATES[aggregate](chosen, axis=1)
    return scores


def mean_of_nearest(embedding, labeled_embedding, values, n_neighbors=10):
    """Mean of what is known of the labelled rows nearest to each row.

    Parameters
    ----------
    embedding : array-like of shape (n, d)
        Vectors of the pool; normalised to unit length here.
    labeled_embedding : array-like of shape (n_labeled, d)
        Vectors of the labelled rows.
    values : array-like of shape (n_labeled,)
        A finite number for each of them.
    n_neighbors : int, default=10
        How many of them to average over; clamped to n_labeled.

    Returns
    -------
    means : ndarray of shape (n,), dtype float64
        One per row of the pool.

    Raises
    ------
    ValueError
        If shapes do not fit, a number is not finite or there is no labelled row.

    See Also
    --------
    contrastive_scores : Compares predictions with the same neighbours.

    Notes
    -----
    O(n n_labeled d) time at matrix-product speed, O(n) memory and a few blocks. Nearest
    by Euclidean distance of unit vectors, which is the order of cosine similarity; ties
    go to the lower labelled row.

    Examples
    --------
    >>> from skal.functional import mean_of_nearest
    >>> labeled = [[1.0, 0.0], [0.0, 1.0], [0.0, 2.0]]
    >>> mean_of_nearest([[1.0, 0.1], [0.1, 1.0]], labeled, [5, 1, 2], 2).tolist()
    [3.0, 1.5]
    """
    points = Directions.of(check_vectors(embedding, "embedding"))
    labeled = Directions.of(check_vectors(labeled_embedding, "labeled_embedding"))
    values = np.asarray(values, dtype=np.float64)
    _check_n_neighbors(n_neighbors, len(labeled))
    widths = points.vectors.shape[1], labeled.vectors.shape[1]
    if values.shape != (len(labeled),) or widths[0] != widths[1]:
        raise ValueError(
            "values must hold one number per labelled row, and both embeddings as many "
            f"columns. Got shapes {values.shape}, {labeled.vectors.shape} and "
            f"{points.vectors.shape}."
        )
    if not np.isfinite(values).all():
        raise ValueError("values must be finite numbers, or no mean of them is.")
    k = min(n_neighbors, len(labeled))
    means = np.empty(len(points))
    size = max(64, _AT_ONCE // len(labeled))
    for start in range(0, len(points), size):
        rows = slice(start, start + size)
        nearest = np.sort(_nearest_labeled(points[rows], labeled, k), axis=1)
        means[rows] = values[nearest].mean(axis=1)
    return means


def _nearest_labeled(points, labeled, k):
    """Positions of the k labelled rows most similar to each point, in any order.

    What the rounding of single precision leaves open is settled in double precision,
    ties by lower position.
    """
    if k == len(labeled):
        return np.broadcast_to(np.arange(k), (len(points), k))
    similarity = points.read() @ labeled.unit.T
    similarity *= points.inverse[:, None]
    cut = len(labeled) - k
    order = np.argpartition(similarity, cut, axis=1)
    nearest = order[:, cut:]
    least = np.take_along_axis(similarity, order[:, cut, None], axis=1)
    # The rounding of d products adds up like a walk: this is far beyond its length.
    slack = 4 * np.float32(np.sqrt(points.vectors.shape[1]) * _HALF_ULP)
    close = similarity >= least - slack
    unsure = np.flatnonzero(np.count_nonzero(close, axis=1) > k)
    if len(unsure):
        point, position = np.nonzero(close[unsure])
        exact = similarity_of_pairs(points, unsure[point], labeled, position)
        nearest[unsure], _ = best_of_pairs(point, position, exact, len(unsure), k)
    return nearest


def _check_arguments(proba, points, labeled_proba, labeled, n_neighbors, aggregate):
    if aggregate not in _AGGREGATES:
        raise ValueError(
            f"aggregate must be one of {sorted(_AGGREGATES)}. Got {aggregate!r}."
        )
    _check_n_neighbors(n_neighbors, len(labeled))
    lengths = len(proba), len(points), len(labeled_proba), len(labeled)
    widths = (
        (proba.shape[1], labeled_proba.shape[1]),
        (points.vectors.shape[1], labeled.vectors.shape[1]),
    )
    same = lengths[0] == lengths[1] and lengths[2] == lengths[3]
    if not same or any(a != b for a, b in widths):
        raise ValueError(
            "proba and embedding must have one row per row of the pool, the labelled "
            "ones one per labelled row, with as many columns. Got shapes "
            f"{proba.shape}, {points.vectors.shape}, {labeled_proba.shape} and "
            f"{labeled.vectors.shape}."
        )


def _check_n_neighbors(n_neighbors, n_labeled):
    if n_neighbors < 1:
        raise ValueError(f"n_neighbors must be at least 1. Got {n_neighbors}.")
    if n_labeled == 0:
        raise ValueError("There are no labelled rows to look at. Pass at least one.")
