# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""All criteria on TREC with a pretrained BERT, whose seeds do not agree."""

import numpy as np
import pytest

from skal import ActiveLearner, TransformerClassifier
from skal.stopping import (
    All,
    Budget,
    ClassificationChange,
    DeltaF,
    KappaAverage,
    OverallUncertainty,
    Patience,
    Plateau,
    SelectedAccuracy,
    noise_floor,
)

CRITERIA = {
    "kappa": KappaAverage(),
    "delta-f": DeltaF(),
    "change": ClassificationChange(),
    "uncertainty": OverallUncertainty(),
    "selected": SelectedAccuracy(),
    "patience": Patience(SelectedAccuracy(0.6), 2),
    "plateau": Plateau(OverallUncertainty(), window=3, tol=0.05),
}


@pytest.mark.slow
def test_seeds_disagree_on_trec_and_calibrate_the_kappa(tiny_bert, trec):
    X, y, X_test, y_test = trec
    X, y = X[:1500], y[:1500]
    classifier = TransformerClassifier(
        tiny_bert, lr=5e-4, max_epochs=10, min_steps=100, max_length=64
    )
    watched = All([*CRITERIA.items(), ("never", Budget(10_000))])
    learner = ActiveLearner(
        classifier,
        n_queries=100,
        budget=600,
        stopping=watched,
        random_state=0,
    ).fit(X, y)
    floor = noise_floor(learner, X)
    seen = dict(zip([*CRITERIA, "never"], learner.stopping_.criteria_, strict=True))
    assert learner.termination_condition_ == "budget"
    assert all(len(criterion.history_) == 6 for criterion in seen.values())
    assert learner.score(X_test, y_test) > 0.5
    # Two seeds agree far beyond chance and far below the usual threshold, which
    # consecutive rounds then cannot reach either.
    assert 0.3 < floor < 0.97
    kappas = np.array(seen["kappa"].history_[1:])
    for name in ("kappa", "delta-f", "change", "uncertainty"):
        assert not any(seen[name].advice_)
    assert kappas.max() < 0.97
    # Relative to the floor they come near: there the advice can be had.
    assert 0.6 * floor < kappas[-2:].mean() < floor + 0.1
