# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Whether a batch lies where a model errs along its boundary (REAL)."""

import math
from numbers import Integral, Real

import numpy as np
from scipy.special import entr, rel_entr

from skal.metrics._checks import check_points, check_predictions, check_rows
from skal.utils._sklearn import Interval, StrOptions, validate_parameter_constraints

_CONSTRAINTS = {
    "n_bins": [Interval(Integral, 1, None, closed="left")],
    "top": [Interval(Real, 0, 1, closed="right")],
    "universe": [StrOptions({"occupied", "all"})],
    "base": [Interval(Real, 1, None, closed="neither"), None],
}
_ROUNDING = 1e-9


def boundary_divergence(
    points, y_true, y_pred, rows, *, n_bins=50, top=0.15, universe="occupied", base=None
):
    r"""How differently a batch and the errors lie along the decision boundary.

    A grid is laid over the pool in the plane. Of its cells, those in which the labels
    are most mixed (highest entropy) stand for the decision boundary. There, the counts
    of wrongly predicted rows and of selected rows are scaled to distributions
    :math:`P_1` and :math:`P_2`, and compared by their Jensen-Shannon divergence:

    .. math:: \mathrm{JSD}(P_1 \| P_2) = \tfrac 12 \mathrm{KL}(P_1 \| M)
        + \tfrac 12 \mathrm{KL}(P_2 \| M), \qquad M = \tfrac 12 (P_1 + P_2)

    Parameters
    ----------
    points : array-like of shape (n, 2)
        The pool in the plane: t-SNE of the model's embeddings in the paper,
        ``sklearn.manifold.TSNE().fit_transform(classifier.embed(X))``.
    y_true : array-like of shape (n,)
        Labels of the pool.
    y_pred : array-like of shape (n,)
        What the model predicted of it when the batch was selected.
    rows : array-like of int of shape (b,)
        The batch: positions in the pool.
    n_bins : int, default=50
        Cells of the grid in each direction of the bounding box.
    top : float, default=0.15
        Share of the cells that is the boundary, rounded up to whole cells.
    universe : {"occupied", "all"}, default="occupied"
        Of which cells it is the share: of those with a row in them, or of all.
    base : float, default=None
        Of the logarithm. None: natural, the result is in nats; 2 gives bits.

    Returns
    -------
    float
        Between 0, for equal distributions, and log 2 for disjoint ones; nan where no
        error or no row of the batch lies in a boundary cell.

    Raises
    ------
    ValueError
        If lengths or kinds of labels differ, a point is not finite, `rows` is not a
        batch, or a parameter is out of range.

    Notes
    -----
    O(n + n_bins² C) time and memory. The paper says neither of which cells 15 % are
    meant nor what the logarithm is, and its code is not public, so both are parameters.
    Ties of entropy go to the lower cell, x before y. Rows outside the boundary cells do
    not count. Where less than `top` of the cells are mixed, pure ones fill up.
    :func:`scipy.spatial.distance.jensenshannon` is the square root of the divergence.

    References
    ----------
    C. Chen et al. REAL: a representative error-driven approach for active learning.
    ECML PKDD 2023, Section 5.2 and Figure 4. :doi:`10.1007/978-3-031-43412-9_2`

    Examples
    --------
    >>> from skal.metrics import boundary_divergence
    >>> points = [[0, 0], [0, 0], [1, 1], [1, 1], [1, 0], [0, 1]]
    >>> y_true = [0, 1, 0, 1, 0, 1]
    >>> y_pred = [0, 0, 0, 0, 0, 1]  # rows 1 and 3 are errors
    >>> boundary_divergence(points, y_true, y_pred, [0, 2], n_bins=2, top=0.5)
    0.0
    >>> divergence = boundary_divergence(
    ...     points, y_true, y_pred, [0], n_bins=2, top=0.5
    ... )
    >>> round(divergence, 4)
    0.2158
    """
    params = {"n_bins": n_bins, "top": top, "universe": universe, "base": base}
    validate_parameter_constraints(_CONSTRAINTS, params, "boundary_divergence")
    points = check_points(points)
    y_true, wrong = check_predictions(y_true, y_pred, len(points))
    rows = check_rows(rows, len(points))
    cells = _cells(points, n_bins)
    boundary = _boundary(cells, y_true, n_bins**2, top, universe)
    errors = np.bincount(cells[wrong], minlength=n_bins**2)[boundary]
    batch = np.bincount(cells[rows], minlength=n_bins**2)[boundary]
    divergence = _jensen_shannon(errors, batch)
    return divergence if base is None else divergence / math.log(base)


def _cells(points, n_bins):
    """The cell of each row, x-major; the upper edge belongs to the last cell."""
    low, size = points.min(axis=0), np.ptp(points, axis=0)
    where = (points - low) / np.where(size > 0, size, 1)
    ix, iy = np.minimum((where * n_bins).astype(np.int64), n_bins - 1).T
    return ix * n_bins + iy


def _boundary(cells, y_true, n_cells, top, universe):
    """The cells with the most mixed labels."""
    classes, codes = np.unique(y_true, return_inverse=True)
    counts = np.bincount(
        cells * len(classes) + codes, minlength=n_cells * len(classes)
    ).reshape(n_cells, len(classes))
    total = counts.sum(axis=1, keepdims=True)
    mixed = entr(counts / np.maximum(total, 1)).sum(axis=1)
    candidates = np.flatnonzero(total) if universe == "occupied" else np.arange(n_cells)
    order = np.argsort(-mixed[candidates].round(12), kind="stable")
    return candidates[order[: math.ceil(top * len(candidates) - _ROUNDING)]]


def _jensen_shannon(counts_1, counts_2):
    if not (counts_1.any() and counts_2.any()):
        return math.nan
    p_1, p_2 = counts_1 / counts_1.sum(), counts_2 / counts_2.sum()
    middle = (p_1 + p_2) / 2
    divergence = rel_entr(p_1, middle).sum() + rel_entr(p_2, middle).sum()
    return max(float(divergence) / 2, 0.0)
