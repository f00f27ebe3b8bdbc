# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Core-set: rows that leave no row of the pool far from a labelled one."""

import numpy as np

from skal.base import QueryStrategy, Reads
from skal.functional import k_center_greedy


class CoreSet(QueryStrategy):
    """Pick the rows farthest from all labelled ones, one after the other (k-center).

    Each pick is the row whose nearest labelled or picked row is farthest away, by the
    Euclidean distance of the classifier's embeddings.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : None
        CoreSet asks for no encoder.
    seed_ : int
        Unused: nothing is random here.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.functional.k_center_greedy : The picks.
    FTBertKM : Covers the dense parts of the pool, and not its edge.

    Notes
    -----
    `transform` gives the embeddings. Nothing is random; ties go to the lower row.

    One pass of the classifier over the pool and the labelled rows, then
    O(n d (n_labeled + n_queries)) time at matrix-product speed and O(n) memory beside
    the embeddings.

    The picks are those of the authors' greedy algorithm, in order. Differences:

    * once every row left equals a labelled or picked one, the batch is filled with the
      lowest rows; there the first row is returned again and again;
    * the paper's robust version, which starts from these picks and solves mixed integer
      programs, is left out: in the published code nothing calls it, and the bounds of
      its outlier variables let it drop no outlier.

    References
    ----------
    O. Sener, S. Savarese. Active learning for convolutional neural networks: a core-set
    approach. ICLR 2018, Algorithm 1. https://arxiv.org/abs/1708.00489

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal.strategies import CoreSet
    >>> X, y = [[0.0], [1.0]], ["neg", "pos"]
    >>> strategy = CoreSet().fit(X, y, estimator=LogisticRegression().fit(X, y))
    >>> strategy.query([[0.5], [4.0], [9.0], [9.1]], n_queries=2).tolist()
    [3, 1]
    """

    _parameter_constraints = {}

    @property
    def reads(self):
        """The embedding of the pool and of the labelled rows."""
        read = frozenset({"embedding"})
        return Reads(pool=read, labeled=read)

    def _represent(self, view):
        return view.embedding

    def _query(self, view, n_queries):
        known = view.labeled.embedding if len(view.labeled) else np.empty((0, 0))
        return k_center_greedy(view.embedding, known, n_queries)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
