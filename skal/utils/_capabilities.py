# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What a fitted classifier offers, asked for by method, never by type."""

import inspect
from functools import partial

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from skal.exceptions import MissingCapabilityError
from skal.utils._arrays import check_vectors
from skal.utils._rows import is_sliced, looks_like_vectors, num_rows
from skal.utils._slices import join_outputs, read_slices, through_slices

# output -> (what a classifier offers it by, what to do where it is missing). The class
# of a classifier that sets an attribute in `fit` has one of that name too.
CAPABILITIES = {
    "proba": ("predict_proba", "use a probabilistic classifier"),
    "logits": ("predict_outputs", "use skal.TransformerClassifier"),
    "embedding": (
        "embed",
        "use skal.TransformerClassifier, a classifier on dense vectors, or a pipeline "
        "whose last-but-one step gives dense vectors",
    ),
    "samples": (
        "sample_proba",
        "put skal.Committee around it, use skal.TransformerClassifier, "
        "skal.text.DenseClassifier (alone, or in a skal.text.SnapshotEnsemble or "
        "skal.text.DiverseEnsemble) or another classifier that draws several "
        "probabilities per row",
    ),
    "predicted_loss": (
        "predict_loss",
        "put skal.text.LossPredictingClassifier around skal.TransformerClassifier or "
        "skal.text.DenseClassifier",
    ),
    "encoding": (
        "pretrained_encoder",
        "use skal.TransformerClassifier, or give the filter an encoder: "
        "encoder=make_pipeline(TfidfVectorizer(), TruncatedSVD(100))",
    ),
    "surprisal": (
        "token_surprisal",
        "use skal.TransformerClassifier with a checkpoint that was pretrained with "
        "masked language modelling",
    ),
    "training_dynamics": (
        "training_dynamics_",
        "use skal.TransformerClassifier, skal.text.DenseClassifier or a classifier "
        "whose class says that it records its training",
    ),
    "epoch_predictions": (
        "epoch_predictions",
        "put skal.text.PoolRecorder around the classifier",
    ),
}


def last_step(estimator):
    """The classifier inside pipelines and frozen estimators."""
    while isinstance(estimator, (Pipeline, FrozenEstimator)):
        if isinstance(estimator, Pipeline):
            estimator = estimator.steps[-1][1]
        else:
            estimator = estimator.estimator
    return estimator


def transforming_steps(pipeline):
    """The named steps before the last that change rows when it predicts.

    Not "passthrough", nor samplers as imbalanced-learn's, which act in `fit` only.
    """
    steps = pipeline.steps[:-1]
    return [(name, step) for name, step in steps if hasattr(step, "transform")]


def what_last_step_reads(estimator, X):
    """X as it arrives at the classifier inside pipelines and frozen estimators."""
    while isinstance(estimator, (Pipeline, FrozenEstimator)):
        if isinstance(estimator, Pipeline):
            for _, step in transforming_steps(estimator):
                X = step.transform(X)
            estimator = estimator.steps[-1][1]
        else:
            estimator = estimator.estimator
    return X


def reads_rows_as_they_are(estimator):
    """Whether rows arrive at the classifier inside as they are handed in."""
    while isinstance(estimator, (Pipeline, FrozenEstimator)):
        if isinstance(estimator, Pipeline):
            if transforming_steps(estimator):
                return False
            estimator = estimator.steps[-1][1]
        else:
            estimator = estimator.estimator
    return True


def provides(estimator, output, X):
    """Whether the classifier can give this output for rows like X."""
    classifier = last_step(estimator)
    method, _ = CAPABILITIES[output]
    if hasattr(classifier, method) or _shows_methods_once_fitted(classifier, method):
        return True
    if output == "embedding":
        return estimator is not classifier or looks_like_vectors(X)
    return False


def _shows_methods_once_fitted(classifier, method):
    """A stacked classifier, say, has not even `predict` before it is fitted."""
    return hasattr(type(classifier), method) and not hasattr(classifier, "predict")


def check_provides(reader, estimator, outputs, X, instead="another strategy"):
    """Raise MissingCapabilityError unless every output can be had."""
    for output in sorted(outputs):
        if not provides(estimator, output, X):
            method, remedy = CAPABILITIES[output]
            kind = "an attribute" if method.endswith("_") else "a method"
            raise MissingCapabilityError(
                f"{reader} reads {output!r} of the classifier, which takes {kind} "
                f"`{method}`. {type(last_step(estimator)).__name__} has none; "
                f"{remedy}, or {instead}."
            )


def compute_outputs(estimator, X, outputs, classes, n_samples=10):
    """The outputs asked for, in one pass where the classifier can do it in one.

    Parameters
    ----------
    estimator : fitted classifier
    X : rows
    outputs : set of str
        Out of "proba", "logits", "embedding", "samples" and "predicted_loss".
    classes : ndarray of shape (C,)
        The label vocabulary; a class the classifier never saw gets probability 0.
    n_samples : int, default=10
        Draws of "samples".

    Returns
    -------
    dict of str to ndarray
    """
    if is_sliced(X):
        parts = read_slices(X)
        found = (
            compute_outputs(estimator, X, outputs, classes, n_samples) for X in parts
        )
        return join_outputs(found, num_rows(X))
    classifier = last_step(estimator)
    if outputs == {"proba"} and not hasattr(classifier, "predict_outputs"):
        return {"proba": align_proba(estimator.predict_proba(X), classifier, classes)}
    X = what_last_step_reads(estimator, X)
    found = _in_one_pass(classifier, X, outputs, n_samples)
    single = outputs.difference(found)
    if "logits" in single:
        raise MissingCapabilityError(
            f"`predict_outputs` of {type(classifier).__name__} gives no logits; "
            f"{CAPABILITIES['logits'][1]}."
        )
    found |= {name: _SINGLE[name](classifier, X, n_samples) for name in single}
    for name in outputs & {"proba", "samples"}:
        found[name] = align_proba(found[name], classifier, classes)
    if "embedding" in found:
        found["embedding"] = check_vectors(found["embedding"], "The embedding")
    if "predicted_loss" in found:
        found["predicted_loss"] = np.asarray(found["predicted_loss"], dtype=np.float64)
    return found


def _in_one_pass(classifier, X, outputs, n_samples):
    """What `predict_outputs` gives of it; samples only if it takes their number."""
    if not hasattr(classifier, "predict_outputs"):
        return {}
    options = {"n_samples": n_samples} if "samples" in outputs else {}
    if options and not _takes_n_samples(classifier.predict_outputs):
        outputs, options = outputs - {"samples"}, {}
    if not outputs:
        return {}
    return dict(classifier.predict_outputs(X, sorted(outputs), **options))


def _takes_n_samples(method):
    parameters = inspect.signature(method).parameters
    kinds = {parameter.kind for parameter in parameters.values()}
    return "n_samples" in parameters or inspect.Parameter.VAR_KEYWORD in kinds


def recorded_dynamics(estimator, n_rows=None):
    """What a fitted classifier recorded in training, which must be of `n_rows` rows.

    None: of however many.
    """
    classifier = last_step(estimator)
    dynamics = classifier.training_dynamics_
    if dynamics is None:
        raise NotFittedError(
            f"{type(classifier).__name__} has recorded no training yet. Fit it first."
        )
    n_recorded = np.shape(dynamics.correct)[-1]
    if n_rows is not None and n_recorded != n_rows:
        raise ValueError(
            "Training dynamics are read row by row, so the classifier must have been "
            f"fitted on exactly the labelled rows. {type(classifier).__name__} "
            f"recorded {n_recorded} rows and {n_rows} are labelled; refit it (a "
            "learner whose last refit failed: `teach([], [])`). A FrozenEstimator "
            "never is refitted."
        )
    return dynamics


def recorded_predictions(estimator, X, classes):
    """Positions in `classes` of what was predicted in training, (T, n); -1: not noted.

    `classes` is the label vocabulary, sorted.
    """
    classifier = last_step(estimator)
    codes = classifier.epoch_predictions(what_last_step_reads(estimator, X))
    seen = np.asarray(classifier.classes_)
    if not np.isin(seen, classes).all():
        raise ValueError(
            f"{type(classifier).__name__} predicts {seen.tolist()}; the label "
            f"vocabulary is {np.asarray(classes).tolist()}. Set `classes` of the "
            "learner and the classifier alike."
        )
    if len(seen) == len(classes):
        return codes
    places = np.searchsorted(classes, seen).astype(codes.dtype)
    return np.where(codes < 0, codes, places[codes])


def compute_embedding(estimator, X):
    """The classifier's own representation of rows, (n, d) float32."""
    if is_sliced(X):
        return through_slices(partial(compute_embedding, estimator), X)
    embedding = _embed(last_step(estimator), what_last_step_reads(estimator, X))
    return check_vectors(embedding, "The embedding")


def _embed(classifier, X):
    return classifier.embed(X) if hasattr(classifier, "embed") else X


_SINGLE = {
    "proba": lambda classifier, X, _: classifier.predict_proba(X),
    "embedding": lambda classifier, X, _: _embed(classifier, X),
    "samples": lambda classifier, X, n: classifier.sample_proba(X, n_samples=n),
    "predicted_loss": lambda classifier, X, _: classifier.predict_loss(X),
}


def align_proba(proba, classifier, classes):
    """Probabilities with one column per label of the vocabulary.

    The last axis is that of the classes. A classifier that saw fewer classes gets
    columns of zeros for the others. One that gives ``len(classes)`` columns already (a
    net with a fixed head) is taken as it is.
    """
    proba = np.asarray(proba, dtype=np.float64)
    n_columns = proba.shape[-1]
    if n_columns == len(classes):
        return proba
    seen = np.asarray(classifier.classes_)
    if n_columns != len(seen) or not np.isin(seen, classes).all():
        raise ValueError(
            f"The probabilities of {type(classifier).__name__} have {n_columns} "
            f"columns, its classes are {seen.tolist()}; the label vocabulary is "
            f"{np.asarray(classes).tolist()}. Its head must have one output per label, "
            "or per class it was fitted on: set `classes` of the learner and the "
            "classifier alike."
        )
    aligned = np.zeros((*proba.shape[:-1], len(classes)))
    aligned[..., np.searchsorted(classes, seen)] = proba
    return aligned
