# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Every filter around every strategy, with a pretrained BERT on TREC."""

import itertools

import numpy as np
import pytest
from sklearn.base import clone

from skal import ActiveLearner, TransformerClassifier
from skal.filters import SEALS, AnchorAL, RandSub
from skal.strategies import (
    BADGE,
    REAL,
    CartographyAL,
    Entropy,
    LeastConfidence,
    Margin,
    RandomSampling,
)

FILTERS = [RandSub(max_subpool=500), SEALS(n_neighbors=10), AnchorAL()]
STRATEGIES = [
    Entropy(),
    LeastConfidence(),
    Margin(),
    BADGE(),
    REAL(n_clusters=10),
    CartographyAL(),
    RandomSampling(),
]
# Other ways to search and to nest.
OTHERS = [
    SEALS(n_neighbors=10, index="hnsw"),
    AnchorAL(anchors="entropy", index="ivf"),
    SEALS(RandSub(max_subpool=200)),
]
CASES = [
    *itertools.product(FILTERS, STRATEGIES),
    *((pool_filter, Entropy()) for pool_filter in OTHERS),
]


def around(pool_filter, strategy):
    """The filter with the strategy innermost."""
    name = "strategy__" * (pool_filter.strategy is not None) + "strategy"
    return clone(pool_filter).set_params(**{name: strategy})


@pytest.mark.slow
@pytest.mark.parametrize(("pool_filter", "strategy"), CASES, ids=repr)
def test_five_rounds_on_trec(tiny_bert, trec, pool_filter, strategy):
    X, y, X_test, y_test = trec
    classifier = TransformerClassifier(
        tiny_bert, lr=5e-4, max_epochs=10, min_steps=100, max_length=32
    )
    learner = ActiveLearner(
        classifier,
        around(pool_filter, strategy),
        n_queries=25,
        budget=100 + 5 * 25,
        initial=100,
        classes=range(6),
        random_state=0,
    ).fit(X, y)
    rows = np.concatenate([entry["rows"] for entry in learner.rounds_])
    assert len(set(rows.tolist())) == 225
    sizes = [entry["n_subpool"] for entry in learner.rounds_[1:]]
    assert all(25 <= size < len(X) - 225 for size in sizes)
    if isinstance(pool_filter, SEALS) and pool_filter.strategy is None:
        assert sizes == sorted(sizes)
    assert learner.score(X_test, y_test) > 0.3
