# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A multi-layer perceptron on dense vectors as a scikit-learn classifier."""

import copy
import functools
import math
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import validate_data

from skal.text._dynamics import RecordsTraining
from skal.text._prediction import PredictionMixin
from skal.text._training import completed_epochs, continues, fit_classes
from skal.utils._interrupt import reraise_interrupt
from skal.utils._random import draw_seed, stream
from skal.utils._rollback import as_before_on_error
from skal.utils._sklearn import Interval, StrOptions, fit_context
from skal.utils._validation import check_labels


class DenseClassifier(RecordsTraining, PredictionMixin, ClassifierMixin, BaseEstimator):
    """A multi-layer perceptron on dense vectors, with all that a strategy may read.

    Hidden layers of linear, ReLU and dropout, then a linear layer: on the vectors of a
    frozen :class:`SentenceEncoder`, say. `fit` builds and trains a skorch net.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int, default=(300, 300, 300)
        The width of each hidden layer; at least one.
    dropout : float, default=0.3
        Part of each hidden layer's outputs that is set to 0 in training and in
        `sample_proba`.
    lr : float, default=1e-4
        The learning rate of AdamW, constant.
    max_epochs : int, default=30
        Passes over the training rows.
    batch_size : int, default=64
        Rows in a training batch.
    weight_decay : float, default=0.01
        Weight decay of all weights but biases.
    classes : array-like of shape (n_classes,), default=None
        All labels that may ever occur. None means those in y. A small labelled set
        often lacks a class that the pool has.
    device : str, default="auto"
        A torch device; "auto" is CUDA, else MPS, else the CPU. A fitted classifier
        that is loaded on a machine without that device predicts on the CPU.
    warm_start : bool, default=False
        Whether `fit` continues from the network of the previous `fit` (with a new
        optimiser; layers, classes and number of features are those of the first).
    store_dtype : {"float32", "float16"}, default="float32"
        How a pickle holds the weights. "float16" halves the file; once loaded they are
        float32 again, and probabilities have moved by less than about 0.001.
    callbacks : list of skorch callbacks, default=None
        Copies of them see the training.
    verbose : int, default=0
        Whether to print a line per epoch.
    random_state : int, RandomState instance or None, default=None
        Seeds the weights, the order of the rows and dropout, `sample_proba` included.
        The global generators of torch and numpy are left alone.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    n_features_in_ : int
        The length of a vector.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        The names of the columns, when X is a data frame whose names are all strings.
    net_ : skorch.NeuralNetClassifier
        The trained net, trimmed for prediction; its ``module_`` is the torch module.
    history_ : list of dict
        For each epoch of the last `fit`: "epoch" (from 1), "train_loss" and "seconds".
    n_epochs_ : int
        Epochs completed in the last `fit`.
    n_steps_ : int
        Optimiser steps taken in the last `fit`.
    training_dynamics_ : Bunch
        What the network said of each training row in each epoch of the last `fit`:
        ``gold_proba``, the probability of the row's own label, float32, and
        ``correct``, whether that was the most probable class, bool, both of shape
        (`n_epochs_`, n), columns in the order of the rows given to `fit`. Recorded
        during the epoch: with dropout, before the step that the row's batch leads to.
    data_map_ : Bunch
        Where these put each training row on a data map: ``confidence``,
        ``variability`` and ``correctness``, see :func:`~skal.functional.data_map`.
    forgetting_events_ : ndarray of shape (n,)
        How often training unlearned each row; `n_epochs_` for a row that it never
        learned, see :func:`~skal.functional.forgetting_events`.

    See Also
    --------
    TransformerClassifier : Fine-tunes the transformer itself.
    SentenceEncoder : Turns texts into vectors.

    Notes
    -----
    The defaults are the main classifier of [1]_: three ReLU layers of width 300,
    dropout 0.3, AdamW with learning rate 1e-4, 30 epochs in batches of 64. Vectors are
    taken as they are: scale them before where their features differ in size.

    A row costs O(n_features h + h^2) for layers of width h; memory is the outputs asked
    for and 1,024 rows of activations. With the same seed, machine and number of threads
    two fits are equal to the bit on a CPU. A `fit` that fails or is interrupted leaves
    the previous fitted state as it was; Ctrl-C is raised again. `sample_proba` is Monte
    Carlo dropout [2]_ with one mask for all rows in each sample [3]_.

    References
    ----------
    .. [1] M. Zhang and B. Plank. Cartography Active Learning. Findings of EMNLP 2021.
       :doi:`10.18653/v1/2021.findings-emnlp.36`
    .. [2] Y. Gal and Z. Ghahramani. Dropout as a Bayesian Approximation: Representing
       Model Uncertainty in Deep Learning. ICML 2016 (Monte Carlo dropout).
    .. [3] A. Kirsch, J. van Amersfoort and Y. Gal. BatchBALD: Efficient and Diverse
       Batch Acquisition for Deep Bayesian Active Learning. NeurIPS 2019.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skal.text import DenseClassifier
    >>> X, y = make_blobs(100, centers=2, random_state=0)
    >>> clf = DenseClassifier((20,), lr=0.01, device="cpu", random_state=0).fit(X, y)
    >>> clf.sample_proba(X, n_samples=5).shape
    (5, 100, 2)
    """

    _outputs = ("proba", "logits", "embedding", "samples")

    _parameter_constraints: dict = {
        "hidden_layer_sizes": ["array-like"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "classes": ["array-like", None],
        "device": [str],
        "warm_start": ["boolean"],
        "store_dtype": [StrOptions({"float32", "float16"})],
        "callbacks": [list, tuple, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        hidden_layer_sizes=(300, 300, 300),
        *,
        dropout=0.3,
        lr=1e-4,
        max_epochs=30,
        batch_size=64,
        weight_decay=0.01,
        classes=None,
        device="auto",
        warm_start=False,
        store_dtype="float32",
        callbacks=None,
        verbose=0,
        random_state=None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.dropout = dropout
        self.lr = lr
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.classes = classes
        self.device = device
        self.warm_start = warm_start
        self.store_dtype = store_dtype
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Train the network on labelled vectors.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Dense and finite; taken as float32.
        y : array-like of shape (n,)
            Class labels.

        Returns
        -------
        self : DenseClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If X is empty, not two-dimensional or not finite, if a label is not in
            `classes`, or if there is only one class.
        """
        from skal import neural

        return self._fit(X, y, neural.Recipe())

    def _fit(self, X, y, recipe):
        """Train by a recipe; see :class:`skal.neural.Recipe`."""
        from skal import neural

        with as_before_on_error(self):
            X = self._check_vectors(X, reset=not continues(self))
            y = check_labels(y, len(X))
            classes = fit_classes(self, y)
            sizes = _check_sizes(self.hidden_layer_sizes)
            device = neural.resolve_device(self.device)
            seed = draw_seed(self.random_state)
            with reraise_interrupt(), neural.seeded(seed, device):
                module = self._module(X.shape[1], sizes, len(classes))
                if not continues(self):
                    recipe.adapt(module, len(classes))
                net = self._net(module, len(X), len(classes), device, recipe)
                recipe.look = functools.partial(self._run, module)
                recipe.start(net)
                net.fit(neural.VectorDataset(X, np.searchsorted(classes, y)), None)
            history = completed_epochs(net)
            self.training_dynamics_ = net.dynamics_.arrays(len(history))
            net.trim_for_prediction()
            self.classes_ = classes
            self.history_ = history
            self.n_epochs_, self.n_steps_ = len(history), net.steps_done_
            self.net_ = net
            self._fit_seed = seed
        return self

    def _module(self, n_features, sizes, n_classes):
        from skal import neural

        if continues(self):
            return copy.deepcopy(self.net_.module_)
        return neural.DenseModule(n_features, sizes, n_classes, self.dropout)

    def _net(self, module, n_rows, n_classes, device, recipe):
        from skal import neural

        silent = {} if self.verbose else {"callbacks__print_log": None}
        return neural.TransformerNet(
            module,
            n_steps=self.max_epochs * math.ceil(n_rows / self.batch_size),
            classes=np.arange(n_classes),
            max_epochs=self.max_epochs,
            lr=self.lr,
            batch_size=self.batch_size,
            weight_decay=self.weight_decay,
            warmup_ratio=0,
            lr_schedule="constant",
            max_grad_norm=None,
            recipe=recipe,
            store_dtype=self.store_dtype,
            device=str(device),
            callbacks=copy.deepcopy(list(self.callbacks or [])),
            verbose=int(self.verbose),
            **silent,
        )

    def _check_vectors(self, X, *, reset):
        return validate_data(self, X, reset=reset, dtype=np.float32, order="C")

    def _stream(self, X, wanted, n_samples):
        return self._run(self.net_.module_, X, wanted, n_samples)

    def _run(self, module, X, wanted, n_samples=0):
        from skal import neural

        X = self._check_vectors(X, reset=False)
        device = neural.resolve_device(self.device, fallback=True)
        module = module.to(device)
        masks = self._masks(module, n_samples) if "samples" in wanted else None
        options = {name: name in wanted for name in ("embedding", "predicted_loss")}
        return neural.run_vectors(
            module,
            lambda batch: module.forward_outputs(batch, masks=masks, **options),
            X,
        )

    def _masks(self, module, n_samples):
        if not module.dropout.p:
            raise ValueError(
                "Samples are drawn with dropout, and this network was fitted with "
                "dropout=0: all of them would be equal. Fit it with a rate above 0."
            )
        return module.draw_masks(n_samples, stream(self._fit_seed, 0, 1))

    def sample_proba(self, X, n_samples=10):
        """Draw class probabilities under several dropout masks.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Vectors.
        n_samples : int, default=10
            How many masks.

        Returns
        -------
        samples : ndarray of shape (n_samples, n, n_classes), dtype float64
            Class probabilities; each sample is one network, the same masks for all
            rows. So a row's samples do not depend on the other rows, and the joint
            distribution over rows means something.

        Notes
        -----
        The masks are drawn from the seed of the last `fit`: the same at every call,
        the first ones whatever `n_samples` is. The first layer is computed once.
        """
        return self.predict_outputs(X, ["samples"], n_samples=n_samples)["samples"]


def _check_sizes(sizes):
    sizes = np.asarray(sizes)
    if (
        sizes.ndim != 1
        or sizes.dtype.kind not in "iu"
        or not len(sizes)
        or min(sizes) < 1
    ):
        raise ValueError(
            "hidden_layer_sizes must be one width of at least 1 per hidden layer, for "
            f"example (300, 300). Got {sizes.tolist()}; without a hidden layer, use "
            "sklearn.linear_model.LogisticRegression."
        )
    return sizes.tolist()
