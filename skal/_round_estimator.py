# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The estimator of one round."""

import copy

import numpy as np

from skal._fresh_estimator import fresh_estimator, offered
from skal.utils._interrupt import reraise_interrupt
from skal.utils._random import seed_nested, stream


def fit_round(learner, pool=None, pool_rows=None):
    """Fit a fresh estimator on the learner's labelled set and make it the learner's."""
    estimator = next_estimator(learner)
    labeled = learner._labeled
    params = {**learner._constant_params, **labeled.params}
    params |= offered(estimator, pool, pool_rows, learner._round)
    with reraise_interrupt():
        estimator.fit(labeled.X, labeled.y, **params)
    learner.estimator_ = estimator
    learner._stale = False
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(estimator, name):
            setattr(learner, name, getattr(estimator, name))
    if learner.keep_estimators:
        learner.estimators_ = [*getattr(learner, "estimators_", []), estimator]


def next_estimator(learner):
    """The learner's estimator, afresh and seeded for this round.

    One with ``warm_start=True`` comes as a copy of the previous round's, unless a class
    is new to it.
    """
    template = learner.estimator
    rng = stream(learner._seed, learner._round - 1)
    labels = np.unique(learner._labeled.y)
    if _goes_on(template, getattr(learner, "estimator_", None), labels):
        return seed_nested(copy.deepcopy(learner.estimator_), rng, like=template)
    return fresh_estimator(template, labels, learner.classes_, rng)


def _goes_on(template, earlier, labels):
    """Whether this round's model continues the previous one's training."""
    return (
        getattr(template, "warm_start", False)
        and type(earlier) is type(template)
        and np.isin(labels, earlier.classes_).all()
    )
