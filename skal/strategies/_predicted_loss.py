# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Learning loss: the rows on which the classifier expects its own loss to be large."""

from skal.base import Reads, ScoreStrategy


class PredictedLoss(ScoreStrategy):
    """Pick the rows whose loss, as the classifier predicts it, is largest.

    The classifier has to predict its loss: one in a
    :class:`~skal.text.LossPredictingClassifier` does.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : None
        PredictedLoss asks for no encoder.
    seed_ : int
        Unused: nothing is random here.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.text.LossPredictingClassifier : Predicts its loss.
    skal.filters.RandSub : Leaves a random part of the pool.
    Entropy : The loss that the classifier expects by its own probabilities.

    Notes
    -----
    One pass of the classifier over the pool, which predicts the loss as well, then O(n)
    time and memory. Ties go to the lower row.

    Published results rank a random 10,000 rows of the pool in each round, so that a
    batch of the largest scores is not all of a kind [1]_. That is a filter's work:
    ``RandSub(PredictedLoss(), max_subpool=10_000)``.

    References
    ----------
    .. [1] D. Yoo and I. S. Kweon. Learning Loss for Active Learning. CVPR 2019.
       https://arxiv.org/abs/1905.03677

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skal.strategies import PredictedLoss
    >>> from skal.text import DenseClassifier, LossPredictingClassifier
    >>> X, y = make_blobs(100, centers=2, random_state=0)
    >>> network = DenseClassifier((20, 20), lr=0.01, device="cpu")
    >>> classifier = LossPredictingClassifier(network).fit(X[:40], y[:40])
    >>> strategy = PredictedLoss().fit(X[:40], y[:40], estimator=classifier)
    >>> len(strategy.query(X[40:], n_queries=5))
    5
    """

    reads = Reads(pool=frozenset({"predicted_loss"}))

    def _score(self, view):
        return view.predicted_loss
