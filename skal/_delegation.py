# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What a meta-estimator passes on to the classifier it has fitted."""

import numpy as np
from sklearn import get_config
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skal.utils._capabilities import align_proba, compute_embedding, last_step
from skal.utils._rows import is_sliced, num_rows, readable_rows
from skal.utils._slices import join_outputs, read_slices, through_slices


def _estimator_has(method):
    """Whether the fitted estimator, or before `fit` the one given, has a method."""

    def check(self):
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


def estimator_offers(method):
    """Whether the classifier given has a method that needs no fit."""

    def check(self):
        getattr(last_step(self.estimator), method)
        return True

    return check


def _has_embedding(self):
    fitted = getattr(self, "estimator_", self.estimator)
    classifier = last_step(fitted)
    if not hasattr(classifier, "embed") and classifier is fitted:
        raise AttributeError(
            f"{type(classifier).__name__} has neither a method `embed` nor steps "
            "before it whose output could stand for a row."
        )
    return True


def _has_decision_function(self):
    fitted = getattr(self, "estimator_", self.estimator)
    seen = getattr(fitted, "classes_", None)
    if seen is not None and len(seen) != len(getattr(self, "classes_", seen)):
        raise AttributeError(
            "decision_function is not available while the labelled set lacks some of "
            f"the classes: the classifier knows {list(seen)} of {list(self.classes_)}. "
            "Use predict_proba."
        )
    return _estimator_has("decision_function")(self)


def _keeps_estimators(self):
    fitted_without = hasattr(self, "estimator_") and not hasattr(self, "estimators_")
    if not self.keep_estimators or fitted_without:
        raise AttributeError(
            "staged_predict needs the model of every round: set keep_estimators=True "
            "and fit again."
        )
    return True


class PredictsThroughEstimator:
    """Prediction of a meta-estimator by its `estimator_`, over its own `classes_`."""

    def predict(self, X):
        """Predicted labels.

        Parameters
        ----------
        X : sequence of length n
            Rows.

        Returns
        -------
        y : ndarray of shape (n,)
        """
        check_is_fitted(self)
        return through_slices(self.estimator_.predict, X)

    @available_if(_estimator_has("predict_proba"))
    def predict_proba(self, X):
        """Class probabilities, one column per label of the vocabulary.

        Parameters
        ----------
        X : sequence of length n
            Rows.

        Returns
        -------
        proba : ndarray of shape (n, n_classes), dtype float64
            Columns in the order of `classes_`; 0 for a class without labelled rows that
            the classifier knows nothing of.
        """
        check_is_fitted(self)
        proba = through_slices(self.estimator_.predict_proba, X)
        return align_proba(proba, last_step(self.estimator_), self.classes_)

    @available_if(_estimator_has("predict_proba"))
    def predict_log_proba(self, X):
        """Logarithms of the class probabilities; minus infinity for probability 0.

        Parameters
        ----------
        X : sequence of length n
            Rows.

        Returns
        -------
        log_proba : ndarray of shape (n, n_classes), dtype float64
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    @available_if(_has_decision_function)
    def decision_function(self, X):
        """The classifier's decision function.

        Parameters
        ----------
        X : sequence of length n
            Rows.

        Returns
        -------
        scores : ndarray of shape (n,) or (n, n_classes)
        """
        check_is_fitted(self)
        return through_slices(self.estimator_.decision_function, X)

    @available_if(_has_embedding)
    def embed(self, X):
        """The classifier's own representation of rows.

        Parameters
        ----------
        X : sequence of length n
            Rows.

        Returns
        -------
        embedding : ndarray of shape (n, d), dtype float32
        """
        check_is_fitted(self)
        return compute_embedding(self.estimator_, X)

    @available_if(_estimator_has("predict_outputs"))
    def predict_outputs(self, X, outputs):
        """Several outputs of the classifier from one pass; see the classifier.

        Parameters
        ----------
        X : sequence of length n
            Rows.
        outputs : iterable of str
            Names of outputs.

        Returns
        -------
        dict of str to ndarray
        """
        check_is_fitted(self)
        ask = self.estimator_.predict_outputs
        if not is_sliced(X):
            return ask(X, outputs)
        parts = (ask(part, outputs) for part in read_slices(X, name="X"))
        return join_outputs(parts, num_rows(X))

    def score(self, X, y, **score_params):
        """The classifier's own score, mean accuracy unless it says otherwise.

        Parameters
        ----------
        X : sequence of length n
            Rows.
        y : array-like of shape (n,)
            Labels.
        **score_params : dict
            Passed to the classifier's `score`.

        Returns
        -------
        score : float
        """
        check_is_fitted(self)
        params = self._routed("score", score_params)
        return self.estimator_.score(readable_rows(X), y, **params)

    def _routed(self, method, params):
        """The parameters of a method that go to the estimator's method of that name."""
        if params and get_config()["enable_metadata_routing"]:
            return dict(process_routing(self, method, **params)["estimator"][method])
        return params

    def get_metadata_routing(self):
        """Say how metadata is routed.

        Returns
        -------
        routing : MetadataRouter
            `fit` and `score` pass what the classifier requests to the classifier.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        mapping = mapping.add(caller="score", callee="score")
        return MetadataRouter(owner=self).add(
            estimator=self.estimator, method_mapping=mapping
        )


class PredictsInStages:
    """Prediction of a learner by the model of every round, its `estimators_`."""

    @available_if(_keeps_estimators)
    def staged_predict(self, X):
        """Predicted labels after each round; needs ``keep_estimators=True``.

        Parameters
        ----------
        X : sequence of length n
            Rows.

        Yields
        ------
        y : ndarray of shape (n,)
        """
        check_is_fitted(self)
        for estimator in self.estimators_:
            yield through_slices(estimator.predict, X)

    @available_if(_keeps_estimators)
    def staged_predict_proba(self, X):
        """Class probabilities after each round; needs ``keep_estimators=True``.

        Parameters
        ----------
        X : sequence of length n
            Rows.

        Yields
        ------
        proba : ndarray of shape (n, n_classes), dtype float64
        """
        check_is_fitted(self)
        for estimator in self.estimators_:
            proba = through_slices(estimator.predict_proba, X)
            yield align_proba(proba, last_step(estimator), self.classes_)
