# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Ways to search and to nest, with a pretrained BERT on the whole of TREC."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skal import ActiveLearner, TransformerClassifier
from skal.filters import SEALS, UPS, AnchorAL, KMeansSub, RandSub

FILTERS = [
    RandSub(max_subpool=500),
    SEALS(n_neighbors=10),
    SEALS(n_neighbors=10, index="hnsw"),
    SEALS(RandSub(max_subpool=200)),
    AnchorAL(),
    AnchorAL(anchors="entropy", index="ivf"),
    UPS(every=2),
    UPS(scorer=make_pipeline(TfidfVectorizer(), LogisticRegression())),
    KMeansSub(n_clusters=50),
]


@pytest.mark.slow
@pytest.mark.parametrize("pool_filter", FILTERS, ids=repr)
def test_five_rounds_on_trec(tiny_bert, trec, pool_filter):
    X, y, X_test, y_test = trec
    classifier = TransformerClassifier(
        tiny_bert, lr=5e-4, max_epochs=10, min_steps=100, max_length=32
    )
    learner = ActiveLearner(
        classifier,
        pool_filter,
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
