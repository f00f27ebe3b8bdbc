# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The private names of scikit-learn that skal uses, all in this one place.

A release of scikit-learn that moves one of them breaks this file and the test of it,
nothing else.
"""

from sklearn.base import _fit_context as fit_context
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import (
    HasMethods,
    Hidden,
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.metaestimators import _BaseComposition as BaseComposition
from sklearn.utils.validation import _num_samples as num_samples

__all__ = [
    "BaseComposition",
    "HasMethods",
    "Hidden",
    "Interval",
    "InvalidParameterError",
    "Options",
    "StrOptions",
    "fit_context",
    "num_samples",
    "safe_indexing",
    "validate_parameter_constraints",
]
