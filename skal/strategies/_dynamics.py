# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Rows on which the classifier changed its mind while it was trained."""

from numbers import Integral, Real

import numpy as np

from skal.base import Reads, ScoreStrategy
from skal.functional import forgetting_events, label_dispersion, mean_of_nearest
from skal.utils._sklearn import Interval


class LabelDispersion(ScoreStrategy):
    """Pick the rows whose predicted class changed most while the model was trained.

    The score of a row is the share of the recorded epochs after which it was not
    predicted as it was most often. The classifier must have recorded its predictions of
    the pool: :class:`~skal.text.PoolRecorder`.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : None
        LabelDispersion asks for no encoder.
    seed_ : int
        Unused: nothing is random here.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.functional.label_dispersion : The score.
    skal.text.PoolRecorder : Records what it reads.
    VariationRatio : The same of several models at one time.

    Notes
    -----
    The passes over the pool are made while the classifier is trained, one per recorded
    epoch; a query takes O(n (T + C)) time for T of them and makes none.

    A row that was not recorded, because it was not among those that the classifier was
    given or `max_rows` left it out, scores -1 and so comes last. Where none of them was
    recorded, the recorder says what to do.

    Scores take at most T values, so that many rows tie: they go to the lower row. The
    first epochs, in which a network knows little, count as much as the last: the paper
    trains for hundreds of epochs. With 500 questions of TREC and a small BERT the rank
    correlation of score and error on the pool was 0.1 to 0.2 after 10 epochs, and 0.3
    to 0.4 after 30.

    References
    ----------
    J. Z. Bengar, B. Raducanu, J. van de Weijer. When deep learners change their mind:
    learning dynamics for active learning. CAIP 2021, Section 3.1.
    :doi:`10.1007/978-3-030-89128-2_39`

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skal.strategies import LabelDispersion
    >>> from skal.text import DenseClassifier, PoolRecorder
    >>> X, y = make_blobs(100, centers=3, random_state=0)
    >>> recorder = PoolRecorder(DenseClassifier((9,), device="cpu", random_state=0))
    >>> recorder = recorder.fit(X[:20], y[:20], X_unlabeled=X[20:])
    >>> strategy = LabelDispersion().fit(X[:20], y[:20], estimator=recorder)
    >>> len(strategy.query(X[20:], n_queries=5))
    5
    """

    @property
    def reads(self):
        """What was predicted of the pool while the classifier was trained."""
        return Reads(pool=frozenset({"epoch_predictions"}))

    def _score(self, view):
        predictions = view.epoch_predictions
        recorded = predictions[0] >= 0
        if recorded.all():
            return label_dispersion(predictions, len(view.classes))
        scores = np.full(len(view), -1.0)
        scores[recorded] = label_dispersion(predictions[:, recorded], len(view.classes))
        return scores


class ForgettingEvents(ScoreStrategy):
    """Pick the rows that lie where training forgot what it had learned.

    How often a labelled row was forgotten, which is classified wrongly after it was
    classified right, is known from the classifier's training dynamics. The score of a
    row of the pool is the mean count of the labelled rows nearest to it, by the
    classifier's embeddings.

    Parameters
    ----------
    n_neighbors : int, default=10
        Labelled rows to average over. Fewer are labelled: all.
    never_learned : float, default=None
        The count of a labelled row that was never classified right. None is the number
        of epochs, more than any row can be forgotten.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : None
        ForgettingEvents asks for no encoder.
    seed_ : int
        Unused: nothing is random here.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.functional.forgetting_events : The counts.
    skal.functional.mean_of_nearest : Their mean over the neighbours.
    LabelDispersion : Needs no labels, but passes over the pool in training.
    CartographyAL : Learns from the same dynamics which rows lie between.

    Notes
    -----
    The counts are those of [1]_. **That rows of a pool have any is not**: a count takes
    a label, and the papers, [1]_ and those that select by it, count labelled rows only.
    Handing the counts on to near rows is skal's own idea, untested by them.

    Neighbours are nearest by the Euclidean distance of l2-normalised embeddings, as in
    :class:`ContrastiveAL`; ties go to the row that was labelled first, those of scores
    to the lower row.

    The classifier must have recorded its training on exactly the labelled rows, as
    :class:`CartographyAL` says. One pass of it over the pool and the labelled rows,
    then O(n n_labeled d) time at matrix-product speed and O(n) memory.

    References
    ----------
    .. [1] M. Toneva, A. Sordoni, R. Tachet des Combes, A. Trischler, Y. Bengio, G. J.
       Gordon. An empirical study of example forgetting during deep neural network
       learning. ICLR 2019. https://arxiv.org/abs/1812.05159

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skal.strategies import ForgettingEvents
    >>> from skal.text import DenseClassifier
    >>> X, y = make_blobs(200, centers=3, cluster_std=3, random_state=0)
    >>> classifier = DenseClassifier((20,), lr=0.01, device="cpu", random_state=0)
    >>> classifier = classifier.fit(X[:50], y[:50])
    >>> strategy = ForgettingEvents().fit(X[:50], y[:50], estimator=classifier)
    >>> len(strategy.query(X[50:], n_queries=10))
    10
    """

    _parameter_constraints = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "never_learned": [Interval(Real, 0, None, closed="left"), None],
    }

    def __init__(self, *, n_neighbors=10, never_learned=None):
        self.n_neighbors = n_neighbors
        self.never_learned = never_learned

    @property
    def reads(self):
        """Embeddings of pool and labelled rows, and the latter's training dynamics."""
        return Reads(
            pool=frozenset({"embedding"}),
            labeled=frozenset({"embedding", "training_dynamics"}),
        )

    def _score(self, view):
        events = forgetting_events(
            view.labeled.training_dynamics.correct, never_learned=self.never_learned
        )
        return mean_of_nearest(
            view.embedding, view.labeled.embedding, events, self.n_neighbors
        )
