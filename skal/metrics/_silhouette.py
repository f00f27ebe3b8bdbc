# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""How well vectors fall into clusters."""

from numbers import Integral

import numpy as np
from sklearn.metrics import silhouette_score
from sklearn.utils import check_random_state

from skal.functional import k_means
from skal.utils._arrays import check_vectors
from skal.utils._random import draw_seed
from skal.utils._sklearn import Interval, validate_parameter_constraints

_CONSTRAINTS = {
    "n_clusters": [Interval(Integral, 2, None, closed="left")],
    "sample_size": [Interval(Integral, 3, None, closed="left"), None],
    "random_state": ["random_state"],
}


def cluster_silhouette(embedding, n_clusters, *, sample_size=None, random_state=None):
    r"""Silhouette coefficient of the clusters that k-means finds in vectors.

    With a(i) the mean distance of a row to the others of its cluster, and b(i) that to
    the rows of the nearest other cluster,

    .. math:: s = \frac 1n \sum_i \frac{b(i) - a(i)}{\max(a(i), b(i))} .

    Compute it once of surprisal embeddings and once of [CLS] embeddings of the same
    texts to see which of them a batch is better spread over by clusters.

    Parameters
    ----------
    embedding : array-like of shape (n, d)
        Vectors, taken as they are: those of
        :func:`~skal.functional.surprisal_embedding`, or a classifier's `embed`.
    n_clusters : int
        At least 2; the paper takes the size of a batch.
    sample_size : int or None, default=None
        Compute the coefficient of so many random rows. None: of all.
    random_state : int, RandomState instance or None, default=None
        Where the draws come from, of the clusters' seeds and of the sample.

    Returns
    -------
    float
        Between -1 and 1; larger means that clusters are further apart.

    Raises
    ------
    ValueError
        If the vectors are not finite, or fall into less than two clusters or into as
        many as there are rows: then there is no coefficient.

    Notes
    -----
    O(n² d) time, of the sample with `sample_size`; clustering is O(n d n_clusters) per
    iteration. Rows of surprisal without a picked token are zero and form a cluster of
    their own, which raises the coefficient.

    References
    ----------
    P. J. Rousseeuw. Silhouettes: a graphical aid to the interpretation and validation
    of cluster analysis. Journal of Computational and Applied Mathematics 20, 1987.
    :doi:`10.1016/0377-0427(87)90125-7`

    M. Yuan, H.-T. Lin and J. Boyd-Graber. Cold-start Active Learning through
    Self-supervised Language Modeling. EMNLP 2020, Section 6.
    :doi:`10.18653/v1/2020.emnlp-main.637`

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skal.metrics import cluster_silhouette
    >>> apart, _ = make_blobs(60, centers=3, cluster_std=0.1, random_state=0)
    >>> close, _ = make_blobs(60, centers=3, cluster_std=5.0, random_state=0)
    >>> cluster_silhouette(apart, 3, random_state=0) > 0.9
    True
    >>> cluster_silhouette(close, 3, random_state=0) < 0.5
    True
    """
    params = {
        "n_clusters": n_clusters,
        "sample_size": sample_size,
        "random_state": random_state,
    }
    validate_parameter_constraints(_CONSTRAINTS, params, "cluster_silhouette")
    embedding = check_vectors(embedding, "embedding")
    random = check_random_state(draw_seed(random_state))
    clusters, _ = k_means(embedding, n_clusters, random_state=random)
    if sample_size is not None and sample_size < len(embedding):
        rows = random.choice(len(embedding), sample_size, replace=False)
        embedding, clusters = embedding[rows], clusters[rows]
    n_found = len(np.unique(clusters))
    if not 2 <= n_found < len(embedding):
        raise ValueError(
            "A silhouette takes at least two clusters and more rows than clusters. Got "
            f"{n_found} clusters in {len(embedding)} rows; choose another n_clusters, "
            "or pass more rows that differ."
        )
    return float(silhouette_score(embedding, clusters))
