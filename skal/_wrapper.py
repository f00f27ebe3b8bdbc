# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A classifier around one other, which offers strategies all that this one offers."""

import copy

from sklearn.base import ClassifierMixin, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skal._delegation import PredictsThroughEstimator, estimator_offers
from skal.utils._capabilities import compute_outputs, last_step, provides


def _draws_samples(self):
    fitted = getattr(self, "estimator_", self.estimator)
    if not provides(fitted, "samples", None):
        raise AttributeError(
            f"{type(last_step(fitted)).__name__} has no method `sample_proba`."
        )
    return True


class WrapsClassifier(PredictsThroughEstimator, ClassifierMixin, MetaEstimatorMixin):
    """Base of the classifiers that train their `estimator` in a way of their own.

    Its `fit` sets `estimator_` and `classes_`, in `_take_over`.
    """

    def predict_outputs(self, X, outputs, *, n_samples=10):
        """Several outputs from one pass of the classifier inside.

        Parameters
        ----------
        X : sequence of length n
            Rows.
        outputs : iterable of str
            Names of outputs that the classifier inside has: "proba", "embedding",
            "samples", "logits".
        n_samples : int, default=10
            Draws of "samples".

        Returns
        -------
        values : dict of ndarray
            One entry per name; see :class:`~skal.TransformerClassifier`.
        """
        check_is_fitted(self)
        outputs = {outputs} if isinstance(outputs, str) else set(outputs)
        return compute_outputs(self.estimator_, X, outputs, self.classes_, n_samples)

    @available_if(_draws_samples)
    def sample_proba(self, X, n_samples=10):
        """Class probabilities drawn several times, by the classifier inside.

        Parameters
        ----------
        X : sequence of length n
            Rows.
        n_samples : int, default=10
            How many draws.

        Returns
        -------
        samples : ndarray of shape (n_samples, n, n_classes), dtype float64
            Columns in the order of `classes_`.
        """
        return self.predict_outputs(X, ["samples"], n_samples=n_samples)["samples"]

    @available_if(estimator_offers("pretrained_encoder"))
    def pretrained_encoder(self):
        """The estimator's checkpoint before any training. Works before `fit`.

        Returns
        -------
        encoder : SentenceEncoder
            Unfitted; see :class:`~skal.TransformerClassifier`.
        """
        return last_step(self.estimator).pretrained_encoder()

    @available_if(estimator_offers("token_surprisal"))
    def token_surprisal(self, X, picked=0.15, **options):
        """How unexpected tokens are to the checkpoint itself. Works before `fit`.

        Parameters
        ----------
        X : sequence of str of length n
            Texts.
        picked : float or array of bool of shape (n, L), default=0.15
            Which tokens.
        **options : dict
            See :class:`~skal.TransformerClassifier`.

        Returns
        -------
        surprisal : ndarray of shape (n, L), dtype float32
            0 for tokens that were not picked.
        """
        return last_step(self.estimator).token_surprisal(X, picked, **options)

    @available_if(lambda self: hasattr(self.estimator, "keep_tokens"))
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

    @property
    def training_dynamics_(self):
        fitted = getattr(self, "estimator_", self.estimator)
        recorded = last_step(fitted).training_dynamics_
        return getattr(self, "_dynamics", recorded)

    @training_dynamics_.setter
    def training_dynamics_(self, dynamics):
        self._dynamics = dynamics

    def _take_over(self, model, classes):
        """Make a fitted classifier, and what it knows of the features, one's own."""
        self.estimator_, self.classes_ = model, classes
        vars(self).pop("_dynamics", None)
        for name in ("n_features_in_", "feature_names_in_"):
            vars(self).pop(name, None)
            if hasattr(model, name):
                setattr(self, name, getattr(model, name))

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = copy.copy(inner.input_tags)
        tags.classifier_tags = copy.copy(inner.classifier_tags)
        tags.target_tags = copy.copy(inner.target_tags)
        tags.non_deterministic = inner.non_deterministic
        return tags
