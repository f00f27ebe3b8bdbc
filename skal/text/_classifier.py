# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A fine-tuned transformer as a scikit-learn classifier."""

import functools
import os
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from skal.text._dynamics import RecordsTraining
from skal.text._pretrained import PretrainedMixin
from skal.text._streaming import StreamingMixin
from skal.text._tags import text_tags
from skal.text._training import (
    build_net,
    completed_epochs,
    continues,
    fit_classes,
    load,
)
from skal.utils._interrupt import reraise_interrupt
from skal.utils._random import draw_seed
from skal.utils._sklearn import Interval, StrOptions, fit_context
from skal.utils._validation import check_labels, check_texts


class TransformerClassifier(
    RecordsTraining, StreamingMixin, PretrainedMixin, ClassifierMixin, BaseEstimator
):
    """Fine-tune a pretrained transformer to classify texts.

    Raw texts in, a scikit-learn classifier outside: it can be cloned, searched over,
    cross-validated and pickled. `fit` builds and trains a skorch net.

    Parameters
    ----------
    model : str or path-like, default="bert-base-uncased"
        A local checkpoint folder or the name of a model on the Hugging Face hub; any
        checkpoint that ``AutoModelForSequenceClassification`` loads: encoders (BERT,
        RoBERTa, ALBERT, DeBERTa, ...), decoders (GPT-2, ...) and encoder-decoders (T5).
        The str "skal-tiny" is a small BERT that comes with skal and wants an `lr` of
        about 1e-3; a local folder of that name is ``"./skal-tiny"``.
    classes : array-like of shape (n_classes,), default=None
        All labels that may ever occur. None means those in y. A small labelled set
        often lacks a class that the pool has.
    max_length : int, default=128
        Tokens after which a text is cut. Where the model has fewer positions it is cut
        to those, and a TruncationWarning says of how many texts this is true.
    lr : float, default=5e-5
        The highest learning rate of AdamW.
    max_epochs : int, default=10
        Passes over the training texts, unless `min_steps` asks for more.
    min_steps : int, default=100
        Optimiser steps to take at least: where `max_epochs` epochs are fewer steps, as
        many whole epochs are run as it takes.
    batch_size : int, default=32
        Texts in a training batch.
    weight_decay : float, default=0.01
        Weight decay of all weights but biases and normalisation weights.
    warmup_ratio : float, default=0.1
        Part of the steps over which the learning rate rises linearly to `lr`.
    lr_schedule : {"linear", "constant"}, default="linear"
        Whether the learning rate falls linearly after that or stays.
    max_grad_norm : float or None, default=1.0
        Length to which longer gradients are clipped. None: no clipping.
    device : str, default="auto"
        A torch device; "auto" is CUDA, else MPS, else the CPU. A fitted classifier
        that is loaded on a machine without that device predicts on the CPU.
    mixed_precision : {"bf16", "fp16"} or None, default=None
        Arithmetic of the forward passes, in training and in prediction. None is
        float32. Lower precision moves probabilities by about 0.01.
    compile : bool, default=False
        Whether ``torch.compile`` compiles the encoder, at the first batch of training
        and of prediction. That takes up to a minute (again in each process that loads
        a pickle) and a compiler; on a CPU it gains nothing.
    max_batch_tokens : int or "auto", default="auto"
        Padded tokens in a batch of prediction. "auto" is 2,048 on a CPU and 32,768 on
        a GPU.
    warm_start : bool, default=False
        Whether `fit` continues from the weights of the previous `fit` (with a new
        optimiser and the classes of the first `fit`).
    store_dtype : {"float32", "float16"}, default="float32"
        How a pickle holds the weights. "float16" halves the file; once loaded they are
        float32 again, and probabilities have moved by less than about 0.001.
    callbacks : list of skorch callbacks, default=None
        Copies of them see the training.
    verbose : int, default=0
        Whether to print a line per epoch, show progress bars and let transformers
        report.
    random_state : int, RandomState instance or None, default=None
        Seeds the weights of the head, dropout and the order of the texts. The global
        generators of torch and numpy are left alone.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    net_ : skorch.NeuralNetClassifier
        The trained net, trimmed for prediction; its ``module_`` is the torch module.
    tokenizer_ : transformers tokenizer
        The tokenizer of the checkpoint. Prediction needs neither the checkpoint folder
        nor the hub, so a pickle loads without them.
    history_ : list of dict
        For each epoch of the last `fit`: "epoch" (from 1), "train_loss" and "seconds".
    n_epochs_ : int
        Epochs completed in the last `fit`.
    n_steps_ : int
        Optimiser steps taken in the last `fit`.
    training_dynamics_ : Bunch
        What the model thought of each training row in each epoch of the last `fit`:
        ``gold_proba``, the probability of the label it was given, float32, and
        ``correct``, whether that was the most probable class, bool, both of shape
        (`n_epochs_`, n), columns in the order of the rows given to `fit`. Recorded
        during the epoch, as in the code of [3]_: with dropout, from the batch's own
        logits, before the step that the batch leads to.
    data_map_ : Bunch
        Where these put each training row on a data map: ``confidence``,
        ``variability`` and ``correctness``, see :func:`~skal.functional.data_map`.
    forgetting_events_ : ndarray of shape (n,)
        How often training unlearned each row; `n_epochs_` for a row that it never
        learned, see :func:`~skal.functional.forgetting_events`.

    See Also
    --------
    SentenceEncoder : The same checkpoint without training, as a transformer.

    Notes
    -----
    `fit` tokenises each text once and pads batch by batch. With the same seed, machine
    and number of threads two fits are equal to the bit on a CPU. A `fit` that fails or
    is interrupted leaves the previous fitted state as it was; Ctrl-C is raised again.

    Prediction is one forward pass for each distinct text, sorted by length; memory is
    the outputs asked for and one batch of activations. Whatever runs out of GPU memory
    is tried again with half the batch.

    The defaults (at least 10 epochs and at least 100 steps) are the protocol of [2]_.

    References
    ----------
    .. [1] J. Devlin, M.-W. Chang, K. Lee and K. Toutanova. BERT: Pre-training of Deep
       Bidirectional Transformers for Language Understanding. NAACL 2019.
       :doi:`10.18653/v1/N19-1423`
    .. [2] P. Lesci and A. Vlachos. AnchorAL: Computationally Efficient Active Learning
       for Large and Imbalanced Datasets. NAACL 2024.
       :doi:`10.18653/v1/2024.naacl-long.467`
    .. [3] S. Swayamdipta, R. Schwartz, N. Lourie, Y. Wang, H. Hajishirzi, N. A. Smith
       and Y. Choi. Dataset Cartography: Mapping and Diagnosing Datasets with Training
       Dynamics. EMNLP 2020. :doi:`10.18653/v1/2020.emnlp-main.746`

    Examples
    --------
    >>> from skal.text import TransformerClassifier
    >>> clf = TransformerClassifier("skal-tiny", lr=1e-3, min_steps=20, random_state=0)
    >>> X = ["Draw a line.", "Plot the points.", "Sum the rows.", "Add two numbers."]
    >>> y = ["picture", "picture", "number", "number"]
    >>> clf.fit(X, y).predict(["Draw the points."])
    array(['picture'], dtype='<U7')
    """

    _parameter_constraints: dict = {
        "model": [str, os.PathLike],
        "classes": ["array-like", None],
        "max_length": [Interval(Integral, 3, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "min_steps": [Interval(Integral, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "warmup_ratio": [Interval(Real, 0, 1, closed="both")],
        "lr_schedule": [StrOptions({"linear", "constant"})],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "device": [str],
        "mixed_precision": [StrOptions({"bf16", "fp16"}), None],
        "compile": ["boolean"],
        "max_batch_tokens": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "warm_start": ["boolean"],
        "store_dtype": [StrOptions({"float32", "float16"})],
        "callbacks": [list, tuple, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        model="bert-base-uncased",
        *,
        classes=None,
        max_length=128,
        lr=5e-5,
        max_epochs=10,
        min_steps=100,
        batch_size=32,
        weight_decay=0.01,
        warmup_ratio=0.1,
        lr_schedule="linear",
        max_grad_norm=1.0,
        device="auto",
        mixed_precision=None,
        compile=False,
        max_batch_tokens="auto",
        warm_start=False,
        store_dtype="float32",
        callbacks=None,
        verbose=0,
        random_state=None,
    ):
        self.model = model
        self.classes = classes
        self.max_length = max_length
        self.lr = lr
        self.max_epochs = max_epochs
        self.min_steps = min_steps
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.warmup_ratio = warmup_ratio
        self.lr_schedule = lr_schedule
        self.max_grad_norm = max_grad_norm
        self.device = device
        self.mixed_precision = mixed_precision
        self.compile = compile
        self.max_batch_tokens = max_batch_tokens
        self.warm_start = warm_start
        self.store_dtype = store_dtype
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Fine-tune the model on labelled texts.

        Parameters
        ----------
        X : sequence of str of length n
            List, tuple, array, pandas or polars Series, Arrow array.
        y : array-like of shape (n,)
            Class labels.

        Returns
        -------
        self : TransformerClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If X is empty or holds something that is not a str, if a label is not in
            `classes`, or if there is only one class.
        ModelNotFoundError
            If there is no such checkpoint.
        """
        from skal import neural

        return self._fit(X, y, neural.Recipe())

    def _fit(self, X, y, recipe):
        """Train by a recipe; see :class:`skal.neural.Recipe`."""
        from skal import neural

        X = check_texts(X)
        y = check_labels(y, len(X))
        classes = fit_classes(self, y)
        device = neural.resolve_device(self.device)
        seed = draw_seed(self.random_state)
        with reraise_interrupt(), neural.seeded(seed, device):
            tokenizer, module = load(self, len(classes))
            table = neural.TokenTable(
                X, tokenizer, max_length=self.max_length, module=module
            )
            if not continues(self):
                recipe.adapt(module, len(classes))
            net = build_net(self, module, len(X), len(classes), device, recipe)
            recipe.look = functools.partial(self._run, module, tokenizer)
            recipe.start(net)
            net.fit(neural.TokenDataset(table, np.searchsorted(classes, y)), None)
        history = completed_epochs(net)
        dynamics = net.dynamics_.arrays(len(history))
        net.trim_for_prediction()
        self.classes_ = classes
        self.tokenizer_ = tokenizer
        self.history_ = history
        self.n_epochs_ = len(history)
        self.n_steps_ = net.steps_done_
        self.training_dynamics_ = dynamics
        self.net_ = net
        self._fit_seed = seed
        return self

    def __sklearn_tags__(self):
        return text_tags(super().__sklearn_tags__())
