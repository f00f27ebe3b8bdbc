# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Contrastive active learning (CAL): unlike predictions of like rows."""

from numbers import Integral

from skal.base import Reads, ScoreStrategy
from skal.exceptions import NotQueryableError
from skal.functional import contrastive_scores
from skal.utils._sklearn import Interval, StrOptions


class ContrastiveAL(ScoreStrategy):
    """Pick rows that are predicted otherwise than the labelled rows nearest to them.

    The score of a row is the mean Kullback-Leibler divergence of its predicted classes
    from those of its nearest labelled rows, by the classifier's embeddings.

    Parameters
    ----------
    n_neighbors : int, default=10
        Labelled rows a row is compared with (the paper's k). Fewer are labelled: all.
    aggregate : {"mean", "max", "median"}, default="mean"
        What is made of the divergences. The paper takes the mean; the others are
        options of the authors' program.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : None
        ContrastiveAL asks for no encoder.
    seed_ : int
        Unused: nothing is random here.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.functional.contrastive_scores : The score.
    Entropy : Looks at each row alone.

    Notes
    -----
    One pass of the classifier over the pool and the labelled rows; then
    O(n n_labeled (d + C)) time at matrix-product speed, and O(n) memory beside the
    classifier's outputs. Ties go to the lower row.

    Neighbours are nearest by the Euclidean distance of l2-normalised embeddings: inputs
    of the classifier's last linear layer, which for BERT is the pooler output that the
    authors' code takes. That code stops with an error where fewer than `n_neighbors`
    rows are labelled.

    Published numbers of other versions are not those of CAL: REAL's repository takes
    probabilities for their logarithms, small-text 1.4 finds each row among its own
    neighbours, AcTune does not normalise.

    References
    ----------
    K. Margatina, G. Vernikos, L. Barrault, N. Aletras. Active learning by acquiring
    contrastive examples. EMNLP 2021, Algorithm 1.
    :doi:`10.18653/v1/2021.emnlp-main.51`

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal.strategies import ContrastiveAL
    >>> X, y = [[1.0, 1.0], [1.0, -1.0]], ["neg", "pos"]
    >>> classifier = LogisticRegression().fit(X, y)
    >>> strategy = ContrastiveAL(n_neighbors=1).fit(X, y, estimator=classifier)
    >>> strategy.query([[1.0, 1.1], [9.0, 0.1], [1.0, -0.9]], n_queries=1).tolist()
    [1]
    """

    _parameter_constraints = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "aggregate": [StrOptions({"mean", "max", "median"})],
    }

    def __init__(self, *, n_neighbors=10, aggregate="mean"):
        self.n_neighbors = n_neighbors
        self.aggregate = aggregate

    @property
    def reads(self):
        """Class probabilities and embedding of the pool and of the labelled rows."""
        read = frozenset({"proba", "embedding"})
        return Reads(pool=read, labeled=read)

    def _score(self, view):
        if len(view.labeled) == 0:
            raise NotQueryableError(
                "ContrastiveAL compares rows with labelled ones, and there are none. "
                "Fit with labels first, or query with another strategy."
            )
        return contrastive_scores(
            view.proba,
            view.embedding,
            view.labeled.proba,
            view.labeled.embedding,
            self.n_neighbors,
            aggregate=self.aggregate,
        )
