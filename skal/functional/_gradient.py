# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The gradient of the last layer: how long it is expected to be; and BADGE."""

import numpy as np
from sklearn.utils import check_random_state, gen_batches

from skal.utils._arrays import check_proba, check_vectors

# Rows drawn, and draws made, before all distances are brought up to date.
_MAX_STALE = 32
_MAX_DRAWS = 64
# A squared distance below this part of the squared norm is rounding: single precision
# errs by 2e-6 at 100 classes and by 6e-6 at 1000.
_ROUNDING = 1e-5
# Rows at a time: two products of 2 MB each.
_BLOCK = 16_384


def gradient_embedding(proba, embedding):
    r"""Gradient of the last layer's loss, were the predicted label the true one.

    .. math:: g_i = (p_i - e_{\hat y_i}) \otimes h_i,
        \qquad \hat y_i = \arg\max_c p_{ic}

    Parameters
    ----------
    proba : array-like of shape (n, C)
        Class probabilities p.
    embedding : array-like of shape (n, d)
        What the last layer reads, h.

    Returns
    -------
    gradients : ndarray of shape (n, C * d), dtype float64
        One block of d columns per class, in the order of the classes.

    Raises
    ------
    TypeError
        If `embedding` is sparse or not numeric.
    ValueError
        If an entry of `proba` is not a probability or of `embedding` is not finite, or
        if the two differ in length.

    See Also
    --------
    badge : Picks rows by these gradients without building them.

    Notes
    -----
    O(n C d) time and memory: 24 GB for 100,000 rows, 77 classes and 384 dimensions.
    The sign is that of the gradient of the cross-entropy; the authors' code has the
    opposite one, which no norm and no distance depends on. Of equal probabilities the
    lowest class is the predicted one. The gradient with respect to the bias is left
    out, as in the paper.

    References
    ----------
    J. T. Ash, C. Zhang, A. Krishnamurthy, J. Langford, A. Agarwal. Deep batch active
    learning by diverse, uncertain gradient lower bounds. ICLR 2020, Equation 1.
    https://arxiv.org/abs/1906.03671

    Examples
    --------
    >>> from skal.functional import gradient_embedding
    >>> gradient_embedding([[0.75, 0.25]], [[2.0, 4.0]])
    array([[-0.5, -1. ,  0.5,  1. ]])
    """
    proba, embedding = _check_lengths(proba, embedding)
    residual = _residual(proba, np.float64)
    return (residual[:, :, None] * embedding[:, None, :]).reshape(len(proba), -1)


def expected_gradient_length(proba, embedding, bias=True):
    r"""Expected norm of the gradient of the last layer over the labels a row may have.

    .. math:: \sum_y p_y \|\nabla_{W, b} \ell(x, y)\|_2
        = \sqrt{\|h\|^2 + 1} \, \sum_y p_y \|p - e_y\|_2

    Parameters
    ----------
    proba : array-like of shape (n, C)
        Class probabilities p.
    embedding : array-like of shape (n, d)
        What the last layer reads, h.
    bias : bool, default=True
        Whether the layer has a bias, which is the 1 under the root.

    Returns
    -------
    scores : ndarray of shape (n,), dtype float64
        Larger means that the label is expected to change the layer more.

    Raises
    ------
    TypeError
        If `embedding` is sparse or not numeric.
    ValueError
        If an entry of `proba` is not a probability or of `embedding` is not finite, or
        if the two differ in length.

    See Also
    --------
    gradient_embedding : The gradient itself, for the predicted label.

    Notes
    -----
    Closed form: no backward pass. O(n (C + d)) time and O(n) memory beside the two. The
    loss is the cross-entropy of a softmax.

    References
    ----------
    B. Settles, M. Craven, S. Ray. Multiple-instance active learning. NIPS 2007.

    Examples
    --------
    >>> from skal.functional import expected_gradient_length
    >>> proba, embedding = [[1.0, 0.0], [0.5, 0.5]], [[3.0, 4.0], [3.0, 4.0]]
    >>> expected_gradient_length(proba, embedding, bias=False).round(3).tolist()
    [0.0, 3.536]
    """
    proba, embedding = _check_lengths(proba, embedding)
    scores = np.sqrt(_squared_norms(embedding) + bool(bias))
    for start in range(0, len(proba), _BLOCK):
        rows = slice(start, start + _BLOCK)
        scores[rows] *= _expected_residual(proba[rows])
    return scores


def badge(proba, embedding, n_queries, random_state=None):
    """Draw rows whose gradients are large and far from one another (BADGE).

    The first row is the one with the largest gradient. Every further one is drawn with
    a probability in proportion to the squared distance of its gradient to the nearest
    one of the rows that are already drawn (the seeding of k-means++, one trial).

    Parameters
    ----------
    proba : array-like of shape (n, C)
        Class probabilities.
    embedding : array-like of shape (n, d)
        What the last layer reads.
    n_queries : int
        Clamped to n.
    random_state : int, RandomState instance or None, default=None
        Where the draws come from.

    Returns
    -------
    rows : ndarray of shape (min(n_queries, n),), dtype int64
        In the order drawn; no duplicates.

    Raises
    ------
    TypeError
        If `embedding` is sparse or not numeric.
    ValueError
        If an entry of `proba` is not a probability or of `embedding` is not finite, or
        if the two differ in length.

    See Also
    --------
    gradient_embedding : The gradients, which are never built here.

    Notes
    -----
    A gradient is an outer product, so that distances follow from its two factors. Those
    of all rows are brought up to date once per 32 rows drawn, with one matrix product;
    in between a row is drawn by the old distance, which can only be too large, and
    kept with probability new / old. The law is that of sequential sampling exactly.
    O(n (C + d) n_queries) time, about n_queries / 32 passes over the two arrays;
    O(n C) memory beside them.

    Products are in single precision. A gradient that differs from a drawn one by less
    than 0.3 % of its length counts as equal to it. Once every row left is equal to a
    drawn one (fewer distinct gradients than `n_queries`, or probabilities of exactly 0
    and 1), the rest is drawn uniformly from the rows left; the authors' code stops with
    an error there. Equally large first gradients: the lowest row.

    Other published versions differ: ALPS's normalises the gradients, which takes the
    uncertainty out of them, and draws the first row uniformly; small-text 1.4 does not
    subtract the predicted label. They are not followed.

    References
    ----------
    J. T. Ash, C. Zhang, A. Krishnamurthy, J. Langford, A. Agarwal. Deep batch active
    learning by diverse, uncertain gradient lower bounds. ICLR 2020, Algorithm 1.
    https://arxiv.org/abs/1906.03671

    Examples
    --------
    >>> from skal.functional import badge
    >>> proba = [[0.9, 0.1], [0.5, 0.5], [0.5, 0.5]]
    >>> badge(proba, [[1.0, 0.0], [0.0, 3.0], [0.0, 3.0]], 2, random_state=0).tolist()
    [1, 0]
    """
    gradients = _Gradients(proba, embedding)
    n_rows = len(gradients.norms)
    n_queries = min(n_queries, n_rows)
    if n_queries == 0:
        return np.empty(0, dtype=np.int64)
    rng = check_random_state(random_state)
    rows = new = [int(np.argmax(gradients.norms))]
    nearest = np.full(n_rows, np.inf, dtype=np.float32)
    while len(rows) < n_queries:
        gradients.lower(nearest, new)
        nearest[rows] = 0
        new = _draw(gradients, nearest, n_queries - len(rows), rng)
        if not new:
            left = np.setdiff1d(np.arange(n_rows), rows)
            new = rng.choice(left, n_queries - len(rows), replace=False).tolist()
        rows = rows + new
    return np.array(rows, dtype=np.int64)


def _draw(gradients, nearest, size, rng):
    """Rows drawn by their distances of a while ago; none if all of these are zero."""
    cumulative = np.cumsum(nearest, dtype=np.float64)
    if cumulative[-1] == 0:
        return []
    points = rng.random_sample(_MAX_DRAWS) * cumulative[-1]
    drawn = np.searchsorted(cumulative, points, side="right")
    least = rng.random_sample(_MAX_DRAWS) * nearest[drawn]
    squared = _without_rounding(gradients.squared(drawn, drawn), gradients.norms[drawn])
    kept = []
    for i in range(_MAX_DRAWS):
        if len(kept) == min(size, _MAX_STALE):
            break
        far_enough = squared[kept, i].min(initial=np.inf) > least[i]
        if far_enough and drawn[i] not in drawn[kept]:
            kept.append(i)
    return drawn[kept].tolist()


def _expected_residual(proba):
    """Sum over the labels y of p_y times the norm of p - e_y."""
    largest = proba.max(axis=1, keepdims=True)
    others = proba.copy()
    others[np.arange(len(proba)), proba.argmax(axis=1)] = 0
    # Summed in an order that does not cancel where one label is nearly certain.
    squared = largest**2 - proba**2 + _squared_norms(others)[:, None] + (1 - proba) ** 2
    return np.einsum("ij,ij->i", proba, np.sqrt(squared))


class _Gradients:
    """The two factors of the gradients, and squared distances out of them.

    Squared distances are in units of the largest embedding's squared norm, so that they
    stay within single precision.
    """

    def __init__(self, proba, embedding):
        proba, self.embedding = _check_lengths(proba, embedding)
        self.residual = _residual(proba, np.float32)
        sizes = _squared_norms(self.embedding)
        self.unit = max(float(np.sqrt(sizes.max(initial=0))), 1e-30)
        norms = _squared_norms(self.residual) * (sizes / self.unit**2)
        self.norms = norms.astype(np.float32)

    def squared(self, centers, rows):
        """Squared distances, up to rounding, (n_centers, n_rows)."""
        residual = self.residual[centers] * (-2 / self.unit)
        embedding = self.embedding[centers] * (1 / self.unit)
        squared = residual @ self.residual[rows].T
        squared *= embedding @ self.embedding[rows].T
        squared += self.norms[centers, None]
        squared += self.norms[rows]
        return squared

    def lower(self, nearest, centers):
        """Lower every row's squared distance to that of the nearest of `centers`."""
        for rows in gen_batches(len(nearest), _BLOCK):
            squared = self.squared(centers, rows).min(axis=0)
            squared = _without_rounding(squared, self.norms[rows])
            np.minimum(nearest[rows], squared, out=nearest[rows])


def _without_rounding(squared, norms):
    squared[squared < _ROUNDING * norms] = 0
    return squared


def _check_lengths(proba, embedding):
    proba, embedding = check_proba(proba), check_vectors(embedding, "embedding")
    if len(proba) != len(embedding):
        raise ValueError(
            "proba and embedding must have one row per row of the pool. Got "
            f"{len(proba)} and {len(embedding)} rows."
        )
    return proba, embedding


def _residual(proba, dtype):
    """Probabilities less the one-hot predicted label."""
    rows, predicted = np.arange(len(proba)), proba.argmax(axis=1)
    residual = proba.astype(dtype)
    residual[rows, predicted] = proba[rows, predicted] - 1
    return residual


def _squared_norms(X):
    return np.einsum("ij,ij->i", X, X, dtype=np.float64)
