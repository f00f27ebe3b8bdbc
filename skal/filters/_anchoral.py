# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""AnchorAL: the neighbours of some labelled rows of each class."""

from numbers import Integral
from os import PathLike

import numpy as np

from skal.base import PoolFilter, QueryStrategy, Reads
from skal.functional import (
    anchor_subpool,
    entropy,
    random_rows,
    spread_anchors,
    top_rows,
)
from skal.utils._index import KINDS
from skal.utils._sklearn import HasMethods, Interval, StrOptions


class AnchorAL(PoolFilter):
    """Show the strategy the pool rows most similar to some labelled rows per class.

    Each round picks `n_anchors` labelled rows of every class, retrieves the
    `n_neighbors` most similar pool rows of each and keeps the `max_subpool` most
    similar of these. The subpool is small and of one size whatever the pool's, and it
    is more balanced than the pool, because every class has its anchors.

    Parameters
    ----------
    strategy : QueryStrategy or None, default=None
        The strategy (or filter) that picks in the subpool; None means Entropy.
    anchors : {"kmeans++", "entropy"}, default="kmeans++"
        How the anchors of a class are chosen among its labelled rows: far from one
        another, or those the classifier is least sure of.
    n_anchors : int, default=10
        Anchors per class (the paper's A; it suggests 5 to 20). A class with fewer
        labelled rows gives all of them.
    n_neighbors : int, default=50
        Pool rows retrieved per anchor (the paper's K; it suggests 20 to 50).
    max_subpool : int, default=1000
        Most rows to keep (the paper's M).
    max_search_size : int or None, default=None
        Bound on the rows retrieved by all anchors together: `n_neighbors` is lowered to
        ``max_search_size // (number of anchors)``, at least 1. None: no bound.
    encoder : "auto" or transformer, default="auto"
        What maps rows to the vectors that are compared, by cosine. "auto": dense
        vectors are taken as they are; for anything else the classifier's own checkpoint
        before fine-tuning. A transformer is cloned and fitted on the pool once; one
        that is fitted already goes inside a :class:`~sklearn.frozen.FrozenEstimator`.
    index : {"auto", "exact", "hnsw", "ivf", "ivf_pq"} or Path, default="auto"
        How the neighbours are searched for; see :class:`~skal.utils.NeighborIndex`.
        "auto": exactly, in pools of up to a million rows. A :class:`pathlib.Path` is
        the folder of a saved index, of the vectors that the encoder gives the pool,
        which is then neither encoded nor indexed again.
    random_state : int, RandomState instance or None, default=None
        None takes the learner's seed. Every round draws anew either way.

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
    RandSub : A random part of the pool.
    SEALS : The neighbours of all labelled rows.
    skal.functional.spread_anchors : The anchors.
    skal.functional.anchor_subpool : The union of their neighbours.

    Notes
    -----
    The first query encodes the whole pool and keeps the vectors with the pool object;
    each later one encodes the newly labelled rows and costs O(A C n d) time for the
    exact search (A anchors, C classes, n rows, d dimensions) and O(32768 d) memory.

    *Ten million rows.* Pass vectors as a memory-mapped array: they stay on disk. The
    index of "auto" is then built by the first query, in some minutes; save one with
    ``NeighborIndex(vectors).save(folder)``, and ``index=Path(folder)`` spares every
    later process that. It serves a pool of texts, too, of which `encoder` gives these
    vectors. Leave rows out by `exclude` rather than by `ids`, which are looked at one
    by one.

    Where this differs from the authors' code (the paper's text is followed):

    * the filter acts on pools of any size; there it is skipped unless the pool is
      larger than `max_subpool`;
    * a subpool that would be smaller than the batch is topped up with the next nearest
      rows; there nothing is labelled and the loop stalls;
    * ties in similarity go to the lower row; there to an unstable sort;
    * every round has a random stream of its own; there one stream runs through all;
    * neighbours are exact in pools of up to a million rows; there always approximate,
      as with ``index="hnsw"``;
    * equal embeddings among the labelled rows of a class may give fewer anchors, as
      there; which of them remain can differ.

    Before any label exists there is nothing to anchor to: the subpool is then a uniform
    random sample of `max_subpool` rows.

    References
    ----------
    P. Lesci, A. Vlachos. AnchorAL: Computationally efficient active learning for large
    and imbalanced datasets. NAACL 2024, Algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal.filters import AnchorAL
    >>> from skal.strategies import Entropy
    >>> X_pool = np.random.RandomState(0).normal(size=(1000, 8))
    >>> X, y = X_pool[:20], np.arange(20) % 2
    >>> classifier = LogisticRegression().fit(X, y)
    >>> strategy = AnchorAL(Entropy(), n_neighbors=20, random_state=0)
    >>> len(strategy.fit(X, y, estimator=classifier).query(X_pool[20:], n_queries=5))
    5
    """

    _parameter_constraints = {
        "strategy": [QueryStrategy, None],
        "anchors": [StrOptions({"kmeans++", "entropy"})],
        "n_anchors": [Interval(Integral, 1, None, closed="left")],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "max_subpool": [Interval(Integral, 1, None, closed="left")],
        "max_search_size": [Interval(Integral, 1, None, closed="left"), None],
        "encoder": [StrOptions({"auto"}), HasMethods(["fit", "transform"])],
        "index": [StrOptions(set(KINDS)), PathLike],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        strategy=None,
        *,
        anchors="kmeans++",
        n_anchors=10,
        n_neighbors=50,
        max_subpool=1000,
        max_search_size=None,
        encoder="auto",
        index="auto",
        random_state=None,
    ):
        self.strategy = strategy
        self.anchors = anchors
        self.n_anchors = n_anchors
        self.n_neighbors = n_neighbors
        self.max_subpool = max_subpool
        self.max_search_size = max_search_size
        self.encoder = encoder
        self.index = index
        self.random_state = random_state

    @property
    def filter_reads(self):
        """The frozen encoder's vectors; for entropy the labelled probabilities too."""
        own_encoder = not isinstance(self.encoder, str)
        return Reads(
            pool=frozenset() if own_encoder else frozenset({"encoding"}),
            labeled=frozenset({"proba"} if self.anchors == "entropy" else ()),
        )

    def _select(self, view, n_queries):
        size = max(self.max_subpool, n_queries)
        if len(view.labeled) == 0:
            return random_rows(len(view), size, view.rng(self.random_state))
        _, neighbors, similarity = self._retrieve(view, n_queries)
        return anchor_subpool(neighbors, similarity, size)[0]

    def _explain_kept(self, view, n_queries):
        """The anchor that found a row, the most similar one of several."""
        if len(view.labeled) == 0:
            return {}
        anchors, neighbors, similarity = self._retrieve(view, n_queries)
        order = np.argsort(similarity, axis=None, kind="stable")
        rows = neighbors.ravel()[order]
        found = np.full(len(view), -1), np.full(len(view), np.nan)
        found[0][rows] = np.repeat(anchors, neighbors.shape[1])[order]
        found[1][rows] = similarity.ravel()[order]
        return dict(zip(("anchor", "anchor_similarity"), found, strict=True))

    def _retrieve(self, view, n_queries):
        """Anchors, their neighbours (as many more as a batch takes), similarities."""
        anchors, k = self._choose_anchors(view), self.n_neighbors
        if self.max_search_size is not None:
            k = max(1, min(k, self.max_search_size // len(anchors)))
        while True:
            neighbors, similarity = view.nearest_to_labeled(
                anchors, k, self.encoder, self.index
            )
            if len(np.unique(neighbors)) >= n_queries or k >= len(view):
                return anchors, neighbors, similarity
            k *= 2

    def _choose_anchors(self, view):
        """Positions in the labelled set, class by class in sorted order."""
        rng = view.rng(self.random_state)
        y = np.asarray(view.labeled.y)
        chosen = []
        for label in np.unique(y):
            members = np.flatnonzero(y == label)
            if len(members) > self.n_anchors:
                members = members[self._anchors_among(view, members, rng)]
            chosen.append(members)
        return np.concatenate(chosen)

    def _anchors_among(self, view, members, rng):
        if self.anchors == "entropy":
            return top_rows(entropy(view.labeled.proba[members]), self.n_anchors)
        vectors = view.encode_labeled(self.encoder)
        return spread_anchors(vectors[members], self.n_anchors, rng)
