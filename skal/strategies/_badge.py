# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""BADGE: batches that are uncertain and diverse at once."""

from skal.base import QueryStrategy, Reads
from skal.functional import badge, gradient_embedding


class BADGE(QueryStrategy):
    """Draw rows whose gradients are large (uncertain) and far apart (diverse).

    A row's gradient is that of the classifier's last layer, were the predicted label
    the true one. The first row has the largest; each further one is drawn with a
    probability in proportion to the squared distance to the nearest row drawn so far.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        None takes the learner's seed. Every round draws anew either way.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : None
        BADGE asks for no encoder: the embedding is the classifier's own.
    seed_ : int
        Seed used when `random_state` is None.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.functional.badge : The draws, and where other published versions differ.
    Entropy : Uncertain rows, however alike.

    Notes
    -----
    One pass of the classifier over the pool for probabilities and embeddings, then
    O(n (C + d) n_queries) time and O(n C) memory beside the two.

    `query` never builds the gradients. `transform` returns them, one block of d columns
    per class, and so takes O(n C d) memory: 24 GB for 100,000 rows, 77 classes and 384
    dimensions.

    The embedding must be dense: a pipeline of a vectorizer and a classifier needs a
    ``TruncatedSVD`` between them. Where no row is left that differs from those drawn,
    the rest of the batch is drawn uniformly; the authors' code stops with an error.

    References
    ----------
    J. T. Ash, C. Zhang, A. Krishnamurthy, J. Langford, A. Agarwal. Deep batch active
    learning by diverse, uncertain gradient lower bounds. ICLR 2020, Algorithm 1.
    https://arxiv.org/abs/1906.03671

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal.strategies import BADGE
    >>> X, y = [[-1.0], [1.0]], ["neg", "pos"]
    >>> strategy = BADGE(random_state=0).fit(X, y, LogisticRegression().fit(X, y))
    >>> sorted(strategy.query([[-2.0], [1.0], [1.0]], n_queries=2).tolist())
    [0, 1]
    """

    draws_from_pool = True
    _parameter_constraints = {"random_state": ["random_state"]}

    def __init__(self, *, random_state=None):
        self.random_state = random_state

    @property
    def reads(self):
        """The pool's class probabilities and embedding."""
        return Reads(pool=frozenset({"proba", "embedding"}))

    def _represent(self, view):
        return gradient_embedding(view.proba, view.embedding)

    def _query(self, view, n_queries):
        rng = view.rng(self.random_state)
        return badge(view.proba, view.embedding, n_queries, rng)
