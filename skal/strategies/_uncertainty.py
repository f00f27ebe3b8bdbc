# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Uncertainty sampling: the rows the classifier is least sure of."""

from skal.base import Reads, ScoreStrategy
from skal.functional import entropy


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
