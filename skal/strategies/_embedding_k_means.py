# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Embedding k-means: the rows nearest to the centres of as many clusters."""

from abc import abstractmethod

import numpy as np
from sklearn.preprocessing import normalize

from skal.base import QueryStrategy, Reads
from skal.functional import k_means, nearest_to_centers
from skal.utils._sklearn import HasMethods, StrOptions


def central_rows(vectors, n_queries, rng, weight=None):
    """The row nearest to each of `n_queries` k-means centres, none twice.

    Fewer where there are fewer distinct vectors.
    """
    if n_queries == len(vectors):
        return np.arange(n_queries)
    _, centers = k_means(vectors, n_queries, sample_weight=weight, random_state=rng)
    return nearest_to_centers(vectors, centers)


class _EmbeddingKMeans(QueryStrategy):
    """Base of the strategies that cluster into as many clusters as rows are due."""

    draws_from_pool = True
    _parameter_constraints = {"random_state": ["random_state"]}

    def __init__(self, *, random_state=None):
        self.random_state = random_state

    @property
    def reads(self):
        """The pool's embedding."""
        return Reads(pool=frozenset({"embedding"}))

    @abstractmethod
    def _represent(self, view):
        """The vectors that are clustered."""

    def _query(self, view, n_queries):
        rng = view.rng(self.random_state)
        rows = self._central_rows(self._represent(view), n_queries, rng)
        if len(rows) < n_queries:
            left = np.setdiff1d(np.arange(len(view)), rows)
            more = rng.choice(left, n_queries - len(rows), replace=False)
            rows = np.concatenate([rows, more])
        return rows

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _central_rows(self, vectors, n_queries, rng):
        """Up to `n_queries` rows, fewer where there are fewer distinct vectors."""
        return central_rows(vectors, n_queries, rng)


class BertKM(_EmbeddingKMeans):
    """Pick the rows nearest to the k-means centres of a pretrained encoder's vectors.

    As many clusters as rows are due. Reads nothing of a classifier, so it works before
    the first fit (cold start).

    Parameters
    ----------
    encoder : "auto" or transformer, default="auto"
        What maps rows to the vectors that are clustered. "auto": dense vectors are
        taken as they are; for anything else the classifier's own checkpoint before
        fine-tuning. A transformer is cloned and fitted on the pool once; one that is
        fitted already goes inside a :class:`~sklearn.frozen.FrozenEstimator`.
    random_state : int, RandomState instance or None, default=None
        None takes the learner's seed. Every round draws anew either way.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier or None
        The classifier given to `fit`.
    encoder_ : FrozenEstimator or None
        The classifier's frozen encoder, where `encoder="auto"` needs one.
    seed_ : int
        Seed used when `random_state` is None.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    FTBertKM : The same on the fine-tuned classifier's embedding.
    skal.functional.k_means : The clusters.
    skal.functional.nearest_to_centers : The picks.

    Notes
    -----
    `transform` gives the vectors that are clustered, l2-normalised. The first query
    encodes the whole pool and keeps the vectors with the pool object, for the filters
    too. Each query then takes O(n d n_queries) time in each of 25 k-means iterations,
    and a copy of the vectors in memory.

    Where the authors' code differs:

    * a text's vector is BERT's pooler output there, called its [CLS] embedding, which a
      checkpoint may lack; ``encoder="auto"`` takes the mean of the token vectors, as
      the filters do. ``encoder=SentenceEncoder(checkpoint, pooling="cls")`` takes the
      last layer's [CLS];
    * k-means runs once here, in 25 iterations; there ten times (scikit-learn 0.22's
      default), each up to 300 iterations;
    * what is missing to a full batch, because one row is nearest to two centres, are
      the next nearest rows, and random ones where there are not as many distinct
      vectors; there rows drawn with replacement, which can stop the program.

    References
    ----------
    M. Yuan, H.-T. Lin and J. Boyd-Graber. Cold-start Active Learning through
    Self-supervised Language Modeling. EMNLP 2020, Section 5.1.
    :doi:`10.18653/v1/2020.emnlp-main.637`

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skal.strategies import BertKM
    >>> X, blob = make_blobs(300, centers=4, cluster_std=0.1, random_state=0)
    >>> rows = BertKM(random_state=0).fit(X).query(X, n_queries=4)
    >>> sorted(blob[rows].tolist())
    [0, 1, 2, 3]
    """

    _parameter_constraints = {
        "encoder": [StrOptions({"auto"}), HasMethods(["fit", "transform"])],
        "random_state": ["random_state"],
    }

    def __init__(self, *, encoder="auto", random_state=None):
        self.encoder = encoder
        self.random_state = random_state

    @property
    def reads(self):
        """The frozen encoder's vectors of the pool."""
        own_encoder = not isinstance(self.encoder, str)
        return Reads(pool=frozenset() if own_encoder else frozenset({"encoding"}))

    def _represent(self, view):
        return normalize(view.encode(self.encoder))


class FTBertKM(_EmbeddingKMeans):
    """Pick the rows nearest to the k-means centres of the classifier's embeddings.

    As many clusters as rows are due, of l2-normalised embeddings.

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
        FTBertKM asks for no encoder.
    seed_ : int
        Seed used when `random_state` is None.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    BertKM : The same on the checkpoint before fine-tuning, for the first round.
    PLMKM : Without normalisation.
    CoreSet : Covers the edge of the pool as well.

    Notes
    -----
    `transform` gives the vectors that are clustered. One pass of the classifier over
    the pool, then O(n d n_queries) time in each of 25 k-means iterations, and a copy of
    the embeddings in memory.

    The embedding is the input of the classifier's last linear layer, which for BERT is
    the pooler output that the authors' code takes. The paper draws the first batch by
    BERT-KM: ``ActiveLearner(..., FTBertKM(), initial=BertKM())``. What else differs
    from the authors' code is the same as for :class:`BertKM`.

    References
    ----------
    M. Yuan, H.-T. Lin and J. Boyd-Graber. Cold-start Active Learning through
    Self-supervised Language Modeling. EMNLP 2020, Section 5.1.
    :doi:`10.18653/v1/2020.emnlp-main.637`

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal.strategies import FTBertKM
    >>> X, y = make_blobs(300, centers=4, cluster_std=0.1, random_state=0)
    >>> classifier = LogisticRegression().fit(X, y)
    >>> strategy = FTBertKM(random_state=0).fit(X[:9], y[:9], estimator=classifier)
    >>> sorted(y[strategy.query(X, n_queries=4)].tolist())
    [0, 1, 2, 3]
    """

    def _represent(self, view):
        return normalize(view.embedding)


class PLMKM(_EmbeddingKMeans):
    """Pick the rows nearest to the k-means centres of raw embeddings.

    As many clusters as rows are due, of the classifier's embeddings as they are. The
    variant of BERT-KM that the REAL paper compares with.

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
        PLMKM asks for no encoder.
    seed_ : int
        Seed used when `random_state` is None.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    FTBertKM : With l2-normalised embeddings.

    Notes
    -----
    `transform` gives the embeddings. One pass of the classifier over the pool, then
    O(n d n_queries) time in each of 25 k-means iterations; O(n) memory beside the
    embeddings.

    The paper speaks of [CLS] embeddings, as BERT-KM's does of pretrained ones; its code
    takes those of the classifier as fine-tuned so far, and does not normalise them.
    That is done here. It takes the last layer's [CLS]; here an embedding is the input
    of the classifier's last linear layer. What else differs is the same as for
    :class:`BertKM`.

    References
    ----------
    C. Chen, Y. Wang, L. Liao, Y. Chen, X. Du. REAL: a representative error-driven
    approach for active learning. ECML PKDD 2023, Section 4.2.
    :doi:`10.1007/978-3-031-43412-9_2`

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal.strategies import PLMKM
    >>> X, y = make_blobs(300, centers=4, cluster_std=0.1, random_state=0)
    >>> classifier = LogisticRegression().fit(X, y)
    >>> strategy = PLMKM(random_state=0).fit(X[:9], y[:9], estimator=classifier)
    >>> sorted(y[strategy.query(X, n_queries=4)].tolist())
    [0, 1, 2, 3]
    """

    def _represent(self, view):
        return view.embedding
