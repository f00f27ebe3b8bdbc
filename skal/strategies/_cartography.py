# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Cartography AL: rows between what training learned and what it hardly learned."""

from numbers import Integral, Real

import numpy as np

from skal.base import Reads, ScoreStrategy
from skal.functional import data_map, entropy
from skal.utils._random import draw_seed
from skal.utils._sklearn import Interval


class CartographyAL(ScoreStrategy):
    r"""Pick rows between the labelled ones that training learned and those it did not.

    The classifier's training dynamics say how often each labelled row was predicted
    right while it was trained, the row's correctness. A small network learns to tell
    rows whose correctness is above a threshold from the others, by the classifier's
    embedding; the rows it cannot tell are picked:

    .. math:: \operatorname{argmin}_x |0.5 - P(\hat\phi > t_{cor} \mid \Psi(x))|

    Parameters
    ----------
    t_cor : float, default=0.2
        A labelled row is of high correctness if it is *above* this.
    binned : bool, default=False
        Whether the correctness is first rounded to a multiple of 0.2, halves to the
        even one, as in the authors' code. With ``t_cor=0.2`` this asks for a
        correctness of about 0.3: 2 of 5 epochs, 3 of 10, 9 of 30.
    hidden_layer_sizes : array-like of int, default=(300,)
        Widths of the network's ReLU layers; at least one.
    lr : float, default=5e-5
        Learning rate of AdamW.
    max_epochs : int, default=30
        Passes over the labelled rows.
    batch_size : int, default=64
        Labelled rows in a training batch (the paper: 64 for AG News, 16 for TREC).
    device : str, default="auto"
        Where the network is trained: a torch device; "auto" is CUDA, else MPS, else the
        CPU.
    random_state : int, RandomState instance or None, default=None
        Seeds the network. None takes the learner's seed. Every round draws anew either
        way.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : None
        Cartography AL asks for no encoder.
    seed_ : int
        Seed used when `random_state` is None.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.functional.data_map : Correctness, confidence and variability.
    skal.TransformerClassifier : Records its training.
    skal.text.DenseClassifier : The same, on vectors.

    Notes
    -----
    `transform` gives :math:`-|0.5 - P|`; ties go to the lower row. If all labelled rows
    are on one side of the threshold there is nothing to tell apart, and the rows are
    those with the largest entropy of the classifier's own prediction.

    The classifier must have recorded its training on exactly the labelled rows, in
    their order: :class:`~skal.TransformerClassifier` and
    :class:`~skal.text.DenseClassifier` do. One of your own keeps `gold_proba` and
    `correct`, both of shape (n_epochs, n_labeled), in a Bunch `training_dynamics_`; its
    class has an attribute of that name too (None, say), which tells the learner so
    before the first fit.

    One pass of the classifier over the pool and the labelled rows, then O(E L h d) time
    to train on L labelled rows in E epochs with a layer of width h, and O(n h d) for n
    pool rows. Memory: the embeddings and 1,024 rows of activations.

    Where the authors' code differs from the paper, whose text is followed here (but for
    `binned`):

    * the network's two logits pass through a ReLU: where both are cut to 0, P is
      exactly 0.5, and the first rows of the pool are picked;
    * with all labelled rows on one side P is 1 everywhere: again the first rows;
    * labelled rows are embedded as they were in the first epoch of training, pool rows
      by the final classifier; here both by the final one;
    * neither classifier shuffles its rows.

    References
    ----------
    M. Zhang, B. Plank. Cartography Active Learning. Findings of EMNLP 2021, Algorithm
    1. :doi:`10.18653/v1/2021.findings-emnlp.36`

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skal.strategies import CartographyAL
    >>> from skal.text import DenseClassifier
    >>> X, y = make_blobs(200, centers=3, cluster_std=3, random_state=0)
    >>> classifier = DenseClassifier((20,), lr=0.01, device="cpu", random_state=0)
    >>> classifier = classifier.fit(X[:50], y[:50])
    >>> strategy = CartographyAL(t_cor=0.6, device="cpu", random_state=0)
    >>> strategy = strategy.fit(X[:50], y[:50], estimator=classifier)
    >>> len(strategy.query(X[50:], n_queries=10))
    10
    """

    _parameter_constraints = {
        "t_cor": [Interval(Real, 0, 1, closed="left")],
        "binned": ["boolean"],
        "hidden_layer_sizes": ["array-like"],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "device": [str],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        t_cor=0.2,
        binned=False,
        hidden_layer_sizes=(300,),
        lr=5e-5,
        max_epochs=30,
        batch_size=64,
        device="auto",
        random_state=None,
    ):
        self.t_cor = t_cor
        self.binned = binned
        self.hidden_layer_sizes = hidden_layer_sizes
        self.lr = lr
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    @property
    def reads(self):
        """Embeddings, the pool's probabilities, the labelled rows' dynamics."""
        return Reads(
            pool=frozenset({"embedding", "proba"}),
            labeled=frozenset({"embedding", "training_dynamics"}),
        )

    def _score(self, view):
        is_high = self._is_high(view.labeled.training_dynamics)
        if is_high.all() or not is_high.any():
            return entropy(view.proba)
        return -np.abs(0.5 - self._proba_of_high(view, is_high))

    def _is_high(self, dynamics):
        """Whether the correctness of each labelled row is above the threshold."""
        _, _, correctness = data_map(dynamics.gold_proba, dynamics.correct)
        if self.binned:
            correctness = np.rint(5 * correctness) / 5
        return correctness > self.t_cor

    def _proba_of_high(self, view, is_high):
        """The network's probability that a pool row is of high correctness."""
        from skal import neural

        module = neural.fit_binary(
            view.labeled.embedding,
            is_high,
            hidden_layer_sizes=self.hidden_layer_sizes,
            lr=self.lr,
            max_epochs=self.max_epochs,
            batch_size=self.batch_size,
            seed=draw_seed(view.rng(self.random_state)),
            device=neural.resolve_device(self.device),
        )
        return neural.predict_binary(module, view.embedding)
