# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Prefiltered batches: the most uncertain rows, and of these the diverse ones."""

from numbers import Real

import numpy as np

from skal._strategy import WrapperStrategy, default_strategy
from skal.base import QueryStrategy, Reads, ScoreStrategy
from skal.functional import facility_location, margin, top_rows
from skal.strategies._embedding_k_means import central_rows
from skal.utils._sklearn import Interval


def _n_candidates(factor, n_queries):
    """Rows to keep for a batch; not one more for the rounding of a decimal factor."""
    return max(n_queries, int(np.ceil(factor * n_queries - 1e-9)))


class DiverseMiniBatch(QueryStrategy):
    """Pick uncertain rows near the centres of a weighted k-means of uncertain rows.

    The rows with the smallest margins are kept, `prefilter_factor` times as many as are
    due; they are clustered into as many clusters as are due, each row counting by its
    informativeness; and the row nearest to each centre is picked.

    Parameters
    ----------
    prefilter_factor : float, default=10
        Rows kept per row of the batch (the paper's beta; it suggests 10 to 50), at
        least 1.
    weighted : bool, default=True
        Whether rows count by their informativeness in the clustering; the paper tries
        both.
    random_state : int, RandomState instance or None, default=None
        None takes the learner's seed. Every round draws anew either way.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : None
        DiverseMiniBatch asks for no encoder.
    seed_ : int
        Seed used when `random_state` is None.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    Margin : The most uncertain rows, however alike.
    SuggestiveAnnotation : Uncertain rows that stand for the whole pool.

    Notes
    -----
    `transform` gives the informativeness, 1 less the lead of the most probable class
    over the second. One pass of the classifier over the pool; then, for
    m = `prefilter_factor` * n_queries, O(n C + m d n_queries) time and O(m d) memory.

    There is no code of the author's. Which row to take where one is nearest to two
    centres is left open in the paper: here the next nearest. Candidates with fewer
    distinct vectors than rows are due are filled up with the most informative ones. If
    no candidate is informative (all probabilities 0 and 1) all count alike.

    References
    ----------
    F. Zhdanov. Diverse mini-batch active learning. 2019, Algorithm 1.
    https://arxiv.org/abs/1901.05954

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal.strategies import DiverseMiniBatch
    >>> X_pool = np.random.RandomState(0).normal(size=(200, 8))
    >>> X, y = X_pool[:20], np.arange(20) % 2
    >>> classifier = LogisticRegression().fit(X, y)
    >>> strategy = DiverseMiniBatch(random_state=0).fit(X, y, estimator=classifier)
    >>> len(strategy.query(X_pool[20:], n_queries=5))
    5
    """

    draws_from_pool = True
    _parameter_constraints = {
        "prefilter_factor": [Interval(Real, 1, None, closed="left")],
        "weighted": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(self, *, prefilter_factor=10, weighted=True, random_state=None):
        self.prefilter_factor = prefilter_factor
        self.weighted = weighted
        self.random_state = random_state

    @property
    def reads(self):
        """The pool's class probabilities and embedding."""
        return Reads(pool=frozenset({"proba", "embedding"}))

    def _represent(self, view):
        return (1 + margin(view.proba))[:, None]

    def _explain(self, view):
        return {"score": self._represent(view)[:, 0]}

    def _query(self, view, n_queries):
        informativeness = self._represent(view)[:, 0]
        size = _n_candidates(self.prefilter_factor, n_queries)
        kept = top_rows(informativeness, size)
        weight = informativeness[kept].clip(0) if self.weighted else None
        rng = view.rng(self.random_state)
        picked = central_rows(view.embedding[kept], n_queries, rng, weight)
        others = np.setdiff1d(np.arange(len(kept)), picked)
        return kept[np.concatenate([picked, others])[:n_queries]]


class SuggestiveAnnotation(WrapperStrategy):
    """Pick those of the most uncertain rows that are most similar to the whole pool.

    The most uncertain rows are kept, `prefilter_factor` times as many as are due. Of
    these each pick is the one that raises most the similarity of all rows of the pool
    to the row picked that is most similar to them, by the cosine of the classifier's
    embeddings.

    Parameters
    ----------
    uncertainty : ScoreStrategy or None, default=None
        What says how uncertain rows are; None means :class:`Entropy`.
    prefilter_factor : float, default=2
        Rows kept per row of the batch (K / k in the paper, which has 16 / 8), at least
        1.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : FrozenEstimator or None
        The classifier's frozen encoder, where `uncertainty` needs one.
    seed_ : int
        Seed of what draws at random in `uncertainty`.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.functional.facility_location : The picks.
    DiverseMiniBatch : Uncertain rows that are unlike one another.

    Notes
    -----
    `transform` gives what `uncertainty` does. One pass of the classifier over the pool;
    then, for m = `prefilter_factor` * n_queries, O(n d m) time and 4 m n bytes of
    memory as long as m <= d (beyond that products are made again when they are
    needed).

    There is no code of the authors'. In the paper the uncertainty is the disagreement
    of an ensemble of networks trained on bootstrap samples; here it is a parameter.
    The pool whose rows are to be represented includes the candidates.

    References
    ----------
    L. Yang, Y. Zhang, J. Chen, S. Zhang, D. Z. Chen. Suggestive annotation: a deep
    active learning framework for biomedical image segmentation. MICCAI 2017, Section
    2.3. :doi:`10.1007/978-3-319-66179-7_46`

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal.strategies import Margin, SuggestiveAnnotation
    >>> X_pool = np.random.RandomState(0).normal(size=(200, 8))
    >>> X, y = X_pool[:20], np.arange(20) % 2
    >>> classifier = LogisticRegression().fit(X, y)
    >>> strategy = SuggestiveAnnotation(Margin()).fit(X, y, estimator=classifier)
    >>> len(strategy.query(X_pool[20:], n_queries=5))
    5
    """

    _parameter_constraints = {
        "uncertainty": [ScoreStrategy, None],
        "prefilter_factor": [Interval(Real, 1, None, closed="left")],
    }

    def __init__(self, uncertainty=None, *, prefilter_factor=2):
        self.uncertainty = uncertainty
        self.prefilter_factor = prefilter_factor

    @property
    def reads(self):
        """The pool's embedding, and what `uncertainty` reads."""
        return Reads(pool=frozenset({"embedding"})) | super().reads

    def _inner(self):
        return default_strategy() if self.uncertainty is None else self.uncertainty

    def _query(self, view, n_queries):
        size = _n_candidates(self.prefilter_factor, n_queries)
        candidates = self._inner()._query(view, min(size, len(view)))
        return facility_location(view.embedding, candidates, n_queries)
