# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What batches of diversity, gradient length and contrast have on TREC and SNIPS."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.preprocessing import normalize

from skal import ActiveLearner, TransformerClassifier
from skal.functional import contrastive_scores, expected_gradient_length, margin
from skal.strategies import (
    PLMKM,
    BertKM,
    ContrastiveAL,
    CoreSet,
    DiverseMiniBatch,
    ExpectedGradientLength,
    FTBertKM,
    SuggestiveAnnotation,
)

pytestmark = pytest.mark.slow

N_SEED, N_QUERIES = 60, 20


def spread(X, rows, others):
    """How far the pool lies from the batch, on average; the smaller the better."""
    X = normalize(X)
    return [-cdist(X, X[picked]).min(axis=1).mean() for picked in (rows, others)]


def reach(X, rows, others):
    """How far the farthest row lies from the batch; the smaller the better."""
    return [-cdist(X, X[picked]).min(axis=1).max() for picked in (rows, others)]


def of_embedding(measure):
    return lambda learner, X, _, rows, others: measure(learner.embed(X), rows, others)


def of_encoder(learner, X, _, rows, others):
    vectors = learner.estimator.pretrained_encoder().fit().transform(X)
    return spread(vectors, rows, others)


def by_gradient(learner, X, _, rows, others):
    scores = expected_gradient_length(learner.predict_proba(X), learner.embed(X))
    return scores[rows].mean(), scores[others].mean()


def by_contrast(learner, X, known, rows, others):
    scores = contrastive_scores(
        learner.predict_proba(X),
        learner.embed(X),
        learner.predict_proba(known),
        learner.embed(known),
    )
    return scores[rows].mean(), scores[others].mean()


def by_margin(learner, X, _, rows, others):
    scores = margin(learner.predict_proba(X))
    return scores[rows].mean(), scores[others].mean()


# A strategy, and what its batches have more of than random ones.
STRATEGIES = [
    (CoreSet(), of_embedding(reach)),
    (BertKM(), of_encoder),
    (FTBertKM(), of_embedding(spread)),
    (PLMKM(), of_embedding(spread)),
    (DiverseMiniBatch(), by_margin),
    (SuggestiveAnnotation(), by_margin),
    (ExpectedGradientLength(), by_gradient),
    (ContrastiveAL(), by_contrast),
]
NAMES = [type(strategy).__name__ for strategy, _ in STRATEGIES]


def some_of(X, y, X_test, y_test):
    """1000 texts to label, 300 to test on."""
    rows = np.random.RandomState(0).choice(len(X), 1000, replace=False)
    return [X[row] for row in rows], y[rows], X_test[:300], y_test[:300]


@pytest.fixture(scope="module")
def some_trec(trec):
    return some_of(*trec)


@pytest.fixture(scope="module")
def some_snips(benchmark_set):
    return some_of(*benchmark_set("snips"))


def classifier(tiny_bert):
    return TransformerClassifier(
        tiny_bert, lr=1e-3, max_epochs=4, min_steps=40, max_length=32
    )


@pytest.mark.parametrize("data", ["some_trec", "some_snips"])
@pytest.mark.parametrize(("strategy", "measure"), STRATEGIES, ids=NAMES)
def test_batches_have_more_of_it(tiny_bert, request, data, strategy, measure):
    X, y, X_test, y_test = request.getfixturevalue(data)
    rng = np.random.RandomState(0)
    learner = ActiveLearner(
        classifier(tiny_bert),
        strategy,
        n_queries=N_QUERIES,
        classes=np.unique(y),
        random_state=0,
    )
    ids = np.arange(len(X))
    asked = rng.choice(ids, N_SEED, replace=False)
    learner.fit([X[row] for row in asked], y[asked], ids=asked)
    found = []
    for _ in range(3):
        rows = learner.query(X, ids=ids)
        assert rows.dtype == np.int64
        assert len(set(rows.tolist()) - set(asked.tolist())) == N_QUERIES
        others = rng.choice(np.setdiff1d(ids, asked), N_QUERIES, replace=False)
        known = [X[row] for row in asked]
        found.append(measure(learner, X, known, rows, others))
        learner.teach([X[row] for row in rows], y[rows], ids=rows)
        asked = np.concatenate([asked, rows])
    batch, at_random = np.mean(found, axis=0)
    assert batch > at_random
    assert len(learner.y_labeled_) == N_SEED + 3 * N_QUERIES
    assert learner.score(X_test, y_test) > 0.3


def test_bert_km_before_any_label(tiny_bert, some_snips):
    """The first batch stands for the pool better than random rows do."""
    X, *_ = some_snips
    learner = ActiveLearner(classifier(tiny_bert), BertKM(), random_state=0)
    rows = learner.query(X, 50)
    assert len(set(rows.tolist())) == 50
    vectors = learner.estimator.pretrained_encoder().fit().transform(X)
    for seed in range(20):
        others = np.random.RandomState(seed).choice(len(X), 50, replace=False)
        batch, at_random = spread(vectors, rows, others)
        assert batch > at_random
