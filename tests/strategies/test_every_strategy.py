# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Every strategy through three rounds on TREC and SNIPS, and inside every filter.

That a batch is the right one is tested elsewhere; here, that a loop runs on real texts
with a transformer, without a warning, and asks nothing twice. A strategy that is added
to the list runs here by itself.

Trainings are short. On SNIPS all reach 0.6 at least, where the largest class would give
0.18; on TREC what is learned in 30 steps is too near to chance to be asserted.
"""

from functools import cache

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skal import ActiveLearner, Committee, TransformerClassifier
from skal.filters import SEALS, UPS, AnchorAL, KMeansSub, RandSub
from skal.strategies import (
    ALPS,
    BALD,
    REAL,
    AcTune,
    CoreSet,
    Entropy,
    KLDivergence,
    LeastConfidence,
    Margin,
    RandomSampling,
    VariationRatio,
    VoteEntropy,
    list_strategies,
)
from skal.strategies._catalogue import _example
from skal.text import (
    DiverseEnsemble,
    LossPredictingClassifier,
    PoolRecorder,
    SnapshotEnsemble,
)

pytestmark = pytest.mark.slow

N_POOL, N_SEED, N_QUERIES, N_ROUNDS = 600, 60, 20, 3
BUDGET = N_SEED + N_ROUNDS * N_QUERIES
# What makes a strategy cheap, or fit for texts. All others have their defaults.
PARAMS = {
    "Combine": {"strategies": [Entropy(), CoreSet()]},
    "DiscriminativeAL": {"n_sub_batches": 2, "max_epochs": 5},
    "ViaProxy": {"proxy": make_pipeline(TfidfVectorizer(), LogisticRegression())},
}
# What a strategy needs around the classifier.
AROUND = {
    "BatchBALD": lambda classifier: Committee(classifier, n_estimators=3),
    "LabelDispersion": PoolRecorder,
    "PredictedLoss": LossPredictingClassifier,
}
OTHER_SETTINGS = [
    ALPS(masked=True),
    ALPS(clustering="k-means++"),
    AcTune(uncertainty="contrastive"),
    AcTune(uncertainty="contrastive", compat="reference"),
    Entropy(n_samples=5),
    KLDivergence(n_samples=5, kind="max"),
    LeastConfidence(n_samples=5),
    Margin(n_samples=5),
    REAL(compat="reference"),
    VariationRatio(n_samples=5, kind="mean"),
]
# A filter, and most rows that it shows where so many are labelled.
FILTERS = {
    "RandSub": (RandSub(max_subpool=200), lambda n_labeled: 200),
    "SEALS": (SEALS(n_neighbors=4), lambda n_labeled: 4 * n_labeled),
    "AnchorAL": (AnchorAL(n_neighbors=20, max_subpool=300), lambda n_labeled: 300),
    "UPS": (UPS(every=2, gamma=0.3), lambda n_labeled: 300),
    "KMeansSub": (KMeansSub(n_clusters=30, n_per_cluster=7), lambda n_labeled: 210),
}
of_name = pytest.mark.parametrize("name", [card["name"] for card in list_strategies()])


def strategy_of(name):
    strategy = _example(name).set_params(**PARAMS.get(name, {}))
    if "samples" in strategy.reads.pool:
        strategy.set_params(n_samples=5)
    return strategy


@pytest.fixture(scope="module")
def some_of(benchmark_set):
    """600 rows to label, and the test set, of a data set."""

    @cache
    def read(data):
        X, y, X_test, y_test = benchmark_set(data)
        rows = np.random.RandomState(0).choice(len(X), N_POOL, replace=False)
        return [X[row] for row in rows], y[rows], X_test, y_test

    return read


@pytest.fixture
def classifier(tiny_bert):
    return TransformerClassifier(
        tiny_bert,
        lr=2e-3,
        max_epochs=2,
        min_steps=30,
        batch_size=16,
        max_length=32,
        device="cpu",
    )


def learner_of(classifier, strategy, y, **params):
    return ActiveLearner(
        classifier,
        strategy,
        n_queries=N_QUERIES,
        budget=BUDGET,
        initial=N_SEED,
        classes=np.unique(y),
        **({"random_state": 0} | params),
    )


def around(name, classifier):
    return AROUND.get(name, lambda classifier: classifier)(classifier)


def batches(learner):
    return [entry["rows"].tolist() for entry in learner.rounds_[1:]]


def check_rounds(learner, X, y):
    """Rounds are full, nothing is asked twice, and the log says what was done."""
    rounds, sizes = learner.rounds_, [N_SEED] + N_ROUNDS * [N_QUERIES]
    assert learner.n_rounds_ == N_ROUNDS
    assert learner.termination_condition_ == "budget"
    assert [entry["round"] for entry in rounds] == list(range(N_ROUNDS + 1))
    assert [len(entry["rows"]) for entry in rounds] == sizes
    assert [entry["n_labeled"] for entry in rounds] == np.cumsum(sizes).tolist()
    rows = np.concatenate([entry["rows"] for entry in rounds])
    assert rows.dtype == np.int64
    assert set(rows.tolist()) <= set(range(N_POOL))
    assert len(np.unique(rows)) == BUDGET
    assert list(learner.X_labeled_) == [X[row] for row in rows]
    assert learner.y_labeled_.tolist() == y[rows].tolist()
    in_round = np.repeat(np.arange(N_ROUNDS + 1), sizes)
    assert learner.rounds_labeled_.tolist() == in_round.tolist()


def check_not_random(learner, X, y, seeds):
    """No batch is, but for some rows, what these seeds draw at random."""
    for seed in seeds:
        random = learner_of(DummyClassifier(), RandomSampling(), y, random_state=seed)
        pairs = zip(batches(learner), batches(random.fit(X, y)), strict=True)
        assert all(len(set(ours) & set(drawn)) < N_QUERIES / 2 for ours, drawn in pairs)


@of_name
@pytest.mark.parametrize("data", ["trec", "snips"])
def test_three_rounds(classifier, some_of, name, data):
    X, y, X_test, y_test = some_of(data)
    strategy = strategy_of(name)
    learner = learner_of(around(name, classifier), strategy, y).fit(X, y)
    check_rounds(learner, X, y)
    assert all(entry["n_subpool"] is None for entry in learner.rounds_)
    check_not_random(learner, X, y, [1] if name == "RandomSampling" else [0, 1])
    if data == "snips":
        assert learner.score(X_test, y_test) > 0.45
    if data == "trec" and "samples" not in strategy.reads.pool:
        assert batches(clone(learner).fit(X, y)) == batches(learner)


@of_name
@pytest.mark.parametrize("kind", FILTERS)
def test_three_rounds_in_a_filter(classifier, some_of, name, kind):
    """On TREC only: a filter hands on positions, whatever the texts are about, and what
    strategies make of texts of both sets is tested above."""
    X, y, *_ = some_of("trec")
    pool_filter, most = FILTERS[kind]
    strategy = clone(pool_filter).set_params(strategy=strategy_of(name))
    views = []
    learner = learner_of(around(name, classifier), strategy, y, stopping=views.append)
    check_rounds(learner.fit(X, y), X, y)
    assert learner.rounds_[0]["n_subpool"] is None
    for entry, view in zip(learner.rounds_[1:], views, strict=True):
        n_labeled = len(view.labeled)
        assert len(view) == N_POOL - n_labeled
        assert N_QUERIES <= entry["n_subpool"] <= most(n_labeled) < len(view)
        shown = view.log.subpool.tolist()
        assert len(shown) == entry["n_subpool"]
        assert set(entry["rows"].tolist()) <= set(shown) <= set(view.rows.tolist())


@pytest.mark.parametrize("strategy", OTHER_SETTINGS, ids=repr)
def test_three_rounds_with_other_settings(classifier, some_of, strategy):
    X, y, *_ = some_of("trec")
    learner = learner_of(classifier, strategy, y).fit(X, y)
    check_rounds(learner, X, y)
    check_not_random(learner, X, y, [0, 1])


@pytest.mark.parametrize("provider", [Committee, SnapshotEnsemble, DiverseEnsemble])
@pytest.mark.parametrize(
    "strategy",
    [BALD(), VoteEntropy(), AnchorAL(BALD()), AnchorAL(VoteEntropy())],
    ids=repr,
)
def test_three_rounds_by_an_ensemble(classifier, some_of, provider, strategy):
    """The members are the samples, and differ."""
    X, y, X_test, _ = some_of("trec")
    ensemble = provider(classifier.set_params(min_steps=60), n_estimators=3)
    learner = learner_of(ensemble, strategy, y).fit(X, y)
    check_rounds(learner, X, y)
    check_not_random(learner, X, y, [0, 1])
    samples = learner.estimator_.sample_proba(X_test[:50])
    assert samples.shape == (3, 50, len(learner.classes_))
    assert np.abs(samples[0] - samples[1]).max() > 0.01
