# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A classifier around a classifier of `skal.text`, which it trains in its own way."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skal.text._dynamics import RecordsTraining
from skal.text._prediction import PredictionMixin
from skal.utils._validation import check_classes


def _has(method):
    """Whether the classifier given has a method that not all of them have."""

    def check(self):
        getattr(self.estimator, method)
        return True

    return check


class WrapsClassifier(
    RecordsTraining, ClassifierMixin, MetaEstimatorMixin, BaseEstimator
):
    """Base of the wrappers of one classifier, parameters `estimator` and `classes`.

    Whatever the fitted classifier says of rows the wrapper says too, and so it has its
    fitted attributes.
    """

    def _train(self, X, y, recipe):
        """Train a clone of the classifier by a recipe, and take over what it learns."""
        classifier = self._fresh_classifier()
        classifier._validate_params()
        classifier._fit(X, y, recipe)
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)
        learned = vars(classifier).items()
        vars(self).update({k: v for k, v in learned if k.endswith("_")})
        self.estimator_ = classifier

    def _fresh_classifier(self):
        """A clone of the classifier that is told the classes."""
        classifier = clone(self.estimator)
        if self.classes is not None:
            _tell_classes(classifier, self.classes)
        return classifier

    def _check_estimator(self):
        if not isinstance(self.estimator, PredictionMixin):
            name = type(self).__name__
            raise TypeError(
                f"{name} looks into the training of a classifier of skal, so estimator "
                "must be a TransformerClassifier or a DenseClassifier, without steps "
                f"before it. Got {type(self.estimator).__name__}; put {name} around "
                "the last step of a pipeline."
            )

    def predict(self, X):
        """The most probable class of each row.

        Parameters
        ----------
        X : rows of length n
            Texts or vectors, as in `fit`.

        Returns
        -------
        labels : ndarray of shape (n,)
            Elements of `classes_`.
        """
        return self._fitted().predict(X)

    def predict_proba(self, X):
        """Class probabilities.

        Parameters
        ----------
        X : rows of length n
            Texts or vectors, as in `fit`.

        Returns
        -------
        proba : ndarray of shape (n, n_classes), dtype float64
            Columns in the order of `classes_`; rows sum to 1.
        """
        return self._fitted().predict_proba(X)

    def predict_outputs(self, X, outputs, *, n_samples=10):
        """Several outputs of the classifier from one pass; see the classifier.

        Parameters
        ----------
        X : rows of length n
            Texts or vectors, as in `fit`.
        outputs : iterable of str
            Names of outputs.
        n_samples : int, default=10
            Draws of "samples".

        Returns
        -------
        values : dict of ndarray
            One entry per name asked for.
        """
        return self._fitted().predict_outputs(X, outputs, n_samples=n_samples)

    def embed(self, X):
        """The classifier's own representation of each row.

        Parameters
        ----------
        X : rows of length n
            Texts or vectors, as in `fit`.

        Returns
        -------
        embedding : ndarray of shape (n, d), dtype float32
            The input of its last linear layer.
        """
        return self._fitted().embed(X)

    def sample_proba(self, X, n_samples=10):
        """Class probabilities drawn with dropout.

        Parameters
        ----------
        X : rows of length n
            Texts or vectors, as in `fit`.
        n_samples : int, default=10
            Draws per row.

        Returns
        -------
        samples : ndarray of shape (n_samples, n, n_classes), dtype float64
            Columns in the order of `classes_`.
        """
        return self._fitted().sample_proba(X, n_samples)

    @available_if(_has("keep_tokens"))
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

    @available_if(_has("pretrained_encoder"))
    def pretrained_encoder(self):
        """The classifier's checkpoint before any training. Works before `fit`.

        Returns
        -------
        encoder : SentenceEncoder
            Unfitted; see :class:`~skal.TransformerClassifier`.
        """
        return self.estimator.pretrained_encoder()

    @available_if(_has("token_surprisal"))
    def token_surprisal(self, X, picked=0.15, *, masked=False, random_state=None):
        """How unexpected tokens are to the language model. Works before `fit`.

        Parameters
        ----------
        X : sequence of str of length n
            Texts.
        picked : float or array of bool of shape (n, L), default=0.15
            The probability with which a token is picked, or the tokens.
        masked : bool, default=False
            Whether the picked tokens are corrupted first.
        random_state : int, RandomState instance or None, default=None
            Decides which tokens are picked.

        Returns
        -------
        surprisal : ndarray of shape (n, L), dtype float32
            See :class:`~skal.TransformerClassifier`.
        """
        return self.estimator.token_surprisal(
            X, picked, masked=masked, random_state=random_state
        )

    def _fitted(self):
        check_is_fitted(self)
        return self.estimator_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.classifier_tags = inner.classifier_tags
        tags.target_tags = inner.target_tags
        tags.non_deterministic = inner.non_deterministic
        return tags


def _tell_classes(classifier, classes):
    """Set the vocabulary of a classifier, unless it has the same one already."""
    if classifier.classes is not None and not np.array_equal(
        check_classes(classifier.classes), check_classes(classes)
    ):
        raise ValueError(
            f"The wrapper has classes={list(classes)}, the classifier inside has "
            f"classes={list(classifier.classes)}; give them to one of the two, or "
            "alike."
        )
    classifier.set_params(classes=classes)
