# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What a fitted classifier offers, asked for by method, never by type."""

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from skal.exceptions import MissingCapabilityError
from skal.utils._rows import looks_like_vectors
from skal.utils._validation import check_vectors

# output -> (the method a classifier offers it by, who has that method)
CAPABILITIES = {
    "proba": ("predict_proba", "any probabilistic classifier"),
    "logits": ("predict_outputs", "skal.TransformerClassifier"),
    "embedding": (
        "embed",
        "skal.TransformerClassifier, a classifier on dense vectors, or a pipeline "
        "whose last-but-one step gives dense vectors",
    ),
    "samples": (
        "sample_proba",
        "skal.TransformerClassifier, or another classifier that draws several "
        "probabilities per row",
    ),
    "encoding": ("pretrained_encoder", "skal.TransformerClassifier"),
}


def last_step(estimator):
    """The classifier inside pipelines and frozen estimators."""
    while isinstance(estimator, (Pipeline, FrozenEstimator)):
        if isinstance(estimator, Pipeline):
            estimator = estimator.steps[-1][1]
        else:
            estimator = estimator.estimator
    return estimator


def what_last_step_reads(estimator, X):
    """X as it arrives at the classifier inside pipelines and frozen estimators."""
    while isinstance(estimator, (Pipeline, FrozenEstimator)):
        if isinstance(estimator, Pipeline):
            X = estimator[:-1].transform(X) if len(estimator.steps) > 1 else X
            estimator = estimator.steps[-1][1]
        else:
            estimator = estimator.estimator
    return X


def provides(estimator, output, X):
    """Whether the classifier can give this output for rows like X."""
    classifier = last_step(estimator)
    method, _ = CAPABILITIES[output]
    if hasattr(classifier, method):
        return True
    if output == "embedding":
        return estimator is not classifier or looks_like_vectors(X)
    return False


def check_provides(reader, estimator, outputs, X):
    """Raise MissingCapabilityError unless every output can be had."""
    for output in sorted(outputs):
        if not provides(estimator, output, X):
            method, owners = CAPABILITIES[output]
            raise MissingCapabilityError(
                f"{reader} reads {output!r} of the classifier, which takes a method "
                f"`{method}`. {type(last_step(estimator)).__name__} has none; use "
                f"{owners}, or another strategy."
            )


def compute_outputs(estimator, X, outputs, classes):
    """The outputs asked for, in one pass where the classifier can do it in one.

    Parameters
    ----------
    estimator : fitted classifier
    X : rows
    outputs : set of str
        Out of "proba", "logits" and "embedding".
    classes : ndarray of shape (C,)
        The label vocabulary; a class the classifier never saw gets probability 0.

    Returns
    -------
    dict of str to ndarray
    """
    X = what_last_step_reads(estimator, X)
    classifier = last_step(estimator)
    if hasattr(classifier, "predict_outputs"):
        found = dict(classifier.predict_outputs(X, sorted(outputs)))
    else:
        found = {name: _SINGLE[name](classifier, X) for name in outputs}
    if "proba" in found:
        found["proba"] = align_proba(found["proba"], classifier, classes)
    if "embedding" in found:
        found["embedding"] = check_vectors(found["embedding"], "The embedding")
    return found


def _embed(classifier, X):
    return classifier.embed(X) if hasattr(classifier, "embed") else X


_SINGLE = {
    "proba": lambda classifier, X: classifier.predict_proba(X),
    "embedding": _embed,
}


def align_proba(proba, classifier, classes):
    """Probabilities with one column per label of the vocabulary.

    A classifier that saw fewer classes gets columns of zeros for the others. One that
    gives ``len(classes)`` columns already (a net with a fixed head) is taken as it is.
    """
    proba = np.asarray(proba, dtype=np.float64)
    if proba.shape[1] == len(classes):
        return proba
    seen = np.asarray(classifier.classes_)
    if proba.shape[1] != len(seen):
        raise ValueError(
            f"predict_proba of {type(classifier).__name__} gives {proba.shape[1]} "
            f"columns; {len(classes)} (one per label of the vocabulary) or {len(seen)} "
            "(one per class it was fitted on) are needed. Give its head one output per "
            "class."
        )
    aligned = np.zeros((len(proba), len(classes)))
    aligned[:, np.searchsorted(classes, seen)] = proba
    return aligned
