# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The exceptions and warnings of skal.

Each one is also the builtin or scikit-learn type that a caller would catch.
"""

from sklearn.exceptions import NotFittedError

__all__ = [
    "CacheWarning",
    "FrozenEstimatorWarning",
    "IndexFilesError",
    "MissingCapabilityError",
    "ModelNotFoundError",
    "NoPseudoLabelsWarning",
    "NotQueryableError",
    "PoolChangedError",
    "PoolExhaustedWarning",
    "PoolMismatchError",
    "SingleClassWarning",
    "StoreFilesError",
    "StoreMismatchError",
    "TruncationWarning",
]


class ModelNotFoundError(ValueError, OSError):
    """A checkpoint that is neither a local folder nor to be had from the hub."""


class MissingCapabilityError(TypeError, AttributeError):
    """A strategy reads something that the classifier does not offer."""


class NotQueryableError(NotFittedError):
    """A query before `fit` with a strategy that reads a fitted classifier."""


class PoolChangedError(ValueError):
    """A pool object that was changed in place after it had been indexed."""


class PoolMismatchError(ValueError):
    """A saved index, and vectors of another pool."""


class IndexFilesError(ValueError, OSError):
    """A saved index of which a file is damaged, cut short or of another version."""


class StoreFilesError(ValueError, OSError):
    """Files of stored vectors that are damaged, unfinished or of another version."""


class StoreMismatchError(ValueError):
    """Stored vectors of another encoder, of other settings or of other texts."""


class PoolExhaustedWarning(UserWarning):
    """More rows were asked for than the pool has left."""


class SingleClassWarning(UserWarning):
    """The labelled set has one class: a constant classifier stands in."""


class NoPseudoLabelsWarning(UserWarning):
    """No unlabelled row is predicted surely enough to be trained on."""


class FrozenEstimatorWarning(UserWarning):
    """Answers were recorded, but a frozen estimator is not refitted."""


class CacheWarning(UserWarning):
    """A cache on disk that is damaged or cannot be written: it costs time, no more."""


class TruncationWarning(UserWarning):
    """Texts were cut because the model has fewer positions than `max_length`."""
