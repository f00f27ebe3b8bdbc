# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Classifiers of `skal.text` whose last layer is several networks at once."""

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skal.text._classifier import TransformerClassifier
from skal.text._dense import DenseClassifier
from skal.utils._random import draw_seed, seed_nested, stream
from skal.utils._rollback import as_before_on_error
from skal.utils._sklearn import fit_context, validate_parameter_constraints

_BLOCK = 1024  # rows that the networks see at a time
_GIVEN = frozenset({"proba", "samples", "embedding"})
_OF_TRAINING = ("classes_", "history_", "n_epochs_", "n_steps_", "training_dynamics_")
_OF_VECTORS = ("n_features_in_", "feature_names_in_")


def _estimator_offers(method):
    """Whether the estimator given has a method that needs no fit."""

    def check(self):
        getattr(self.estimator, method)
        return True

    return check


class LastLayerWrapper(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """A classifier around a classifier, trained once, whose last layer is replaced.

    A subclass makes the recipe of that training (`_recipe`), the networks that the last
    layer then stands for (`_networks`: functions from the layer's input to logits) and
    says how many of them predict (`_n_mean`) and are kept as samples (`_n_kept`).
    """

    # Says before the first fit that training is recorded: strategies ask the class.
    training_dynamics_ = None

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Train a clone of the estimator with another last layer.

        Parameters
        ----------
        X : rows of length n
            Texts or vectors, as the estimator takes them.
        y : array-like of shape (n,)
            Class labels.

        Returns
        -------
        self : classifier
            The fitted classifier.

        Raises
        ------
        TypeError
            If the estimator is neither a TransformerClassifier nor a DenseClassifier.
        ValueError
            If a parameter, a row or a label is not what it has to be, or if there is
            only one class.
        """
        estimator = self._check_estimator()
        recipe = self._recipe()
        with as_before_on_error(self):
            seed = draw_seed(self.random_state)
            seed_nested(estimator, stream(seed, 0), overwrite=True)
            self.estimator_ = estimator._fit(X, y, recipe)
            self._seed = seed
            for name in (*_OF_TRAINING, *_OF_VECTORS):
                vars(self).pop(name, None)
                if hasattr(estimator, name):
                    setattr(self, name, getattr(estimator, name))
            self._note_fit()
        return self

    def _check_estimator(self):
        """A clone of the estimator that knows the classes, its parameters checked."""
        if not isinstance(self.estimator, (TransformerClassifier, DenseClassifier)):
            name = type(self).__name__
            raise TypeError(
                f"{name} changes the last layer of a network: its estimator must be a "
                "skal.text.TransformerClassifier or a skal.text.DenseClassifier. Got "
                f"{self.estimator!r:.60}; put it behind other steps rather than around "
                f"them, make_pipeline(SentenceEncoder(), {name}(DenseClassifier())), "
                "or use skal.Committee, which takes any classifier."
            )
        estimator = clone(self.estimator)
        if self.classes is not None:
            estimator.set_params(classes=self.classes)
        validate_parameter_constraints(
            estimator._parameter_constraints,
            estimator.get_params(deep=False),
            caller_name=type(estimator).__name__,
        )
        return estimator

    def _note_fit(self):
        """Set what else a fit leaves behind."""

    @property
    def _last_linear(self):
        return self.estimator_.net_.module_.last_linear

    def predict_outputs(self, X, outputs, *, n_samples=None):
        """Everything the fitted classifier says about rows, in one streamed pass.

        Parameters
        ----------
        X : rows of length n
            Texts or vectors, as in `fit`.
        outputs : iterable of str
            "proba", "samples" and "embedding" are given; other names are left out.
        n_samples : int, default=None
            As in `sample_proba`; None is its default.

        Returns
        -------
        values : dict of ndarray
            What `predict_proba`, `sample_proba` and `embed` return.
        """
        check_is_fitted(self)
        outputs = [outputs] if isinstance(outputs, str) else list(outputs)
        asked = _GIVEN.intersection(outputs)
        n_kept = self._n_kept(n_samples) if "samples" in asked else 0
        found = self._pass(X, asked, n_kept) if asked else {}
        if asked - set(found):
            n_mean = self._n_mean if "proba" in asked else 0
            n_kept = 0 if "samples" in found else n_kept
            found = self._on_embedding(found["embedding"], n_mean, n_kept) | found
        return {name: found[name] for name in outputs if name in asked}

    def _pass(self, X, asked, n_kept):
        """One pass of the encoder."""
        return self.estimator_.predict_outputs(X, ["embedding"])

    def _on_embedding(self, embedding, n_mean, n_kept):
        """What the first networks say, on average and each by itself.

        Blocks of rows, so that nothing but what is returned grows with n.
        """
        mean = np.zeros((len(embedding), len(self.classes_)))
        samples = np.empty((n_kept, *mean.shape))
        networks = self._networks(max(n_mean, n_kept))
        for start in range(0, len(embedding), _BLOCK):
            rows = slice(start, start + _BLOCK)
            block = embedding[rows].astype(np.float64)
            for number, network in enumerate(networks):
                proba = softmax(network(block), axis=1)
                if number < n_mean:
                    mean[rows] += proba / n_mean
                if number < n_kept:
                    samples[number, rows] = proba
        return {"proba": mean, "samples": samples}

    def predict_proba(self, X):
        """Class probabilities, the mean over the networks.

        Parameters
        ----------
        X : rows of length n
            Texts or vectors, as in `fit`.

        Returns
        -------
        proba : ndarray of shape (n, n_classes), dtype float64
            Columns in the order of `classes_`; rows sum to 1.
        """
        return self.predict_outputs(X, ["proba"])["proba"]

    def predict(self, X):
        """The class with the largest mean probability.

        Parameters
        ----------
        X : rows of length n
            Texts or vectors, as in `fit`.

        Returns
        -------
        labels : ndarray of shape (n,)
            Elements of `classes_`; of equal probabilities the lower class.
        """
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(axis=1)]

    def embed(self, X):
        """What the networks share: the input of the last layer, without dropout.

        Parameters
        ----------
        X : rows of length n
            Texts or vectors, as in `fit`.

        Returns
        -------
        embedding : ndarray of shape (n, d), dtype float32
            As of the estimator.
        """
        return self.predict_outputs(X, ["embedding"])["embedding"]

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
        """How unexpected tokens are to the pretrained masked language model.

        Works before `fit`, and is the same after.

        Parameters
        ----------
        X : sequence of str of length n
            Texts.
        picked : float or array of bool of shape (n, L), default=0.15
            As of :class:`~skal.TransformerClassifier`.
        masked : bool, default=False
            As of :class:`~skal.TransformerClassifier`.
        random_state : int, RandomState instance or None, default=None
            None takes the classifier's own `random_state`.

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
