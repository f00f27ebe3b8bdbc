# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A classifier that notes what it predicts of the pool while it is trained."""

from collections.abc import Iterator
from hashlib import blake2b
from numbers import Integral

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skal.text._wrapper import WrapsClassifier
from skal.utils._interrupt import reraise_interrupt
from skal.utils._random import draw_seed, stream
from skal.utils._rollback import as_before_on_error
from skal.utils._rows import is_frame, num_rows, take_rows
from skal.utils._sklearn import HasMethods, Interval, fit_context
from skal.utils._validation import check_pool, check_texts

_DIGEST = np.dtype("S16")
_OFFER = (
    "a learner does so by itself in `fit` with a budget, otherwise pass it: "
    "learner.fit(X, y, X_pool=pool), learner.teach(X, y, X_pool=pool), or "
    "recorder.fit(X, y, X_unlabeled=pool)"
)


class PoolRecorder(WrapsClassifier):
    """Note what a classifier predicts of unlabelled rows after each epoch of training.

    The classifier itself is trained as it would be alone: equal to the bit, given the
    same seed. :class:`~skal.strategies.LabelDispersion` reads what is noted.

    Parameters
    ----------
    estimator : TransformerClassifier or DenseClassifier
        Cloned before it is trained.
    every : int, default=1
        Predictions are noted after each `every`-th epoch.
    max_rows : int, default=None
        How many unlabelled rows to look at, drawn at random where there are more. None
        means all.
    classes : array-like of shape (n_classes,), default=None
        All labels that may ever occur; passed on to the classifier. None means its own
        `classes`.
    random_state : int, RandomState instance or None, default=None
        Draws the rows where `max_rows` leaves some out; the classifier has its own.

    Attributes
    ----------
    estimator_ : classifier
        The classifier, trained. Whatever it has learned is the recorder's as well:
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    net_ : skorch.NeuralNetClassifier
        The trained net.
    tokenizer_ : transformers tokenizer
        Of a TransformerClassifier.
    n_features_in_ : int
        The length of a vector, of a DenseClassifier.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        The names of the columns, when X is a data frame whose names are all strings.
    history_ : list of dict
        For each epoch: "epoch" (from 1), "train_loss" and "seconds".
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
    recorded_epochs_ : ndarray of shape (T,), dtype int64
        The epochs, from 1, after which predictions of unlabelled rows were noted; none
        where `fit` was given no such rows.

    See Also
    --------
    skal.strategies.LabelDispersion : Picks the rows whose predictions changed most.
    skal.TransformerClassifier : Records its training rows by itself.

    Notes
    -----
    A forward pass over the rows after each epoch that is noted, in evaluation mode; of
    equal rows one passes. `max_rows` and `every` make that cheaper. While it trains it
    holds the rows (of texts the tokens too), and it keeps 16 bytes a row and one byte a
    row and epoch (two, where there are more than 256 classes), which is what a pickle
    holds of the pool. The rows are read before training begins; changes to the object
    they came in do not matter after that.

    Each `fit` trains a new clone, so that a classifier's `warm_start` has no effect.
    A `fit` that fails or is interrupted leaves the previous fitted state as it was.

    A learner offers its pool: `fit` with a budget by itself, `fit` and `teach` when
    they are given ``X_pool``. (Not to a pipeline that ends with a recorder: its `fit`
    has no parameter of that name.)

    References
    ----------
    J. Z. Bengar, B. Raducanu, J. van de Weijer. When deep learners change their mind:
    learning dynamics for active learning. CAIP 2021.
    :doi:`10.1007/978-3-030-89128-2_39`

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skal.text import DenseClassifier, PoolRecorder
    >>> X, y = make_blobs(100, centers=3, random_state=0)
    >>> classifier = DenseClassifier((20,), max_epochs=5, device="cpu", random_state=0)
    >>> recorder = PoolRecorder(classifier)
    >>> recorder = recorder.fit(X[:20], y[:20], X_unlabeled=X[20:])
    >>> recorder.epoch_predictions(X[20:]).shape
    (5, 80)
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict"])],
        "every": [Interval(Integral, 1, None, closed="left")],
        "max_rows": [Interval(Integral, 1, None, closed="left"), None],
        "classes": ["array-like", None],
        "random_state": ["random_state"],
    }

    def __init__(
        self, estimator, *, every=1, max_rows=None, classes=None, random_state=None
    ):
        self.estimator = estimator
        self.every = every
        self.max_rows = max_rows
        self.classes = classes
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, X_unlabeled=None):
        """Train the classifier, and note what it predicts of unlabelled rows.

        Parameters
        ----------
        X : rows of length n
            Labelled texts or vectors, whatever the classifier takes.
        y : array-like of shape (n,)
            Class labels.
        X_unlabeled : rows of length m, default=None
            The pool, or whatever else is to be looked at; rows like those of X in any
            container. None: nothing is noted.

        Returns
        -------
        self : PoolRecorder
            The fitted recorder.

        Raises
        ------
        ValueError
            From the classifier; or if `X_unlabeled` is empty or holds other rows than
            X, or training has fewer epochs than `every`. Nothing is trained then.
        TypeError
            If the classifier is not one of skal, or `X_unlabeled` is an iterator.
        """
        from skal import neural

        self._check_estimator()
        recipe, digests = neural.Recipe(), np.empty(0, dtype=_DIGEST)
        if X_unlabeled is not None:
            rows, digests = self._read_pool(X_unlabeled)
            recipe = neural.RecordPredictions(rows, self.every)
        with as_before_on_error(self), reraise_interrupt():
            self._train(X, y, recipe)
            epochs = getattr(recipe, "epochs", [])
            self.recorded_epochs_ = np.array(epochs, dtype=np.int64)
            order = np.argsort(digests)
            self._digests = digests[order]
            self._codes = np.stack(recipe.codes)[:, order] if epochs else None
        return self

    def _read_pool(self, X_unlabeled):
        """The distinct rows to look at, in a container of our own, and their digests.

        They are in the order of the pool.
        """
        if isinstance(X_unlabeled, Iterator):
            raise TypeError(
                "X_unlabeled must be a sequence, which can be read more than once. Got "
                f"an iterator ({type(X_unlabeled).__name__}); pass a list of its rows: "
                "list(X_unlabeled)."
            )
        check_pool(X_unlabeled, self.estimator, name="X_unlabeled")
        of_texts = hasattr(self.estimator, "keep_tokens")
        picked = self._pick(num_rows(X_unlabeled))
        if of_texts:
            content = check_texts(take_rows(X_unlabeled, picked), "X_unlabeled")
        else:
            options = {"dtype": np.float32, "order": "C", "input_name": "X_unlabeled"}
            content = check_array(X_unlabeled, **options)[picked]
        digests = _digests(content)
        first = np.sort(np.unique(digests, return_index=True)[1])
        rows, digests = picked[first], digests[first]
        if of_texts:
            return self.estimator.keep_tokens(content[first]), digests
        if is_frame(X_unlabeled):  # the classifier compares the names of the columns
            return take_rows(X_unlabeled, rows), digests
        return content[first], digests

    def _pick(self, n_rows):
        if self.max_rows is None or n_rows <= self.max_rows:
            return np.arange(n_rows)
        rng = stream(draw_seed(self.random_state), 0)
        return np.sort(rng.choice(n_rows, self.max_rows, replace=False))

    def epoch_predictions(self, X):
        """What was predicted of rows in the course of training.

        Parameters
        ----------
        X : rows of length n
            Texts or vectors, found among those recorded by their content: equal rows
            have equal predictions.

        Returns
        -------
        codes : ndarray of shape (T, n), dtype int16
            Positions in `classes_` of the labels predicted after each of the
            `recorded_epochs_`; -1 for a row that was not recorded. (int32 where there
            are more than 256 classes.)

        Raises
        ------
        NotFittedError
            If nothing was recorded, or none of these rows.

        Notes
        -----
        Nothing is computed but a digest of each row: O(n) time beside what is returned.
        """
        check_is_fitted(self)
        if not len(self.recorded_epochs_):
            raise NotFittedError(self._why_nothing())
        if hasattr(self.estimator_, "keep_tokens"):
            digests = _digests(check_texts(X))
        else:
            digests = _digests(self.estimator_._check_vectors(X, reset=False))
        place = np.searchsorted(self._digests, digests)
        place = np.minimum(place, len(self._digests) - 1)
        known = self._digests[place] == digests
        if not known.any():
            raise NotFittedError(
                f"None of these {len(known)} rows is among the {len(self._digests)} "
                "whose predictions were recorded. Offer the pool that will be queried "
                f"when the classifier is fitted; {_OFFER}."
            )
        signed = np.promote_types(self._codes.dtype, np.int8)
        return np.where(known, self._codes[:, place].astype(signed), signed.type(-1))

    def _why_nothing(self):
        if len(self._digests):
            return (
                f"PoolRecorder recorded no prediction: training ended after "
                f"{self.n_epochs_} epochs, before one that every={self.every} calls "
                "for. Lower `every`."
            )
        return (
            "PoolRecorder recorded no prediction, because it was fitted without "
            f"unlabelled rows. Fit it with them; {_OFFER}."
        )


def _digests(content):
    """16 bytes for each row: equal for equal rows, else different."""
    if content.dtype == object:
        rows = (text.encode("utf-8", "surrogatepass") for text in content)
    else:
        rows = content + np.float32(0)  # of the two zeros one
    found = b"".join(blake2b(row, digest_size=16).digest() for row in rows)
    return np.frombuffer(found, dtype=_DIGEST)
