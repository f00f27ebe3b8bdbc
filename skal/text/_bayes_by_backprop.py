# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A last layer whose weights are a distribution."""

from numbers import Integral, Real

import numpy as np

from skal.functional._variational import KINDS
from skal.text._last_layer import LastLayerWrapper
from skal.utils._random import stream
from skal.utils._sklearn import Interval, StrOptions
from skal.utils._validation import check_count

_POSITIVE = Interval(Real, 0, None, closed="neither")


class BayesByBackpropClassifier(LastLayerWrapper):
    r"""A last layer whose weights are a distribution, learned in one training.

    The last linear layer of a classifier of `skal.text` is replaced by one whose
    weights are independent normals (Bayes by backprop [1]_): each batch draws weights
    ``w = mu + softplus(rho) * eps``, and the loss pulls their distribution towards a
    prior. `sample_proba` draws networks from what was learned, for BALD and its kin.

    Parameters
    ----------
    estimator : TransformerClassifier or DenseClassifier
        What is trained; cloned, and left as it is. Its `warm_start` has no effect.
    prior : {"gaussian", "mixture"}, default="gaussian"
        "gaussian" is a normal around 0 for each weight; "mixture" adds a narrow normal,
        which holds most weights near 0 and lets some be large.
    prior_scale : float, default=1.0
        The prior's standard deviation; of the mixture that of the wide normal.
    narrow_scale : float, default=0.0025
        That of the mixture's narrow normal, below `prior_scale`. The default is about
        exp(-6).
    wide_share : float, default=0.5
        The share of the wide normal in the mixture, strictly between 0 and 1.
    init_scale : float, default=0.05
        The standard deviation of all weights before training. The means begin where
        the layer that is replaced had its weights.
    kl_weights : {"uniform", "blundell"}, default="uniform"
        How the divergence from the prior is shared out among the M batches of an
        epoch: equally, or ``2^(M-i) / (2^M - 1)`` for batch i, so that the prior
        matters in the first batches and the data in all others.
    kl_scale : float, default=1.0
        What the divergence is multiplied by. 1 is Bayes' rule; below 1 the posterior
        is colder (narrower) than that; 0 leaves the prior out.
    head_lr : float or None, default=3e-3
        The highest learning rate of mu and rho, which follows the estimator's schedule.
        None: that of the estimator.
    n_draws : int, default=30
        Drawn networks that `predict_proba` is the mean of; the first ones are those of
        `sample_proba`.
    classes : array-like of shape (n_classes,), default=None
        All labels that may ever occur. None means those of the estimator, or in y.
    random_state : int, RandomState instance or None, default=None
        Replaces every `random_state` of the estimator: seeds the first weights,
        dropout, the order of the rows and all draws. The global generators are left
        alone.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    estimator_ : TransformerClassifier or DenseClassifier
        The trained classifier, whose own predictions are those of the mean weights.
    posterior_mean_ : ndarray of shape (n_classes, d + 1), dtype float64
        mu; the last column is that of the biases, d the length of an embedding.
    posterior_scale_ : ndarray of shape (n_classes, d + 1), dtype float64
        softplus(rho), the standard deviations.
    history_ : list of dict
        For each epoch: "epoch" (from 1), "train_loss" (with the divergence) and
        "seconds".
    n_epochs_ : int
        Epochs completed.
    n_steps_ : int
        Optimiser steps taken.
    training_dynamics_ : Bunch
        What the network drawn for its batch said of each training row in each epoch;
        see :class:`~skal.TransformerClassifier`.
    n_features_in_ : int
        Number of features of X, if it is vectors.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X has any that are all strings.

    See Also
    --------
    SplitHeadClassifier : Several heads in place of a distribution.
    skal.strategies.BALD : Picks what would say most about the weights.

    Notes
    -----
    With posterior q, prior p and n labelled rows, variational inference minimises

    .. math::
        F = \mathrm{KL}(q \,\|\, p) - \sum_{r=1}^n \mathbb E_q \log p(y_r | x_r, w)

    of which batch i, with b_i rows, has the part
    :math:`F_i = \pi_i \mathrm{KL} - \sum_{r \in i} \log p(y_r | x_r, w_i)`: the shares
    :math:`\pi_i` sum to 1 over an epoch and w_i is one draw, so that the parts sum to F
    on average. The loss is :math:`F_i / b_i`, the batch's mean cross-entropy plus
    :math:`\pi_i \mathrm{KL} / b_i`, on the scale of the estimator's own; its mean over
    the rows, "train_loss" of `history_`, is an estimate of F / n. For the normal prior
    KL is in closed form, for the mixture it is log q(w_i) - log p(w_i).

    The weight decay of the estimator leaves mu and rho alone, which have their prior;
    all layers below are trained as they are without this class, dropout included.
    In [1]_ all weights are distributions, here those of the last layer: a step costs
    the O(d C) draws more, memory is one more layer with its gradients. Mu and rho
    move by about `head_lr` a step at most, and rho is -3 at first: at the rate at which
    a transformer is fine-tuned the posterior would stay as it began, and its samples
    say nothing (on TREC with 400 labels BALD of them tells right from wrong answers
    with an area under the ROC curve of 0.49; 0.77 at 3e-3, 0.73 for Monte Carlo
    dropout). Hence a rate of their own.

    A pass of the encoder gives the embedding, and each drawn network costs O(d C) a row
    after it; memory is what is returned, 1,024 rows of activations and the weights of
    the draws. `predict_proba` is the mean of `n_draws` networks, so that it is the
    predictive distribution and not that of the mean weights, and `predict` its largest
    entry. A `fit` that fails or is interrupted leaves the previous state as it was;
    with the same seed, machine and number of threads two fits are equal to the bit on a
    CPU.

    References
    ----------
    .. [1] C. Blundell, J. Cornebise, K. Kavukcuoglu, D. Wierstra. Weight uncertainty in
       neural networks. ICML 2015. https://arxiv.org/abs/1505.05424

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skal.text import BayesByBackpropClassifier, DenseClassifier
    >>> X, y = make_blobs(100, centers=2, random_state=0)
    >>> network = DenseClassifier((20,), lr=0.01, device="cpu")
    >>> clf = BayesByBackpropClassifier(network, random_state=0).fit(X, y)
    >>> clf.sample_proba(X, n_samples=4).shape
    (4, 100, 2)
    """

    _parameter_constraints: dict = {
        "estimator": "no_validation",
        "prior": [StrOptions({"gaussian", "mixture"})],
        "prior_scale": [_POSITIVE],
        "narrow_scale": [_POSITIVE],
        "wide_share": [Interval(Real, 0, 1, closed="neither")],
        "init_scale": [_POSITIVE],
        "kl_weights": [StrOptions(set(KINDS))],
        "kl_scale": [Interval(Real, 0, None, closed="left")],
        "head_lr": [_POSITIVE, None],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "classes": ["array-like", None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator,
        *,
        prior="gaussian",
        prior_scale=1.0,
        narrow_scale=0.0025,
        wide_share=0.5,
        init_scale=0.05,
        kl_weights="uniform",
        kl_scale=1.0,
        head_lr=3e-3,
        n_draws=30,
        classes=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.prior = prior
        self.prior_scale = prior_scale
        self.narrow_scale = narrow_scale
        self.wide_share = wide_share
        self.init_scale = init_scale
        self.kl_weights = kl_weights
        self.kl_scale = kl_scale
        self.head_lr = head_lr
        self.n_draws = n_draws
        self.classes = classes
        self.random_state = random_state

    def _recipe(self):
        from skal import neural

        if self.prior == "mixture" and self.narrow_scale >= self.prior_scale:
            raise ValueError(
                "The second normal of a mixture prior is the narrow one: narrow_scale "
                f"must be below prior_scale={self.prior_scale}. Got "
                f"{self.narrow_scale}."
            )
        return neural.VariationalRecipe(
            init_scale=self.init_scale,
            divergence=self._divergence,
            kl_scale=self.kl_scale,
            kl_weights=self.kl_weights,
            pace=1.0 if self.head_lr is None else self.head_lr / self.estimator.lr,
        )

    def _divergence(self, head):
        if self.prior == "gaussian":
            return head.gaussian_divergence(self.prior_scale)
        return head.mixture_divergence(
            self.wide_share, self.prior_scale, self.narrow_scale
        )

    def _note_fit(self):
        posterior = [part.astype(np.float64) for part in self._last_linear.posterior()]
        self.posterior_mean_, self.posterior_scale_ = posterior

    @property
    def _n_mean(self):
        return self.n_draws

    def _networks(self, n_networks):
        """Linear layers drawn from the posterior, the first whatever their number."""
        shape = n_networks, *self.posterior_mean_.shape
        noise = stream(self._seed, 0, 1).standard_normal(shape)
        mean, scale = self.posterior_mean_, self.posterior_scale_
        return [_linear(mean + scale * draw) for draw in noise]

    def _n_kept(self, n_samples):
        return check_count(10 if n_samples is None else n_samples, "n_samples")

    def sample_proba(self, X, n_samples=10):
        """Class probabilities by networks drawn from the posterior.

        Parameters
        ----------
        X : rows of length n
            Texts or vectors, as in `fit`.
        n_samples : int, default=10
            How many networks.

        Returns
        -------
        samples : ndarray of shape (n_samples, n, n_classes), dtype float64
            Columns in the order of `classes_`. Each sample is one network for all
            rows, so that their joint distribution means something; the same at every
            call, the first ones whatever `n_samples` is.
        """
        return self.predict_outputs(X, ["samples"], n_samples=n_samples)["samples"]


def _linear(weights):
    """A function that applies a linear layer, whose last column is the bias."""
    return lambda X: X @ weights[:, :-1].T + weights[:, -1]
