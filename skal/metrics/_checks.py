# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Checks of what the metrics are given."""

import numpy as np
from sklearn.utils.validation import column_or_1d

from skal.utils._arrays import check_finite


def check_rows(rows, n_rows, name="rows"):
    """Positions of a batch, int64, at least one, no two alike, below `n_rows`."""
    rows = np.asarray(rows)
    if rows.ndim != 1 or not len(rows) or rows.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must be a one-dimensional sequence of integer positions, at least "
            f"one. Got dtype {rows.dtype} and shape {rows.shape}; turn a mask into "
            "positions with numpy.flatnonzero."
        )
    if rows.min() < 0 or rows.max() >= n_rows:
        bad = rows[(rows < 0) | (rows >= n_rows)][0]
        raise ValueError(f"{name} must be positions from 0 to {n_rows - 1}. Got {bad}.")
    unique, counts = np.unique(rows, return_counts=True)
    if len(unique) < len(rows):
        raise ValueError(
            f"{name} must not repeat a position. Got {unique[counts > 1][0]} more than "
            "once."
        )
    return rows.astype(np.int64, copy=False)


def check_labels(y, n_rows=None, name="y_true"):
    """Labels as a one-dimensional array, `n_rows` of them."""
    y = column_or_1d(y)
    if n_rows is not None and len(y) != n_rows:
        raise ValueError(
            f"{name} must hold one entry per row. Got {len(y)} for {n_rows} rows."
        )
    return y


def check_predictions(y_true, y_pred, n_rows=None):
    """Labels of a pool, and which of its predictions are wrong."""
    y_true = check_labels(y_true, n_rows)
    y_pred = check_labels(y_pred, len(y_true), "y_pred")
    if len(y_true) and isinstance(y_true[0], str) != isinstance(y_pred[0], str):
        raise ValueError(
            "y_pred must hold labels as y_true does. Got labels such as "
            f"{y_true[:1].tolist()[0]!r} and predictions such as "
            f"{y_pred[:1].tolist()[0]!r}."
        )
    return y_true, y_true != y_pred


def check_scores(scores, name, unit="run"):
    """The scores of several runs, float64; one run is no distribution."""
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1 or len(scores) < 2:
        raise ValueError(
            f"{name} must hold one score per {unit}, of at least two {unit}s: of one "
            f"nothing can be said about chance. Got shape {scores.shape}; "
            f"{'run more seeds' if unit == 'run' else 'take more data sets'}."
        )
    if not np.isfinite(scores).all():
        raise ValueError(
            f"{name} must be finite. Score {int(np.argmin(np.isfinite(scores)))} is "
            f"{scores[np.argmin(np.isfinite(scores))]}; leave the {unit} out."
        )
    return scores


def check_points(points):
    """Rows in the plane, (n, 2) float64, at least one."""
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(
            f"points must have shape (n_rows, 2). Got {points.shape}; project "
            "embeddings onto the plane first, with sklearn.manifold.TSNE for example."
        )
    check_finite(points, "points")
    return points
