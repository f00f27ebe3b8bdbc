# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Samples of heads and of a posterior through rounds with a pretrained BERT on TREC."""

import numpy as np
import pytest

from skal import ActiveLearner, TransformerClassifier
from skal.filters import AnchorAL
from skal.functional import bald, vote_entropy
from skal.strategies import BALD, VoteEntropy
from skal.text import BayesByBackpropClassifier, SplitHeadClassifier

PROVIDERS = {
    "heads": lambda network: SplitHeadClassifier(network, head_size=32),
    "bayes": BayesByBackpropClassifier,
}
SCORES = {BALD: bald, VoteEntropy: vote_entropy}


@pytest.mark.slow
@pytest.mark.parametrize("filtered", [False, True], ids=["alone", "AnchorAL"])
@pytest.mark.parametrize("strategy", SCORES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("kind", PROVIDERS)
def test_three_rounds_on_trec(tiny_bert, trec, kind, strategy, filtered):
    X, y = trec[0][:600], trec[1][:600]
    X_test, y_test = trec[0][600:1100], trec[1][600:1100]
    network = TransformerClassifier(
        tiny_bert, lr=5e-4, max_epochs=10, min_steps=120, max_length=24
    )
    strategy_ = strategy()
    if filtered:
        strategy_ = AnchorAL(strategy_, n_anchors=5, n_neighbors=30, max_subpool=150)
    learner = ActiveLearner(
        PROVIDERS[kind](network),
        strategy_,
        n_queries=25,
        classes=range(6),
        random_state=0,
    )
    ids, asked = np.arange(600), np.arange(100)
    learner.fit(X[:100], y[:100], ids=asked)
    for _ in range(3):
        rows = learner.query(X, ids=ids)
        assert len(np.union1d(asked, rows)) == len(asked) + 25
        scores = SCORES[strategy](learner.estimator_.sample_proba(X))
        left = np.setdiff1d(ids, [*asked, *rows])
        assert scores[rows].mean() > scores[left].mean()
        if not filtered:
            assert scores[rows].min() >= scores[left].max()
        asked = np.concatenate([asked, rows])
        learner.teach([X[row] for row in rows], y[rows], ids=rows)
    assert learner.score(X_test, y_test) > 0.35
