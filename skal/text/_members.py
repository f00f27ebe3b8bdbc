# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What the ensembles that train a network in a way of their own begin with."""

import numpy as np
from sklearn.base import clone

from skal.utils._random import seed_nested, stream
from skal.utils._validation import check_classes


def check_members(ensemble):
    """Refuse, before any work, a classifier or a number of members that cannot be."""
    name = type(ensemble).__name__
    if not hasattr(ensemble.estimator, "_with_module"):
        raise TypeError(
            f"{name} trains a skal.TransformerClassifier or a "
            f"skal.text.DenseClassifier. Got {type(ensemble.estimator).__name__}; use "
            "skal.Committee, which takes any classifier."
        )
    if ensemble.n_estimators < 2:
        raise ValueError(
            f"{name} has n_estimators of at least 2. Got {ensemble.n_estimators}; for "
            f"one model use {type(ensemble.estimator).__name__} itself, which draws "
            "samples with dropout."
        )
    ensemble._check_draws()


def first_member(ensemble, seed):
    """A clone of the classifier, told the classes, seeded and with valid parameters."""
    member = clone(ensemble.estimator)
    seed_nested(member, stream(seed, 0), overwrite=True)
    if ensemble.classes is not None:
        _check_classes_alike(ensemble)
        member.set_params(classes=ensemble.classes)
    member._validate_params()
    return member


def _check_classes_alike(ensemble):
    classes, own = check_classes(ensemble.classes), ensemble.estimator.classes
    if own is not None and not np.array_equal(classes, check_classes(own)):
        raise ValueError(
            f"{type(ensemble).__name__} has classes={classes.tolist()}, its estimator "
            f"has classes={check_classes(own).tolist()}; give them to one of the two, "
            "or alike."
        )
