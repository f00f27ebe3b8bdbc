# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Each strategy alone through five rounds with a pretrained BERT on TREC."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from skal import ActiveLearner, TransformerClassifier
from skal.functional import gradient_embedding, least_confidence, margin
from skal.strategies import BADGE, LeastConfidence, Margin

N_QUERIES = 25


def by_score(score):
    """The batch scores higher than random rows do, on average."""

    def check(classifier, batch, sample):
        in_batch, at_random = (
            score(classifier.predict_proba(X)) for X in (batch, sample)
        )
        assert in_batch.mean() > at_random.mean()
        assert in_batch.min() > np.median(at_random)

    return check


def spread_and_large(classifier, batch, sample):
    """Gradients are longer and farther from one another than those of random rows."""
    in_batch, at_random = (
        gradient_embedding(classifier.predict_proba(X), classifier.embed(X))
        for X in (batch, sample)
    )
    norms = [np.linalg.norm(X, axis=1).mean() for X in (in_batch, at_random)]
    spread = [pdist(X).mean() for X in (in_batch, at_random)]
    assert norms[0] > norms[1]
    assert spread[0] > spread[1]


# A strategy, and what is to hold of each of its batches beside random rows.
STRATEGIES = [
    (LeastConfidence(), by_score(least_confidence)),
    (Margin(), by_score(margin)),
    (BADGE(), spread_and_large),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strategy", "check"), STRATEGIES, ids=[repr(s) for s, _ in STRATEGIES]
)
def test_five_rounds_on_trec(tiny_bert, trec, strategy, check):
    """Trained for long enough that the rows differ in how sure the classifier is."""
    X, y, X_test, y_test = trec
    rng = np.random.RandomState(0)
    seed = rng.choice(len(X), 100, replace=False)
    learner = ActiveLearner(
        TransformerClassifier(
            tiny_bert, lr=5e-4, max_epochs=10, min_steps=150, max_length=32
        ),
        strategy,
        n_queries=N_QUERIES,
        classes=range(6),
        random_state=0,
    )
    ids = np.arange(len(X))
    learner.fit([X[row] for row in seed], y[seed], ids=seed)
    asked = set(seed.tolist())
    for _ in range(5):
        rows = learner.query(X, ids=ids)
        assert rows.dtype == np.int64
        assert rows.shape == (N_QUERIES,)
        assert len(asked | set(rows.tolist())) == len(asked) + N_QUERIES
        others = rng.choice(np.setdiff1d(ids, [*asked, *rows]), 400, replace=False)
        batch, sample = ([X[row] for row in part] for part in (rows, others))
        check(learner.estimator_, batch, sample)
        asked |= set(rows.tolist())
        learner.teach(batch, y[rows], ids=rows)
    assert len(learner.y_labeled_) == 100 + 5 * N_QUERIES
    assert learner.score(X_test, y_test) > 0.5
