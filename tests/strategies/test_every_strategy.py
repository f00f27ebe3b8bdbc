# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Every strategy through three rounds on TREC and SNIPS, and inside every filter.

That a batch is the right one is tested elsewhere; here, that a loop runs on real texts
with a transformer, asks nothing twice and learns.
"""

import numpy as np
import pytest
from sklearn.base import clone

from skal import ActiveLearner, Committee, TransformerClassifier
from skal.filters import SEALS, AnchorAL, RandSub
from skal.strategies import (
    BALD,
    BatchBALD,
    ConsensusEntropy,
    Entropy,
    KLDivergence,
    LeastConfidence,
    Margin,
    MeanSTD,
    VariationRatio,
    VoteEntropy,
)
from skal.text import DiverseEnsemble, SnapshotEnsemble

pytestmark = pytest.mark.slow

STRATEGIES = [
    BALD(n_samples=5),
    BatchBALD(n_samples=5),
    ConsensusEntropy(n_samples=5),
    Entropy(n_samples=5),
    KLDivergence(n_samples=5),
    KLDivergence(n_samples=5, kind="max"),
    LeastConfidence(n_samples=5),
    Margin(n_samples=5),
    MeanSTD(n_samples=5),
    VariationRatio(n_samples=5),
    VariationRatio(n_samples=5, kind="mean"),
    VoteEntropy(n_samples=5),
]
FILTERS = [
    AnchorAL(),
    RandSub(max_subpool=200),
    SEALS(n_neighbors=10),
]
# Strategies for which members of a committee are the samples.
BY_COMMITTEE = [
    BALD(),
    BatchBALD(),
    VoteEntropy(),
]
N_POOL, N_SEED, N_QUERIES = 1000, 60, 20
of_strategies = pytest.mark.parametrize("strategy", STRATEGIES, ids=repr)
of_data = pytest.mark.parametrize("name", ["trec", "snips"])


def classifier_of(tiny_bert):
    return TransformerClassifier(
        tiny_bert, lr=5e-4, max_epochs=5, min_steps=60, max_length=32
    )


def run_rounds(classifier, strategy, data, n_rounds):
    X, y, X_test, y_test = data
    X, y = X[:N_POOL], y[:N_POOL]
    learner = ActiveLearner(
        classifier,
        strategy,
        n_queries=N_QUERIES,
        budget=N_SEED + n_rounds * N_QUERIES,
        initial=N_SEED,
        classes=np.unique(data[1]),
        random_state=0,
    ).fit(X, y)
    rows = np.concatenate([entry["rows"] for entry in learner.rounds_])
    assert len(learner.rounds_) == n_rounds + 1
    assert len(set(rows.tolist())) == len(rows) == N_SEED + n_rounds * N_QUERIES
    assert learner.score(X_test, y_test) > 2 / len(learner.classes_)
    return learner


@of_strategies
@of_data
def test_three_rounds(tiny_bert, benchmark_set, strategy, name):
    run_rounds(classifier_of(tiny_bert), strategy, benchmark_set(name), 3)


@of_strategies
@pytest.mark.parametrize("pool_filter", FILTERS, ids=repr)
def test_inside_a_filter(tiny_bert, benchmark_set, strategy, pool_filter):
    around = clone(pool_filter).set_params(strategy=strategy)
    learner = run_rounds(classifier_of(tiny_bert), around, benchmark_set("trec"), 2)
    sizes = [entry["n_subpool"] for entry in learner.rounds_[1:]]
    assert all(N_QUERIES <= size < N_POOL - N_SEED for size in sizes)


@pytest.mark.parametrize("strategy", BY_COMMITTEE, ids=repr)
@of_data
def test_three_rounds_by_committee(tiny_bert, benchmark_set, strategy, name):
    committee = Committee(classifier_of(tiny_bert), n_estimators=3)
    learner = run_rounds(committee, strategy, benchmark_set(name), 3)
    samples = learner.estimator_.sample_proba(benchmark_set(name)[2][:50])
    assert samples.shape == (3, 50, len(learner.classes_))
    assert np.abs(samples[0] - samples[1]).max() > 0.01


@pytest.mark.parametrize("cls", [SnapshotEnsemble, DiverseEnsemble])
@pytest.mark.parametrize(
    "strategy",
    [BALD(), VoteEntropy(), AnchorAL(BALD()), AnchorAL(VoteEntropy())],
    ids=repr,
)
def test_three_rounds_by_an_ensemble(tiny_bert, benchmark_set, cls, strategy):
    data = benchmark_set("trec")
    part = (data[0][:400], data[1][:400], data[2][:200], data[3][:200])
    classifier = classifier_of(tiny_bert).set_params(min_steps=100)
    ensemble = cls(classifier, n_estimators=3)
    learner = run_rounds(ensemble, strategy, part, 3)
    samples = learner.estimator_.sample_proba(part[2])
    assert samples.shape == (3, 200, 6)
    assert np.abs(samples[0] - samples[1]).max() > 0.01
