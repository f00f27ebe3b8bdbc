# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Uncertainty sampling: the rows the classifier is least sure of."""

from skal.base import Reads, ScoreStrategy
from skal.functional import entropy, least_confidence, margin


class Entropy(ScoreStrategy):
    """Pick the rows whose predicted class distribution has the largest entropy.

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
    RandomSampling : The baseline.

    Notes
    -----
    One pass of the classifier over the pool, then O(n C) time and memory. Ties go to
    the lower row; the published code leaves them to an unstable sort.

    References
    ----------
    D. D. Lewis, W. A. Gale. A sequential algorithm for training text classifiers. SIGIR
    1994 (uncertainty sampling). :doi:`10.1007/978-1-4471-2099-5_1`

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

    _parameter_constraints = {}

    @property
    def reads(self):
        """The pool's class probabilities."""
        return Reads(pool=frozenset({"proba"}))

    def _score(self, view):
        return entropy(view.proba)


class LeastConfidence(ScoreStrategy):
    """Pick the rows whose most probable class has the smallest probability.

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

    Notes
    -----
    One pass of the classifier over the pool, then O(n C) time and memory. Ties go to
    the lower row; the published code leaves them to an unstable sort.

    References
    ----------
    D. D. Lewis, W. A. Gale. A sequential algorithm for training text classifiers. SIGIR
    1994 (uncertainty sampling). :doi:`10.1007/978-1-4471-2099-5_1`

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

    _parameter_constraints = {}

    @property
    def reads(self):
        """The pool's class probabilities."""
        return Reads(pool=frozenset({"proba"}))

    def _score(self, view):
        return least_confidence(view.proba)


class Margin(ScoreStrategy):
    """Pick the rows whose two most probable classes are closest (breaking ties).

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
    One pass of the classifier over the pool, then O(n C) time and memory. Ties go to
    the lower row; the published code leaves them to an unstable sort.

    References
    ----------
    T. Scheffer, C. Decomain, S. Wrobel. Active hidden Markov models for information
    extraction. IDA 2001. :doi:`10.1007/3-540-44816-0_31`

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal.strategies import Margin
    >>> X, y = [[-1.0], [1.0]], ["neg", "pos"]
    >>> strategy = Margin().fit(X, y, estimator=LogisticRegression().fit(X, y))
    >>> strategy.query([[-2.0], [0.1], [3.0]], n_queries=1).tolist()
    [1]
    """

    _parameter_constraints = {}

    @property
    def reads(self):
        """The pool's class probabilities."""
        return Reads(pool=frozenset({"proba"}))

    def _score(self, view):
        return margin(view.proba)
