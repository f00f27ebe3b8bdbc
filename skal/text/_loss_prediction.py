# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A classifier that learns, while it is trained, how large its own loss is."""

import copy
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if

from skal.text._prediction import PredictionMixin
from skal.utils._random import draw_seed, seed_nested, stream
from skal.utils._sklearn import Interval, StrOptions, fit_context


def _estimator_offers(method):
    """Whether the classifier given has a method that needs no fit."""

    def check(self):
        getattr(self.estimator, method)
        return True

    return check


class LossPredictingClassifier(
    PredictionMixin, ClassifierMixin, MetaEstimatorMixin, BaseEstimator
):
    """Train a classifier together with a small module that predicts its loss.

    The loss module reads the classifier's hidden states after several layers and learns
    which of two rows has the larger loss. So it says of unlabelled rows, too, how wrong
    the classifier will be there, to query those rows first.

    Parameters
    ----------
    estimator : TransformerClassifier or DenseClassifier
        What is trained. With ``warm_start=True`` a further `fit` continues from the
        weights of the previous one, the loss module's included.
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
        All labels that may ever occur; passed on to an estimator whose own `classes` is
        None. None leaves it to the estimator.
    random_state : int, RandomState instance or None, default=None
        Replaces every `random_state` of the estimator. None leaves them as they are.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    estimator_ : classifier
        The trained classifier; the module of its ``net_`` holds the loss module.
    history_ : list of dict
        As the estimator's; "train_loss" is the sum that was minimised.
    layers_ : list of int
        The hidden states that are read.
    n_epochs_ : int
        Epochs completed in the last `fit`.
    n_steps_ : int
        Optimiser steps taken in the last `fit`.
    training_dynamics_ : Bunch
        What training recorded of each row and epoch, as the estimator does.
    n_features_in_ : int
        The length of a vector, where X holds vectors.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        The names of the columns, when X is a data frame whose names are all strings.

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

    Differences from [1]_: one optimiser for both parts, the estimator's; no pooling
    over positions, but one token's state; after `detach_after` of the epochs, where
    their code detaches one epoch later.

    A `fit` that fails or is interrupted leaves the previous state as it was.

    References
    ----------
    .. [1] D. Yoo and I. S. Kweon. Learning Loss for Active Learning. CVPR 2019,
       equation 2. :doi:`10.1109/CVPR.2019.00018`

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

    # Says before the first fit that training is recorded: strategies ask the class.
    training_dynamics_ = None

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

    @property
    def warm_start(self):
        """Whether the estimator's `fit` continues from its previous one."""
        return getattr(self.estimator, "warm_start", False)

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

        _check_has_hidden_layers(self.estimator)
        recipe = neural.LossPrediction(
            margin=self.margin,
            loss_weight=self.loss_weight,
            hidden_size=self.hidden_size,
            detach_after=self.detach_after,
            layers=_check_layers(self.layers),
        )
        estimator = self._next_estimator()
        estimator._validate_params()
        estimator._fit(X, y, recipe)
        self.estimator_ = estimator
        self.layers_ = estimator.net_.module_.loss_module.layers
        for name in _OF_THE_ESTIMATOR:
            vars(self).pop(name, None)
            if hasattr(estimator, name):
                setattr(self, name, getattr(estimator, name))
        return self

    def _next_estimator(self):
        """A clone, or what goes on from the last fit, seeded and told the classes."""
        estimator = clone(self.estimator)
        if self.warm_start and hasattr(self, "estimator_"):
            params = estimator.get_params(deep=False)
            estimator = copy.copy(self.estimator_).set_params(**params)
        if self.classes is not None and estimator.classes is None:
            estimator.set_params(classes=self.classes)
        if self.random_state is not None:
            rng = stream(draw_seed(self.random_state), 0)
            seed_nested(estimator, rng, overwrite=True)
        return estimator

    @property
    def _outputs(self):
        return (*self.estimator_._outputs, "predicted_loss")

    def _stream(self, X, wanted, n_samples):
        return self.estimator_._stream(X, wanted, n_samples)

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

    def sample_proba(self, X, n_samples=10):
        """Class probabilities drawn several times, as the estimator draws them.

        Parameters
        ----------
        X : rows of length n
            Texts or vectors, as in `fit`.
        n_samples : int, default=10
            Draws per row.

        Returns
        -------
        samples : ndarray of shape (n_samples, n, n_classes), dtype float64
            Columns in the order of `classes_`; they sum to 1.
        """
        outputs = self.predict_outputs(X, ["samples"], n_samples=n_samples)
        return outputs["samples"]

    @available_if(_estimator_offers("keep_tokens"))
    def keep_tokens(self, X):
        """Texts that remember their tokens, for several looks at the same texts.

        Parameters
        ----------
        X : sequence of str of length n
            Texts.

        Returns
        -------
        texts : sequence of str of length n
            See :class:`~skal.TransformerClassifier`.
        """
        return self.estimator.keep_tokens(X)

    @available_if(_estimator_offers("pretrained_encoder"))
    def pretrained_encoder(self):
        """The estimator's checkpoint before any training. Works before `fit`.

        Returns
        -------
        encoder : SentenceEncoder
            Unfitted; see :class:`~skal.TransformerClassifier`.
        """
        return self.estimator.pretrained_encoder()

    @available_if(_estimator_offers("token_surprisal"))
    def token_surprisal(self, X, picked=0.15, *, masked=False, random_state=None):
        """How unexpected tokens are to the pretrained language model. Needs no `fit`.

        Parameters
        ----------
        X : sequence of str of length n
            Texts.
        picked : float or array of bool of shape (n, L), default=0.15
            The probability with which a token is picked, or the tokens.
        masked : bool, default=False
            Whether the picked tokens are corrupted first.
        random_state : int, RandomState instance or None, default=None
            Decides which tokens are picked. None takes this classifier's, or that of
            the estimator.

        Returns
        -------
        surprisal : ndarray of shape (n, L), dtype float32
            See :class:`~skal.TransformerClassifier`.
        """
        seed = self.random_state if random_state is None else random_state
        return self.estimator.token_surprisal(
            X, picked, masked=masked, random_state=seed
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.classifier_tags = inner.classifier_tags
        tags.target_tags = inner.target_tags
        tags.non_deterministic = inner.non_deterministic
        return tags


_OF_THE_ESTIMATOR = (
    "classes_",
    "feature_names_in_",
    "history_",
    "n_epochs_",
    "n_features_in_",
    "n_steps_",
    "training_dynamics_",
)


def _check_has_hidden_layers(estimator):
    if not (isinstance(estimator, PredictionMixin) and hasattr(estimator, "_fit")):
        raise TypeError(
            "A loss module reads the hidden layers of the classifier that it learns "
            "with, so estimator must be a skal.TransformerClassifier or a "
            f"skal.text.DenseClassifier. Got {type(estimator).__name__}; as the last "
            "step of a pipeline, wrap the step and not the pipeline."
        )


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
