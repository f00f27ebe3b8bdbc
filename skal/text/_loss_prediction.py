# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A classifier that learns, while it is trained, how large its own loss is."""

from numbers import Integral, Real

import numpy as np

from skal.text._wrapper import WrapsClassifier
from skal.utils._interrupt import reraise_interrupt
from skal.utils._random import draw_seed, seed_nested, stream
from skal.utils._rollback import as_before_on_error
from skal.utils._sklearn import Interval, StrOptions, fit_context


class LossPredictingClassifier(WrapsClassifier):
    """Train a classifier together with a small module that predicts its loss.

    The loss module reads the classifier's hidden states after several layers and learns
    which of two rows has the larger loss. So it says of unlabelled rows, too, how wrong
    the classifier will be there, to query those rows first.

    Parameters
    ----------
    estimator : TransformerClassifier or DenseClassifier
        Cloned before it is trained.
    margin : float, default=1.0
        By how much the larger loss of a pair is to be predicted larger: it sets the
        scale of the predictions.
    loss_weight : float, default=1.0
        What the loss module's own loss is multiplied by before it is added to the
        classifier's.
    hidden_size : int, default=128
        The width of the module's branch of each layer.
    detach_after : float, default=0.6
        Part of the planned epochs after which the loss module no longer changes the
        classifier. Until then its gradient flows back through the hidden states; from
        then on, and all along with 0, it learns from them as they are.
    layers : "auto" or array-like of int, default="auto"
        Which hidden states are read: 1 is what comes out of the first layer, 0 what
        goes into it (the embedding of the tokens, a vector). "auto" takes up to four,
        evenly spread, the last one included.
    classes : array-like of shape (n_classes,), default=None
        All labels that may ever occur; passed on to the classifier. None means its own
        `classes`.
    random_state : int, RandomState instance or None, default=None
        Replaces every `random_state` of the estimator. None leaves them as they are.

    Attributes
    ----------
    estimator_ : classifier
        The classifier, trained. Whatever it has learned is this one's as well:
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    net_ : skorch.NeuralNetClassifier
        The trained net; its ``module_`` holds the loss module.
    tokenizer_ : transformers tokenizer
        Of a TransformerClassifier.
    n_features_in_ : int
        The length of a vector, of a DenseClassifier.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        The names of the columns, when X is a data frame whose names are all strings.
    history_ : list of dict
        For each epoch: "epoch" (from 1), "train_loss", the sum that was minimised, and
        "seconds".
    n_epochs_ : int
        Epochs completed.
    n_steps_ : int
        Optimiser steps taken.
    training_dynamics_ : Bunch
        ``gold_proba`` and ``correct`` of the training rows, both of shape (`n_epochs_`,
        n); see the classifier.
    data_map_ : Bunch
        ``confidence``, ``variability`` and ``correctness`` of the training rows.
    forgetting_events_ : ndarray of shape (n,)
        How often training unlearned each of them.
    layers_ : list of int
        The hidden states that are read.

    See Also
    --------
    skal.strategies.PredictedLoss : Picks the rows with the largest predicted loss.

    Notes
    -----
    The module: for each layer a linear layer and ReLU, then one linear layer on all of
    them side by side. A row of a batch of B is paired with the one as far from the
    other end. A pair costs ``max(0, margin - s (p_i - p_j))`` for the predictions p,
    where s is 1 if row i has the larger loss and -1 otherwise [1]_; the mean over the
    pairs is added to the loss of the classifier. Of an odd batch one row has no
    partner, and a batch of one row teaches the module nothing.

    Of a text the states of the token that stands for it are read (see
    :class:`~skal.TransformerClassifier`), from the pass that makes the logits. On top
    of it come, for each row, l d `hidden_size` multiplications for l layers of width
    d. Predictions are for ranking: their zero and scale mean nothing.

    With ``loss_weight=0`` or ``detach_after=0`` the classifier is, on a CPU, to the bit
    the one that the estimator alone becomes with the same seed: the module is drawn
    from a stream of its own and its gradient is clipped by itself.

    The defaults are those of [1]_, tuned for long training from scratch. In 10 epochs
    of fine-tuning the module's gradient weighs more than the labels'...

    Differences from [1]_: one token's state in place of the mean over positions; one
    optimiser for both parts, the estimator's, and so weight decay; each `fit` trains a
    new clone (the estimator's `warm_start` has no effect), where their rounds go on
    from the model of the round before.

    A `fit` that fails or is interrupted leaves the previous fitted state as it was.

    References
    ----------
    .. [1] D. Yoo and I. S. Kweon. Learning Loss for Active Learning. CVPR 2019.
       https://arxiv.org/abs/1905.03677

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skal.text import DenseClassifier, LossPredictingClassifier
    >>> X, y = make_blobs(100, centers=2, random_state=0)
    >>> network = DenseClassifier((20, 20), lr=0.01, device="cpu")
    >>> clf = LossPredictingClassifier(network, random_state=0).fit(X, y)
    >>> clf.predict_loss(X).shape
    (100,)
    """

    _parameter_constraints: dict = {
        "estimator": "no_validation",
        "margin": [Interval(Real, 0, None, closed="neither")],
        "loss_weight": [Interval(Real, 0, None, closed="left")],
        "hidden_size": [Interval(Integral, 1, None, closed="left")],
        "detach_after": [Interval(Real, 0, 1, closed="both")],
        "layers": [StrOptions({"auto"}), "array-like"],
        "classes": ["array-like", None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator,
        *,
        margin=1.0,
        loss_weight=1.0,
        hidden_size=128,
        detach_after=0.6,
        layers="auto",
        classes=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.margin = margin
        self.loss_weight = loss_weight
        self.hidden_size = hidden_size
        self.detach_after = detach_after
        self.layers = layers
        self.classes = classes
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y):
        """Train the classifier and its loss module.

        Parameters
        ----------
        X : rows of length n
            Texts or vectors, as the estimator takes them.
        y : array-like of shape (n,)
            Class labels.

        Returns
        -------
        self : LossPredictingClassifier
            The fitted classifier.

        Raises
        ------
        TypeError
            If the estimator is neither a TransformerClassifier nor a DenseClassifier.
        ValueError
            If there is no layer of a number in `layers`, or for whatever the estimator
            refuses.
        """
        from skal import neural

        self._check_estimator()
        recipe = neural.LossPrediction(
            margin=self.margin,
            loss_weight=self.loss_weight,
            hidden_size=self.hidden_size,
            detach_after=self.detach_after,
            layers=_check_layers(self.layers),
        )
        with as_before_on_error(self), reraise_interrupt():
            self._train(X, y, recipe)
            recipe.finish()
            self.layers_ = self.net_.module_.loss_module.layers
        return self

    def _fresh_classifier(self):
        classifier = super()._fresh_classifier()
        if self.random_state is not None:
            rng = stream(draw_seed(self.random_state), 0)
            seed_nested(classifier, rng, overwrite=True)
        return classifier

    def predict_loss(self, X):
        """How large the loss of each row is, by the loss module.

        Parameters
        ----------
        X : rows of length n
            Texts or vectors, as in `fit`.

        Returns
        -------
        predicted_loss : ndarray of shape (n,), dtype float64
            To be compared with each other; not on the scale of the loss.
        """
        return self.predict_outputs(X, ["predicted_loss"])["predicted_loss"]


def _check_layers(layers):
    """ "auto", or distinct numbers as a list of int."""
    if isinstance(layers, str):
        return layers
    layers = np.asarray(layers)
    numbers = layers.ndim == 1 and layers.dtype.kind in "iu" and len(layers) > 0
    if not numbers or len(set(layers.tolist())) < len(layers):
        raise ValueError(
            'layers must be "auto" or the numbers of hidden layers, each once, for '
            f"example [1, 2]. Got {layers.tolist()}."
        )
    return layers.tolist()
