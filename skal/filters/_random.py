# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""RandSub: a random part of the pool."""

from numbers import Integral

from skal.base import PoolFilter, QueryStrategy
from skal.functional import random_rows
from skal.utils._sklearn import Interval


class RandSub(PoolFilter):
    """Show the strategy a uniform random sample of the pool, drawn anew each round.

    Parameters
    ----------
    strategy : QueryStrategy or None, default=None
        The strategy (or filter) that picks in the subpool; None means Entropy.
    max_subpool : int, default=10_000
        Rows to keep. A pool that is not larger is passed on whole.
    random_state : int, RandomState instance or None, default=None
        None takes the learner's seed. Every round draws anew either way.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier or None
        The classifier given to `fit`.
    encoder_ : FrozenEstimator or None
        The classifier's frozen encoder, where the strategy asks for it.
    seed_ : int
        Seed used when `random_state` is None.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    AnchorAL : The neighbours of some labelled rows of each class.
    KMeansSub : Some rows of each cluster of the pool.
    SEALS : The neighbours of all labelled rows.
    UPS : The rows that an earlier round was unsure of, and some others.

    Notes
    -----
    O(n) time and memory. Never fewer rows than are to be picked. The code published
    with AnchorAL draws from one random stream that runs through all rounds; here every
    round has its own, so that asking twice gives the same batch.

    References
    ----------
    S. Ertekin et al. Learning on the border: active learning in imbalanced data
    classification. CIKM 2007. :doi:`10.1145/1321440.1321461`

    Examples
    --------
    >>> from skal.filters import RandSub
    >>> from skal.strategies import RandomSampling
    >>> strategy = RandSub(RandomSampling(), max_subpool=2, random_state=0)
    >>> len(strategy.fit(["seed"], [0]).query(["a", "b", "c", "d"], n_queries=2))
    2
    """

    filter_draws = True
    _parameter_constraints = {
        "strategy": [QueryStrategy, None],
        "max_subpool": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, strategy=None, *, max_subpool=10_000, random_state=None):
        self.strategy = strategy
        self.max_subpool = max_subpool
        self.random_state = random_state

    def _select(self, view, n_queries):
        size = max(self.max_subpool, n_queries)
        return random_rows(len(view), size, view.rng(self.random_state))
