# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""One encoder with several heads, whose disagreement is read."""

from numbers import Integral, Real

import numpy as np

from skal.text._last_layer import LastLayerWrapper
from skal.utils._sklearn import Interval
from skal.utils._validation import check_count


class SplitHeadClassifier(LastLayerWrapper):
    """An ensemble for the price of one classifier: several heads on one encoder.

    The last linear layer of a classifier of `skal.text` is replaced by several heads
    of independent random weights, which are trained together on all rows, each behind
    a dropout mask of its own. The classifier predicts by the mean of their
    probabilities; `sample_proba` gives them one by one, to query by committee.

    Parameters
    ----------
    estimator : TransformerClassifier or DenseClassifier
        What is trained; cloned, and left as it is. Its `warm_start` has no effect.
    n_heads : int, default=5
        How many heads; at least 2.
    head_size : int or None, default=None
        The width of a hidden layer (ReLU) in each head. None: heads are linear.
    head_dropout : float, default=0.1
        Part of its input that each head drops while it is trained, after the dropout
        that the network has there for all.
    stochastic : bool, default=False
        Whether samples are drawn with the dropout of the network too (a stochastic
        ensemble): sample t is of head t modulo `n_heads` and of a new mask.
    classes : array-like of shape (n_classes,), default=None
        All labels that may ever occur. None means those of the estimator, or in y.
    random_state : int, RandomState instance or None, default=None
        Replaces every `random_state` of the estimator: seeds the heads, dropout and
        the order of the rows. The global generators are left alone.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    estimator_ : TransformerClassifier or DenseClassifier
        The trained classifier; it predicts by the mean of the heads too.
    history_ : list of dict
        For each epoch: "epoch" (from 1), "train_loss" and "seconds".
    n_epochs_ : int
        Epochs completed.
    n_steps_ : int
        Optimiser steps taken.
    training_dynamics_ : Bunch
        What the mean of the heads said of each training row in each epoch; see
        :class:`~skal.TransformerClassifier`.
    n_features_in_ : int
        Number of features of X, if it is vectors.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X has any that are all strings.

    See Also
    --------
    BayesByBackpropClassifier : A distribution of weights in place of several heads.
    skal.Committee : Several classifiers that share nothing.
    skal.strategies.BALD : Picks what would say most of which head is right.

    Notes
    -----
    The loss is the mean of the heads' cross-entropies. All heads see all rows: they
    differ by their first weights and their masks alone, so that they differ less than
    the members of a committee do. Of the ensembles that share work [1]_ found none as
    good as independent networks, and this one the cheapest.

    Training costs one classifier; a step, and a row that is predicted, cost
    ``O(n_heads d C)`` more for linear heads on d inputs with C classes, and a hidden
    layer of h units ``O(n_heads h (d + C))``. Weights take as much memory, ten
    thousands of times less than a transformer's. `predict_outputs` passes the encoder
    once, whatever is asked for and however many heads there are; memory is what is
    returned and 1,024 rows of activations. With `stochastic` samples the encoder runs
    once more for each.

    A head that the checkpoint brings along is thrown away. A `fit` that fails or is
    interrupted leaves the previous state as it was; with the same seed, machine and
    number of threads two fits are equal to the bit on a CPU.

    Stochastic samples are those that the estimator's own `sample_proba` draws; the
    heads' own masks are for training alone. In [2]_ the members are whole networks.

    References
    ----------
    .. [1] W. H. Beluch, T. Genewein, A. Nürnberger, J. M. Köhler. The power of
       ensembles for active learning in image classification. CVPR 2018 (split head).
    .. [2] R. Pop, P. Fulop. Deep ensemble Bayesian active learning: addressing the mode
       collapse issue in Monte Carlo dropout via ensembles. 2018.
       https://arxiv.org/abs/1811.03897

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skal.text import DenseClassifier, SplitHeadClassifier
    >>> X, y = make_blobs(100, centers=2, random_state=0)
    >>> network = DenseClassifier((20,), lr=0.01, device="cpu")
    >>> clf = SplitHeadClassifier(network, n_heads=3, random_state=0).fit(X, y)
    >>> clf.sample_proba(X).shape
    (3, 100, 2)
    """

    _parameter_constraints: dict = {
        "estimator": "no_validation",
        "n_heads": [Interval(Integral, 2, None, closed="left")],
        "head_size": [Interval(Integral, 1, None, closed="left"), None],
        "head_dropout": [Interval(Real, 0, 1, closed="left")],
        "stochastic": ["boolean"],
        "classes": ["array-like", None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator,
        *,
        n_heads=5,
        head_size=None,
        head_dropout=0.1,
        stochastic=False,
        classes=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.n_heads = n_heads
        self.head_size = head_size
        self.head_dropout = head_dropout
        self.stochastic = stochastic
        self.classes = classes
        self.random_state = random_state

    def _recipe(self):
        from skal import neural

        return neural.SplitHeadRecipe(
            n_heads=self.n_heads,
            head_size=self.head_size,
            rate=self.head_dropout,
            stochastic=self.stochastic,
        )

    @property
    def _n_mean(self):
        return len(self._last_linear.heads)

    def _networks(self, n_networks):
        return [_perceptron(layers) for layers in self._last_linear.layers()]

    def _n_kept(self, n_samples):
        n_samples = (
            self._n_mean if n_samples is None else check_count(n_samples, "n_samples")
        )
        return n_samples if self.stochastic else min(n_samples, self._n_mean)

    def _pass(self, X, asked, n_kept):
        """With stochastic samples the encoder runs once more for each of them."""
        if not self.stochastic or "samples" not in asked:
            return super()._pass(X, asked, n_kept)
        names = ["samples"] if asked == {"samples"} else ["samples", "embedding"]
        return self.estimator_.predict_outputs(X, names, n_samples=n_kept)

    def sample_proba(self, X, n_samples=None):
        """Class probabilities by each head.

        Parameters
        ----------
        X : rows of length n
            Texts or vectors, as in `fit`.
        n_samples : int, default=None
            How many heads to ask, the first ones; None, or more than there are, asks
            all of them. Of `stochastic` samples as many are drawn as this says, None
            one of each head.

        Returns
        -------
        samples : ndarray of shape (n_samples, n, n_classes), dtype float64
            Columns in the order of `classes_`; the same at every call. Each head is
            one network for all rows; the masks of `stochastic` samples are those of
            the estimator's own `sample_proba`.
        """
        return self.predict_outputs(X, ["samples"], n_samples=n_samples)["samples"]


def _perceptron(layers):
    """A function that applies linear layers (weight, bias) with a ReLU between them."""
    *hidden, (last_weight, last_bias) = layers

    def logits(X):
        for weight, bias in hidden:
            X = np.maximum(X @ weight.T + bias, 0)
        return X @ last_weight.T + last_bias

    return logits
