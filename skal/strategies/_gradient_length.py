# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Expected gradient length: rows whose label would change the model most."""

from skal.base import Reads, ScoreStrategy
from skal.functional import expected_gradient_length


class ExpectedGradientLength(ScoreStrategy):
    """Pick the rows whose label is expected to change the last layer most.

    The score is the norm of the gradient of the last layer's weights, averaged over the
    labels by the classifier's own probabilities.

    Parameters
    ----------
    bias : bool, default=True
        Whether the gradient of the layer's bias is part of it.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : None
        ExpectedGradientLength asks for no encoder.
    seed_ : int
        Unused: nothing is random here.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.functional.expected_gradient_length : The score.
    BADGE : Gradients of the predicted label that are far from one another.

    Notes
    -----
    One pass of the classifier over the pool, then O(n (C + d)) time and O(n) memory:
    the gradient of a softmax layer has a closed form, and nothing is passed backward.
    Ties go to the lower row.

    The paper is about the gradient of the whole model; with a network that takes a
    backward pass per row and class. Only the last layer's is computed here. small-text
    1.4 sums the absolute values of the entries instead, which is another norm.

    References
    ----------
    B. Settles, M. Craven, S. Ray. Multiple-instance active learning. NIPS 2007.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal.strategies import ExpectedGradientLength
    >>> X, y = [[-1.0], [1.0]], ["neg", "pos"]
    >>> classifier = LogisticRegression().fit(X, y)
    >>> strategy = ExpectedGradientLength().fit(X, y, estimator=classifier)
    >>> strategy.query([[-9.0], [0.2], [0.1]], n_queries=1).tolist()
    [1]
    """

    _parameter_constraints = {"bias": ["boolean"]}

    def __init__(self, *, bias=True):
        self.bias = bias

    @property
    def reads(self):
        """The pool's class probabilities and embedding."""
        return Reads(pool=frozenset({"proba", "embedding"}))

    def _score(self, view):
        return expected_gradient_length(view.proba, view.embedding, self.bias)
