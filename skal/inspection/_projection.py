# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Vectors in the plane."""

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.manifold import TSNE

from skal.functional import random_rows
from skal.utils._random import draw_seed, seed_nested, stream

# More dimensions than these are reduced before t-SNE, as its authors do.
_MOST_DIMENSIONS = 50
_PERPLEXITY = 30


def project(vectors, projection, random_state):
    """The vectors in the plane, and what the axes are called.

    Parameters
    ----------
    vectors : ndarray or csr_matrix of shape (n, d)
    projection : transformer or None
        Is cloned; an open `random_state` in it is seeded. None: t-SNE, or what is
        two-dimensional already as it is.
    random_state : int, RandomState instance or None

    Returns
    -------
    points : ndarray of shape (n, 2), dtype float64
    name : str
    """
    rng = stream(draw_seed(random_state), 0)
    if projection is not None:
        points = seed_nested(clone(projection), rng).fit_transform(vectors)
        return np.asarray(points, dtype=np.float64), type(projection).__name__
    if vectors.shape[1] == 2 and not sparse.issparse(vectors):
        return vectors.astype(np.float64), "dimension"
    return _tsne(vectors, rng), "t-SNE"


def _tsne(vectors, rng):
    n_rows, n_dimensions = vectors.shape
    n_kept = min(_MOST_DIMENSIONS, n_rows - 1, n_dimensions - 1)
    if sparse.issparse(vectors):
        vectors = TruncatedSVD(max(n_kept, 1), random_state=rng).fit_transform(vectors)
    elif n_dimensions > _MOST_DIMENSIONS:
        vectors = PCA(n_kept, random_state=rng).fit_transform(vectors)
    tsne = TSNE(
        perplexity=max(1.0, min(_PERPLEXITY, (n_rows - 1) / 3)),
        init="random" if min(vectors.shape) < 2 else "pca",
        random_state=rng,
    )
    return tsne.fit_transform(vectors.astype(np.float32)).astype(np.float64)


def with_others(rows, open_rows, max_points, rng):
    """Sorted: the rows of a batch and random other open rows, so many in all."""
    others = np.setdiff1d(open_rows, rows)
    drawn = random_rows(len(others), max(0, max_points - len(rows)), rng)
    return np.sort(np.concatenate([rows, others[drawn]]))
