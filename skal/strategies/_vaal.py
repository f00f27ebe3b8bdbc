# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""VAAL: rows unlike the labelled ones, though an autoencoder hides the difference."""

from numbers import Real

import numpy as np
from scipy.special import expit

from skal.strategies._adversarial import AdversarialStrategy
from skal.utils._sklearn import Interval


class VAAL(AdversarialStrategy):
    r"""Pick rows that a discriminator can tell from the labelled ones, though hidden.

    A variational autoencoder learns to represent labelled and unlabelled rows alike,
    and a discriminator D to tell them apart by what they are represented as, the means
    of their codes. The rows least like labelled ones are picked:

    .. math:: \operatorname{argmin}_{x \in U} D(\mu(x))

    Parameters
    ----------
    encoder : None, "auto" or transformer, default=None
        What maps rows to the vectors that the networks read. None: the classifier, by
        its embedding. "auto": dense vectors are taken as they are; for anything else
        the classifier's own checkpoint before fine-tuning. A transformer is cloned and
        fitted on the pool once; one that is fitted already goes inside a
        :class:`~sklearn.frozen.FrozenEstimator`.
    n_components : int, default=32
        Dimensions of the code.
    hidden_layer_sizes : array-like of int, default=(256,)
        Widths of the ReLU layers of encoder and discriminator, in turned order of the
        decoder; at least one.
    beta : float, default=0.1
        How much the codes' divergence from a unit Gaussian weighs: the share of a
        feature's variance that counts as noise, not worth encoding.
    adversary : float, default=1.0
        How much it weighs in the autoencoder's loss to deceive the discriminator.
    n_steps : int, default=300
        Steps of the discriminator, each after two of the autoencoder.
    batch_size : int, default=128
        Labelled rows in a training batch, and as many unlabelled ones.
    lr : float, default=5e-4
        Learning rate of Adam, for both sides.
    device : str, default="auto"
        Where the networks are trained: a torch device; "auto" is CUDA, else MPS, else
        the CPU.
    random_state : int, RandomState instance or None, default=None
        Seeds the networks and their batches. None takes the learner's seed. Every round
        draws anew either way.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier or None
        The classifier given to `fit`.
    encoder_ : FrozenEstimator or None
        The classifier's frozen encoder, where ``encoder="auto"`` needs one.
    seed_ : int
        Seed used when `random_state` is None.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    DiscriminativeAL : Tells the rows apart with nobody in the way.
    MAL : Weighs how uncertain they are as well.
    skal.functional.vae_loss : The autoencoder's loss.

    Notes
    -----
    `transform` gives P(unlabelled), in one column; ties go to the lower row. Which rows
    are labelled is all that is read of the labelled set, not how. Where none is, rows
    are drawn at random.

    The vectors are standardised first, feature by feature over pool and labelled rows.
    With m labelled rows and m others in a batch the losses are

    .. math:: L_{VAE} = \sum_{L, U} \tfrac{1}{m} \sum_i \big( \tfrac{1}{2} \|x_i - \hat
        x_i\|^2 + \beta KL(q(z \mid x_i) \| N(0, I)) \big) - \lambda \sum_{L, U}
        \tfrac{1}{m} \sum_i \log D(\mu(x_i))

    .. math:: L_D = - \tfrac{1}{m} \sum_{i \in L} \log D(\mu(x_i)) - \tfrac{1}{m}
        \sum_{i \in U} \log(1 - D(\mu(x_i)))

    One pass of the classifier over the pool and the labelled rows (of a frozen encoder:
    one in all). Then O(s m h (d + h)) time for s steps with layers of width h, whatever
    the size of the pool, and O(n h (d + h)) to look at n pool rows. Memory: the
    vectors, and 1,024 rows of activations.

    Where the authors' code differs:

    * it takes the mean of the squared errors over all features, and *sums* the
      divergences over the batch. This is the loss above with :math:`\beta m d / 2` in
      place of :math:`\beta`, 24,576 for 128 rows of 384 features: the codes of all rows
      become one, and the picks as good as random ones. (They still are with the mean
      of the divergences beside the mean of the squares.) The loss here is the paper's;
    * its :math:`\beta` is 1. Beside features of variance 1 that makes all of each
      feature noise, so that nothing is encoded but what many features share: of 30
      picks in ten independent features 0.69 came from where no row was labelled, as
      many as by chance, and with 0.1 it is 0.98. On embeddings, whose features do
      correlate, both pick alike (TREC, 0.94 against 0.97 with 100 labels);
    * it sees images: the networks are convolutional, with batch normalisation that is
      still learning while rows are scored, so that a score depends on the rows beside
      it; here there is none, and a row's score is its own;
    * it trains the classifier in the same loop, which shares nothing with the other
      networks; in evaluation mode from the first epoch on, by mistake.

    References
    ----------
    S. Sinha, S. Ebrahimi, T. Darrell. Variational adversarial active learning. ICCV
    2019, equations 1 to 3 and algorithms 1 and 2. https://arxiv.org/abs/1904.00370

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal.strategies import VAAL
    >>> X, y = make_blobs(200, centers=3, random_state=0)
    >>> classifier = LogisticRegression().fit(X[:50], y[:50])
    >>> strategy = VAAL(n_steps=20, device="cpu", random_state=0)
    >>> strategy = strategy.fit(X[:50], y[:50], estimator=classifier)
    >>> len(strategy.query(X[50:], n_queries=10))
    10
    """

    _parameter_constraints = {
        **AdversarialStrategy._parameter_constraints,
        "beta": [Interval(Real, 0, None, closed="left")],
        "adversary": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        encoder=None,
        n_components=32,
        hidden_layer_sizes=(256,),
        beta=0.1,
        adversary=1.0,
        n_steps=300,
        batch_size=128,
        lr=5e-4,
        device="auto",
        random_state=None,
    ):
        self.encoder = encoder
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.beta = beta
        self.adversary = adversary
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.lr = lr
        self.device = device
        self.random_state = random_state

    def _train(self, neural, view, seed):
        return neural.fit_vaal(
            self._labeled_vectors(view),
            self._vectors(view),
            beta=self.beta,
            adversary=self.adversary,
            **self._training(neural, seed),
        )

    def _judge(self, outputs):
        return expit(-outputs["labeled"].astype(np.float64))
