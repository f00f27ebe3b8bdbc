# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Selection via proxy: a small classifier chooses what a large one learns."""

import numpy as np

from skal._fresh_estimator import fresh_estimator, offered
from skal._strategy import WrapperStrategy, read_once_fitted
from skal.base import QueryStrategy, Reads
from skal.exceptions import NotQueryableError
from skal.utils._capabilities import check_provides
from skal.utils._interrupt import reraise_interrupt
from skal.utils._sklearn import HasMethods


class ViaProxy(WrapperStrategy):
    """Let a small classifier choose the rows that the learner's own will learn.

    Each query fits a fresh proxy on the labelled set; the strategy inside reads the
    proxy wherever it would have read the learner's classifier.

    Parameters
    ----------
    strategy : QueryStrategy or None
        The strategy (or filter) that reads the proxy; None means Entropy.
    proxy : classifier
        Anything that offers what `strategy` reads: fewer layers, fewer epochs, TF-IDF
        and a logistic regression. Cloned and fitted at each query; a
        :class:`~sklearn.frozen.FrozenEstimator` is used as it is.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier or None
        The classifier given to `fit`; it is not read.
    encoder_ : FrozenEstimator or None
        The frozen encoder of the classifier given to `fit`, where a filter inside asks
        for it.
    seed_ : int
        Seed of the proxy and of whatever inside leaves its own `random_state` None.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    Raises
    ------
    MissingCapabilityError
        From `fit` and `query`, if the proxy lacks what the strategy reads.
    NotQueryableError
        From `query`, if there is no label to fit the proxy on.

    See Also
    --------
    skal.ActiveLearner : With a `budget`, fits its classifier only in the last round if
        nothing reads it before.

    Notes
    -----
    One fit of the proxy on the labelled set, then the cost of the strategy with the
    proxy. The learner's own classifier is not read. With a `budget` and neither
    `stopping` nor `keep_estimators` (nor ``warm_start=True``) it is fitted once, when
    the budget is spent; `teach` fits it always, because `predict` may follow.

    `sample_weight` and other metadata given to the learner's `fit` do not reach the
    proxy. Filters inside compare rows by the frozen encoder of the learner's
    classifier, as they do without a proxy; its `X_unlabeled` and `n_rounds` are offered
    to a proxy that takes them.

    The authors' entropy has no guard for a probability of exactly 0, and picks such
    rows, the surest of all, first; here 0 log 0 is 0.

    References
    ----------
    C. Coleman, C. Yeh, S. Mussmann, B. Mirzasoleiman, P. Bailis, P. Liang, J. Leskovec,
    M. Zaharia. Selection via proxy: efficient data selection for deep learning. ICLR
    2020. https://arxiv.org/abs/1906.11829

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skal.strategies import Entropy, ViaProxy
    >>> proxy = make_pipeline(TfidfVectorizer(), LogisticRegression())
    >>> strategy = ViaProxy(Entropy(), proxy)
    >>> strategy = strategy.fit(["good film", "bad film"], ["pos", "neg"])
    >>> strategy.query(["a good one", "a bad one", "a film"], n_queries=1).tolist()
    [2]
    """

    _parameter_constraints = {
        "strategy": [QueryStrategy, None],
        "proxy": [HasMethods(["fit", "predict_proba"])],
    }

    def __init__(self, strategy, proxy):
        self.strategy = strategy
        self.proxy = proxy

    @property
    def reads(self):
        """Of the learner's classifier only what it offers without being fitted."""
        inner = super().reads
        return Reads(pool=inner.pool - read_once_fitted(self._inner()))

    def _check_own_classifiers(self, X):
        super()._check_own_classifiers(X)
        outputs = read_once_fitted(self._inner())
        check_provides(type(self._inner()).__name__, self.proxy, outputs, X)

    def _represent(self, view):
        return self._inner()._represent(self._seen_by_proxy(view))

    def _explain(self, view):
        return self._inner()._explain(self._seen_by_proxy(view))

    def _query(self, view, n_queries):
        return self._inner()._query(self._seen_by_proxy(view), n_queries)

    def _seen_by_proxy(self, view):
        """The view through a proxy fitted on the labelled set, if anything reads it."""
        reads = self._inner().reads
        if not read_once_fitted(self._inner()):
            return view
        labeled = view.labeled
        if len(labeled) == 0:
            raise NotQueryableError(
                f"{type(self._inner()).__name__} reads the proxy, and there is no "
                "label yet to fit that on. Fit first, or query with a strategy that "
                "needs no model, such as RandomSampling."
            )
        classes = np.unique(labeled.y) if view.classes is None else view.classes
        proxy = fresh_estimator(self.proxy, labeled.y, classes, view.rng(None))
        params = offered(proxy, view.pool, view.rows, view.round)
        with reraise_interrupt():
            proxy.fit(labeled.X, labeled.y, **params)
        return view.seen_by(proxy, reads)
