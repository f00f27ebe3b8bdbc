# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Uncertainty sampling: the rows the classifier is least sure of."""

from numbers import Integral

from skal.base import Reads, ScoreStrategy
from skal.functional import entropy, least_confidence, margin
from skal.utils._sklearn import Interval


class _Uncertainty(ScoreStrategy):
    """A score of one distribution per row: the classifier's, or the mean of samples."""

    _parameter_constraints = {
        "n_samples": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(self, *, n_samples=None):
        self.n_samples = n_samples

    @property
    def reads(self):
        """The pool's class probabilities, or samples of them."""
        if self.n_samples is None:
            return Reads(pool=frozenset({"proba"}))
        return Reads(pool=frozenset({"samples"}), n_samples=self.n_samples)

    def _proba(self, view):
        if self.n_samples is None:
            return view.proba
        return view.samples(self.n_samples).mean(axis=0)


class Entropy(_Uncertainty):
    """Pick the rows whose predicted class distribution has the largest entropy.

    Parameters
    ----------
    n_samples : int, default=None
        None reads the classifier's probabilities. An int reads the mean of so many
        samples, such as those of dropout masks (DBAL) or of a committee.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : None
        Entropy asks for no encoder.
    seed_ : int
        Unused: nothing is random here.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.functional.entropy : The score.
    ConsensusEntropy : The same of samples.
    RandomSampling : The baseline.

    Notes
    -----
    One pass of the classifier over the pool, then O(n C) time and memory; of T samples
    T passes and O(T n C). Ties go to the lower row; the published code leaves them to
    an unstable sort.

    References
    ----------
    D. D. Lewis, W. A. Gale. A sequential algorithm for training text classifiers. SIGIR
    1994 (uncertainty sampling). :doi:`10.1007/978-1-4471-2099-5_1`

    Y. Gal, R. Islam, Z. Ghahramani. Deep Bayesian active learning with image data. ICML
    2017 (DBAL). https://arxiv.org/abs/1703.02910

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skal.strategies import Entropy
    >>> X, y = ["good film", "bad film"], ["pos", "neg"]
    >>> classifier = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(X, y)
    >>> strategy = Entropy().fit(X, y, estimator=classifier)
    >>> strategy.query(["a good one", "a bad one", "a film"], n_queries=1).tolist()
    [2]
    """

    def _score(self, view):
        return entropy(self._proba(view))


class LeastConfidence(_Uncertainty):
    """Pick the rows whose most probable class has the smallest probability.

    Parameters
    ----------
    n_samples : int, default=None
        None reads the classifier's probabilities. An int reads the mean of so many
        samples, such as those of dropout masks (DBAL) or of a committee.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : None
        LeastConfidence asks for no encoder.
    seed_ : int
        Unused: nothing is random here.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.functional.least_confidence : The score.
    Entropy : Looks at all classes, and not at the first alone.
    VariationRatio : The same of samples, with ``kind="mean"``.

    Notes
    -----
    One pass of the classifier over the pool, then O(n C) time and memory; of T samples
    T passes and O(T n C). Ties go to the lower row; the published code leaves them to
    an unstable sort.

    References
    ----------
    D. D. Lewis, W. A. Gale. A sequential algorithm for training text classifiers. SIGIR
    1994 (uncertainty sampling). :doi:`10.1007/978-1-4471-2099-5_1`

    Y. Gal, R. Islam, Z. Ghahramani. Deep Bayesian active learning with image data. ICML
    2017 (DBAL). https://arxiv.org/abs/1703.02910

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal.strategies import LeastConfidence
    >>> X, y = [[-1.0], [1.0]], ["neg", "pos"]
    >>> classifier = LogisticRegression().fit(X, y)
    >>> strategy = LeastConfidence().fit(X, y, estimator=classifier)
    >>> strategy.query([[-2.0], [0.1], [3.0]], n_queries=1).tolist()
    [1]
    """

    def _score(self, view):
        return least_confidence(self._proba(view))


class Margin(_Uncertainty):
    """Pick the rows whose two most probable classes are closest (breaking ties).

    Parameters
    ----------
    n_samples : int, default=None
        None reads the classifier's probabilities. An int reads the mean of so many
        samples, such as those of dropout masks (DBAL) or of a committee.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : None
        Margin asks for no encoder.
    seed_ : int
        Unused: nothing is random here.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.functional.margin : The score, which is the margin with its sign turned.
    LeastConfidence : Looks at the most probable class alone.

    Notes
    -----
    One pass of the classifier over the pool, then O(n C) time and memory; of T samples
    T passes and O(T n C). Ties go to the lower row; the published code leaves them to
    an unstable sort.

    References
    ----------
    T. Scheffer, C. Decomain, S. Wrobel. Active hidden Markov models for information
    extraction. IDA 2001. :doi:`10.1007/3-540-44816-0_31`

    Y. Gal, R. Islam, Z. Ghahramani. Deep Bayesian active learning with image data. ICML
    2017 (DBAL). https://arxiv.org/abs/1703.02910

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal.strategies import Margin
    >>> X, y = [[-1.0], [1.0]], ["neg", "pos"]
    >>> strategy = Margin().fit(X, y, estimator=LogisticRegression().fit(X, y))
    >>> strategy.query([[-2.0], [0.1], [3.0]], n_queries=1).tolist()
    [1]
    """

    def _score(self, view):
        return margin(self._proba(view))
