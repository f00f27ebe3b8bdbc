# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""KMeansSub: some rows of each cluster of the pool."""

from numbers import Integral

import numpy as np

from skal.base import PoolFilter, QueryStrategy, Reads
from skal.functional import allocate_evenly, top_per_cluster
from skal.utils._sklearn import HasMethods, Interval, StrOptions


class KMeansSub(PoolFilter):
    """Show the strategy some rows of each cluster of the pool, drawn anew each round.

    The whole pool object is clustered once, by k-means. However many rows a cluster
    has, the strategy sees at most `n_per_cluster` of them: dense parts of the pool
    count no more than sparse ones.

    Parameters
    ----------
    strategy : QueryStrategy or None, default=None
        The strategy (or filter) that picks in the subpool; None means Entropy.
    n_clusters : int, default=100
        Most clusters. Rows with fewer distinct directions give fewer.
    n_per_cluster : int, default=10
        Rows to keep of each cluster; of one that has fewer left, all. So at most
        `n_clusters` * `n_per_cluster` rows are kept, unless more are to be picked.
    encoder : "auto" or transformer, default="auto"
        What maps rows to the vectors that are clustered, at unit length. "auto": dense
        vectors are taken as they are; for anything else the classifier's own checkpoint
        before fine-tuning. A transformer is cloned and fitted on the pool once; one
        that is fitted already goes inside a :class:`~sklearn.frozen.FrozenEstimator`.
    random_state : int, RandomState instance or None, default=None
        Seeds the clusters, and the draws. None takes the learner's seed. Every round
        draws anew either way, from the same clusters.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier or None
        The classifier given to `fit`.
    encoder_ : FrozenEstimator or None
        The classifier's frozen encoder, where `encoder="auto"` needs one.
    seed_ : int
        Seed used when `random_state` is None.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    RandSub : A random part of the pool, dense parts as dense as they are.
    skal.functional.k_means : The clusters.
    skal.strategies.BertKM : Picks by clusters, without a classifier.

    Notes
    -----
    The first query encodes the whole pool object and clusters it, O(n K d) time per
    iteration of at most 25 (n rows, K clusters, d dimensions) and a copy of the vectors
    meanwhile; vectors and clusters are kept with the pool object. Each later query
    costs O(n log n) time. No label is needed.

    Rows that may no longer be asked for, or that an outer filter left out, still shape
    the clusters, which are those of the whole pool object in all rounds; they are not
    drawn. A cluster may have no row left. Where the clusters would give fewer rows than
    are to be picked, those with more rows give more, as evenly as can be.

    Examples
    --------
    >>> import numpy as np
    >>> from skal.filters import KMeansSub
    >>> from skal.strategies import RandomSampling
    >>> X_pool = np.array([[1, 0], [1, 0.1], [1, 0.2], [1, 0.3], [0, 1], [0.1, 1]])
    >>> strategy = KMeansSub(RandomSampling(), n_clusters=2, n_per_cluster=1)
    >>> rows = strategy.fit([[1, 1]], [0]).query(X_pool, n_queries=2)
    >>> sorted((rows >= 4).tolist())
    [False, True]
    """

    filter_draws = True
    sees_rows_left_out = True
    _parameter_constraints = {
        "strategy": [QueryStrategy, None],
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "n_per_cluster": [Interval(Integral, 1, None, closed="left")],
        "encoder": [StrOptions({"auto"}), HasMethods(["fit", "transform"])],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        strategy=None,
        *,
        n_clusters=100,
        n_per_cluster=10,
        encoder="auto",
        random_state=None,
    ):
        self.strategy = strategy
        self.n_clusters = n_clusters
        self.n_per_cluster = n_per_cluster
        self.encoder = encoder
        self.random_state = random_state

    @property
    def filter_reads(self):
        """The frozen encoder's vectors, unless the filter has an encoder of its own."""
        own_encoder = not isinstance(self.encoder, str)
        return Reads(pool=frozenset() if own_encoder else frozenset({"encoding"}))

    def _explain_kept(self, view, n_queries):
        n_clusters = self.n_clusters
        return {"cluster": view.cluster(n_clusters, self.encoder, self.random_state)}

    def _select(self, view, n_queries):
        clusters = view.cluster(self.n_clusters, self.encoder, self.random_state)
        even = allocate_evenly(np.bincount(clusters), n_queries)
        drawn = view.rng(self.random_state).random_sample(len(view))
        rows = top_per_cluster(drawn, clusters, np.maximum(even, self.n_per_cluster))
        return np.sort(rows)
