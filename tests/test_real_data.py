# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The whole loop with a pretrained BERT on real data sets."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV

from skal import ActiveLearner, TransformerClassifier, make_query_pipeline
from skal.datasets import make_imbalanced
from skal.filters import SEALS, AnchorAL, RandSub
from skal.strategies import REAL, CartographyAL, Entropy, RandomSampling


def make(tiny_bert, strategy, **kwargs):
    classifier = TransformerClassifier(
        tiny_bert, lr=5e-4, max_epochs=3, min_steps=30, max_length=64
    )
    return ActiveLearner(
        classifier, strategy, **({"n_queries": 25, "random_state": 0} | kwargs)
    )


@pytest.fixture(scope="module")
def agnews_bus(shared_dir):
    """AnchorAL's Agnews-Bus: business (1) is 1 % of the pool."""
    frame = pd.read_parquet(shared_dir / "data" / "agnews" / "train.parquet")
    return make_imbalanced(
        frame["text"].tolist(),
        frame["label"].to_numpy(),
        minority=2,
        share=0.01,
        random_state=0,
    )


def run_loop(learner, X, y, n_rounds, rare):
    """Rounds of query and teach from the papers' seed; the rare share of each batch."""
    rng = np.random.RandomState(0)
    seed = np.concatenate(
        [
            rng.choice(np.flatnonzero(y == rare), 5, replace=False),
            rng.choice(np.flatnonzero(y != rare), 95, replace=False),
        ]
    )
    ids = np.arange(len(X))
    learner.fit([X[row] for row in seed], y[seed], ids=seed)
    asked, shares = set(seed.tolist()), []
    for _ in range(n_rounds):
        rows = learner.query(X, ids=ids)
        assert len(rows) == 25
        assert not asked & set(rows.tolist()), "a row was asked twice"
        asked |= set(rows.tolist())
        shares.append(np.mean(y[rows] == rare))
        learner.teach([X[row] for row in rows], y[rows], ids=rows)
    assert len(learner.y_labeled_) == 100 + 25 * n_rounds
    return np.mean(shares)


def test_two_rounds_on_trec(tiny_bert, trec):
    X, y, X_test, y_test = trec
    learner = make(tiny_bert, AnchorAL(Entropy()), classes=range(6))
    run_loop(learner, X[:1500], y[:1500], 2, rare=0)
    assert learner.score(X_test, y_test) > 0.3


@pytest.mark.slow
def test_ten_rounds_on_trec_find_the_rare_class(tiny_bert, trec):
    X, y, _, _ = trec
    found = {
        strategy: run_loop(
            make(tiny_bert, strategy, classes=range(6)), X, y, 10, rare=0
        )
        for strategy in (AnchorAL(Entropy()), RandomSampling())
    }
    anchoral, random = found.values()
    assert anchoral > random


@pytest.mark.slow
def test_ten_rounds_on_agnews_bus_find_the_rare_class(tiny_bert, agnews_bus):
    X, y = agnews_bus
    assert np.mean(y) == pytest.approx(0.01, abs=0.001)
    anchoral, random = (
        run_loop(make(tiny_bert, strategy), X, y, 10, rare=1)
        for strategy in (AnchorAL(Entropy()), RandomSampling())
    )
    assert anchoral > random


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy",
    [REAL(), REAL(compat="reference"), CartographyAL(), AnchorAL(CartographyAL())],
    ids=repr,
)
def test_five_rounds_on_trec_pick_what_the_model_gets_wrong(tiny_bert, trec, strategy):
    X, y, X_test, y_test = trec
    learner = make(tiny_bert, strategy, classes=range(6))
    learner.set_params(estimator__max_epochs=10, estimator__min_steps=100)
    ids, asked = np.arange(len(X)), np.random.RandomState(0).permutation(len(X))[:100]
    learner.fit([X[row] for row in asked], y[asked], ids=asked)
    wrong_in_batch, wrong_in_pool = [], []
    for _ in range(5):
        rows = learner.query(X, ids=ids)
        assert not set(asked.tolist()) & set(rows.tolist()), "a row was asked twice"
        wrong = learner.predict(X) != y
        wrong_in_batch.append(wrong[rows].mean())
        wrong_in_pool.append(np.delete(wrong, asked).mean())
        asked = np.concatenate([asked, rows])
        learner.teach([X[row] for row in rows], y[rows], ids=rows)
    assert len(asked) == len(learner.y_labeled_) == 225
    assert np.mean(wrong_in_batch) > 1.1 * np.mean(wrong_in_pool)
    assert learner.score(X_test, y_test) > 0.45


FILTERED = make_query_pipeline(AnchorAL(), Entropy())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strategy", "grid"),
    [
        (FILTERED, {"strategy__anchoral__n_neighbors": [5, 50]}),
        (
            FILTERED,
            {
                "strategy__anchoral": [
                    "passthrough",
                    RandSub(max_subpool=300),
                    SEALS(n_neighbors=3),
                    AnchorAL(n_neighbors=20),
                ]
            },
        ),
        (REAL(), {"strategy__n_clusters": [5, 50]}),
        (CartographyAL(), {"strategy__t_cor": [0.2, 0.8]}),
    ],
    ids=["n_neighbors", "filters", "n_clusters", "t_cor"],
)
def test_a_search_on_trec_compares_what_candidates_chose(
    tiny_bert, trec, strategy, grid
):
    X, y, _, _ = trec
    learner = make(
        tiny_bert,
        strategy,
        budget=150,
        initial=100,
        classes=range(6),
    )
    search = GridSearchCV(learner, grid, cv=2, error_score="raise", refit=False)
    search.fit(X[:2000], y[:2000])
    scores = search.cv_results_["mean_test_score"]
    assert len(set(scores.tolist())) == len(scores)
    picks = {
        tuple(np.concatenate([entry["rows"] for entry in fitted.rounds_]))
        for fitted in (
            learner.set_params(**params).fit(X[:2000], y[:2000])
            for params in search.cv_results_["params"]
        )
    }
    assert len(picks) == len(scores)
