# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What the pictures and explanations ask of a classifier."""

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from skal.exceptions import MissingCapabilityError
from skal.utils._arrays import check_vectors
from skal.utils._capabilities import last_step, what_last_step_reads
from skal.utils._rows import is_column


def classifier_of(estimator):
    """The fitted classifier of a learner; any other estimator as it is."""
    if hasattr(estimator, "teach"):
        check_is_fitted(estimator)
        return estimator.estimator_
    return estimator


def vectors_of(estimator, X, caller):
    """The classifier's embedding of rows; sparse where it reads sparse rows."""
    classifier = last_step(estimator)
    X = what_last_step_reads(estimator, X)
    vectors = classifier.embed(X) if hasattr(classifier, "embed") else X
    if sparse.issparse(vectors):
        return vectors.tocsr()
    if is_column(vectors):
        raise MissingCapabilityError(
            f"{caller} compares rows as vectors, by the classifier's `embed` or what "
            f"a pipeline hands to its last step. {type(classifier).__name__} reads "
            "texts and has no `embed`; use skal.TransformerClassifier, or a pipeline "
            "that begins with a vectorizer."
        )
    return check_vectors(np.asarray(vectors), "The embedding")
