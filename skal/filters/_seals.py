# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""SEALS: the neighbours of all labelled rows."""

from numbers import Integral
from os import PathLike

import numpy as np

from skal.base import PoolFilter, QueryStrategy, Reads
from skal.utils._index import KINDS
from skal.utils._sklearn import HasMethods, Interval, StrOptions


class SEALS(PoolFilter):
    """Show the strategy the pool rows most similar to any labelled row.

    Similarity search for Active Learning and Search: the subpool is the union of the
    `n_neighbors` nearest neighbours of every labelled row, less what is labelled. It
    grows with the labelled set.

    Parameters
    ----------
    strategy : QueryStrategy or None, default=None
        The strategy (or filter) that picks in the subpool; None means Entropy.
    n_neighbors : int, default=100
        Neighbours of each labelled row. (The AnchorAL paper runs SEALS with 50.)
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

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier or None
        The classifier given to `fit`.
    encoder_ : FrozenEstimator or None
        The classifier's frozen encoder, where `encoder="auto"` needs one.
    seed_ : int
        Seed of whatever inside leaves its own `random_state` None.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    AnchorAL : The neighbours of some labelled rows of each class.
    RandSub : A random part of the pool.

    Notes
    -----
    *Which neighbours.* They are looked for in the whole pool object, the initial pool,
    and rows that may no longer be asked for are dropped from what was found: a labelled
    neighbour leaves a gap that the next nearest row does not fill. The filter keeps no
    state: the subpool follows from the labelled set and the pool, whatever came before.
    So pass one unchanged pool object in all rounds and leave rows out by `ids` or
    `exclude`. A labelled row that lies in the pool object itself takes no place among
    its neighbours; other rows that were labelled or left out do.

    *Never too small.* While the subpool has fewer rows than are to be picked, the
    number of neighbours is doubled. Before any label exists, the strategy sees the
    whole pool.

    *Its growth* shows in `rounds_` of an :class:`~skal.ActiveLearner` with a budget,
    as "n_subpool". There is no cap of its own, because filters nest:
    ``SEALS(RandSub(strategy, max_subpool=10_000))`` shows a random part of a subpool
    that has become too large. The other way round, ``RandSub(SEALS(strategy))``, keeps
    of the neighbours those that RandSub happened to draw.

    *Cost.* The first query encodes the whole pool and keeps the vectors with the pool
    object. Each later one encodes and searches for the newly labelled rows only, O(b n
    d) time for b of them (n rows, d dimensions), and O(n) time for the union. What was
    found is kept beside the vectors: `n_neighbors` positions per labelled row.

    The code published with AnchorAL has another SEALS, which is not offered: neighbours
    are taken among the rows that are unlabelled when a row is searched for, so that
    each label adds `n_neighbors` rows; the subpool is state; it is skipped in pools
    that are not larger than 10,000 rows; and a subpool not larger than the batch
    stalls the loop.

    References
    ----------
    C. Coleman, E. Chou, J. Katz-Samuels, S. Culatana, P. Bailis, A. C. Berg, R. Nowak,
    R. Sumbaly, M. Zaharia, I. Z. Yalniz. Similarity search for efficient active
    learning and search of rare concepts. AAAI 2022.
    :doi:`10.1609/aaai.v36i6.20591`

    Examples
    --------
    >>> import numpy as np
    >>> from skal.filters import SEALS
    >>> from skal.strategies import RandomSampling
    >>> X_pool = np.array([[1, 0], [0, 1], [0.9, 0.1], [0.1, 0.9]])
    >>> strategy = SEALS(RandomSampling(), n_neighbors=2).fit([[1, 0.05]], [0])
    >>> sorted(strategy.query(X_pool, n_queries=2).tolist())
    [0, 2]
    """

    sees_rows_left_out = True
    _parameter_constraints = {
        "strategy": [QueryStrategy, None],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "encoder": [StrOptions({"auto"}), HasMethods(["fit", "transform"])],
        "index": [StrOptions(set(KINDS)), PathLike],
    }

    def __init__(self, strategy=None, *, n_neighbors=100, encoder="auto", index="auto"):
        self.strategy = strategy
        self.n_neighbors = n_neighbors
        self.encoder = encoder
        self.index = index

    @property
    def filter_reads(self):
        """The frozen encoder's vectors, unless the filter has an encoder of its own."""
        own_encoder = not isinstance(self.encoder, str)
        return Reads(pool=frozenset() if own_encoder else frozenset({"encoding"}))

    def _select(self, view, n_queries):
        if len(view.labeled) == 0 or n_queries == len(view):
            return np.arange(len(view))
        k = self.n_neighbors
        while True:
            rows = view.near_labeled(k, self.encoder, self.index)
            if len(rows) >= n_queries:
                return rows
            k *= 2
