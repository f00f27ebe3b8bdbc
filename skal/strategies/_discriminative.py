# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Discriminative active learning: rows that look unlike the labelled ones."""

from numbers import Integral, Real

import numpy as np

from skal.base import QueryStrategy, Reads
from skal.functional import random_rows, top_rows
from skal.utils._random import draw_seed
from skal.utils._sklearn import Interval


class DiscriminativeAL(QueryStrategy):
    r"""Pick rows that a network can tell from the labelled ones (DAL).

    A small network learns to tell labelled rows from unlabelled ones by the
    classifier's embedding; the rows it is surest of are picked:

    .. math:: \operatorname{argmax}_{x \in U} P(y = u \mid \Psi(x))

    The batch is picked in parts. After each its rows count as labelled, and a new
    network is trained, so that the next part looks elsewhere.

    Parameters
    ----------
    n_sub_batches : int, default=10
        In how many parts the batch is picked; no more than it has rows. The authors
        take 10, or 20 where the network reads the classifier's embedding.
    subsample_factor : float or None, default=10
        How many unlabelled rows per labelled one the network is trained on, drawn anew
        for each part. None: all of them.
    hidden_layer_sizes : array-like of int, default=(256, 256, 256)
        Widths of the network's ReLU layers; at least one.
    lr : float, default=3e-4
        Learning rate of Adam (the authors: from 1e-4 to 3e-4, by data set).
    max_epochs : int, default=200
        Most passes over the rows the network is trained on (the authors: 200 to 1000).
    stop_accuracy : float, default=0.98
        Training ends after an epoch in which more than this share was told apart right,
        labelled and unlabelled rows weighing the same. A network that knows every row
        would be sure even of those that resemble labelled ones.
    batch_size : int, default=128
        Rows in a training batch (the authors: 128 or 1024).
    device : str, default="auto"
        Where the network is trained: a torch device; "auto" is CUDA, else MPS, else the
        CPU.
    random_state : int, RandomState instance or None, default=None
        Seeds the networks and the draws of their training rows. None takes the
        learner's seed. Every round draws anew either way.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : None
        DAL asks for no encoder: the embedding is the classifier's own.
    seed_ : int
        Seed used when `random_state` is None.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    CartographyAL : A network of the same kind, about what training learned.

    Notes
    -----
    `transform` gives the first network's P(unlabelled), in one column; ties go to the
    lower row. Which rows are labelled is all that is read of the labelled set, not how.
    Where none is, the first part is drawn at random.

    One pass of the classifier over the pool and the labelled rows. Then, for each part,
    O(E L f h (d + h)) time to train on L labelled rows and f times as many others in E
    epochs with layers of width h, and O(n h (d + h)) to look at n pool rows. Memory:
    the embeddings, two copies of what one network is trained on, and 1,024 rows of
    activations.

    Where the authors' code differs:

    * both weights of its loss come out as 1, so that the 10 unlabelled rows per
      labelled one outweigh it; here both kinds weigh the same, as was meant;
    * only the rows drawn for the training can be picked, others in each part; here the
      whole pool;
    * parts have ``batch // n_sub_batches`` rows, which for a small batch is none, for
      ever; here they differ by one row at most.

    The code of Cartography AL's repository, another DAL, has one linear layer with a
    ReLU on its logits, no parts, and labelled rows as they were embedded in every epoch
    of the classifier's training: it is not followed.

    References
    ----------
    D. Gissin, S. Shalev-Shwartz. Discriminative active learning. 2019, Algorithm 1.
    https://arxiv.org/abs/1907.06347

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal.strategies import DiscriminativeAL
    >>> X, y = make_blobs(200, centers=3, random_state=0)
    >>> classifier = LogisticRegression().fit(X[:50], y[:50])
    >>> strategy = DiscriminativeAL(max_epochs=20, device="cpu", random_state=0)
    >>> strategy = strategy.fit(X[:50], y[:50], estimator=classifier)
    >>> len(strategy.query(X[50:], n_queries=10))
    10
    """

    draws_from_pool = True

    _parameter_constraints = {
        "n_sub_batches": [Interval(Integral, 1, None, closed="left")],
        "subsample_factor": [Interval(Real, 0, None, closed="neither"), None],
        "hidden_layer_sizes": ["array-like"],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "stop_accuracy": [Interval(Real, 0, 1, closed="both")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "device": [str],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        n_sub_batches=10,
        subsample_factor=10,
        hidden_layer_sizes=(256, 256, 256),
        lr=3e-4,
        max_epochs=200,
        stop_accuracy=0.98,
        batch_size=128,
        device="auto",
        random_state=None,
    ):
        self.n_sub_batches = n_sub_batches
        self.subsample_factor = subsample_factor
        self.hidden_layer_sizes = hidden_layer_sizes
        self.lr = lr
        self.max_epochs = max_epochs
        self.stop_accuracy = stop_accuracy
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    @property
    def reads(self):
        """The embeddings of the pool and of the labelled rows."""
        embedding = frozenset({"embedding"})
        return Reads(pool=embedding, labeled=embedding)

    def _represent(self, view):
        rng = view.rng(self.random_state)
        return self._score(view, np.zeros(len(view), dtype=bool), rng)[:, None]

    def _explain(self, view):
        return {"score": self._represent(view)[:, 0]}

    def _query(self, view, n_queries):
        rng = view.rng(self.random_state)
        picked = np.zeros(len(view), dtype=bool)
        rows = []
        n_parts = min(self.n_sub_batches, n_queries)
        for part in np.array_split(np.arange(n_queries), n_parts):
            scores = self._score(view, picked, rng)
            scores[picked] = -np.inf
            best = top_rows(scores, len(part))
            picked[best] = True
            rows.append(best)
        return np.concatenate(rows)

    def _score(self, view, picked, rng):
        """P(unlabelled) of every row, where the picked ones count as labelled."""
        if not len(view.labeled) and not picked.any():
            return rng.random_sample(len(view))
        from skal import neural

        X, is_unlabeled = self._training_rows(view, picked, rng)
        module = neural.fit_binary(
            X,
            is_unlabeled,
            hidden_layer_sizes=self.hidden_layer_sizes,
            lr=self.lr,
            max_epochs=self.max_epochs,
            batch_size=self.batch_size,
            seed=draw_seed(rng),
            device=neural.resolve_device(self.device),
            weight_decay=0,
            balanced=True,
            stop_accuracy=self.stop_accuracy,
        )
        return neural.predict_binary(module, view.embedding)

    def _training_rows(self, view, picked, rng):
        """Vectors of labelled and picked rows, and of some others; which are others."""
        others = np.flatnonzero(~picked)
        labeled = view.embedding[picked]
        if len(view.labeled):
            labeled = np.concatenate([view.labeled.embedding, labeled])
        if self.subsample_factor is not None:
            size = max(1, round(self.subsample_factor * len(labeled)))
            others = others[random_rows(len(others), size, rng)]
        X = np.concatenate([labeled, view.embedding[others]])
        return X, np.arange(len(X)) >= len(labeled)
