# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Strategies over samples, through their classes: golden scores and picks, samples
asked for once, mutation checks."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from skal import ActiveLearner, Committee
from skal.base import PoolView, Reads
from skal.exceptions import MissingCapabilityError
from skal.filters import RandSub
from skal.functional import batch_bald, margin, top_rows
from skal.strategies import (
    BALD,
    BatchBALD,
    ConsensusEntropy,
    Entropy,
    KLDivergence,
    LeastConfidence,
    Margin,
    MeanSTD,
    RandomSampling,
    VariationRatio,
    VoteEntropy,
)

GOLDEN = Path(__file__).parents[1] / "golden"
QBC = sorted((GOLDEN / "qbc").glob("*.npz"))
BALD_CASES = sorted((GOLDEN / "bald").glob("*.npz"))
BATCH_CASES = sorted((GOLDEN / "batchbald").glob("*.npz"))
# Strategy, the golden key of its scores.
SCORES = [
    (VoteEntropy(), "vote_entropy_modal"),
    (ConsensusEntropy(), "consensus_entropy_modal"),
    (Entropy(n_samples=10), "predictive_entropy_nat"),
    (KLDivergence(), "kl_mean_exact"),
    (KLDivergence(kind="max"), "kl_max_modal"),
    (BALD(), "bald_nat"),
    (MeanSTD(), "mean_std_gal"),
    (VariationRatio(), "variation_ratios_skactiveml"),
    (VariationRatio(kind="mean"), "variation_ratio_meanprob"),
    (LeastConfidence(n_samples=10), "variation_ratio_meanprob"),
]
IDS = [f"{strategy!r}-{key}" for strategy, key in SCORES]
ALL = [*(strategy for strategy, _ in SCORES), Margin(n_samples=10), BatchBALD()]
with_scores = pytest.mark.parametrize(("strategy", "key"), SCORES, ids=IDS)
with_qbc = pytest.mark.parametrize("path", QBC, ids=lambda path: path.stem)
with_batches = pytest.mark.parametrize("path", BATCH_CASES, ids=lambda path: path.stem)


class Samples(ClassifierMixin, BaseEstimator):
    """A classifier with these samples of each row; notes what it is asked."""

    def __init__(self, samples):
        self.samples = samples
        self.asked = []

    def sample_proba(self, X, n_samples=10):
        self.asked.append((len(X), n_samples))
        return self.samples[:n_samples, np.asarray(X)[:, 0].astype(int)]


def view_of(samples, **kwargs):
    rows, classes = np.arange(samples.shape[1])[:, None], np.arange(samples.shape[2])
    return PoolView(rows, estimator=Samples(samples), classes=classes, **kwargs)


@with_qbc
@with_scores
def test_rows_are_represented_by_the_golden_scores(path, strategy, key):
    case = np.load(path)
    found = strategy._represent(view_of(case["member_probs"]))
    assert found.shape == (len(case[key]), 1)
    np.testing.assert_allclose(found[:, 0], case[key], rtol=0, atol=1e-7)


@with_qbc
@with_scores
def test_the_rows_with_the_best_golden_scores_are_picked(path, strategy, key):
    """Up to ties: the golden scores picked are the best there are."""
    case = np.load(path)
    n_queries = min(10, len(case[key]))
    rows = strategy._query(view_of(case["member_probs"]), n_queries)
    golden = case[key]
    best = np.sort(golden)[::-1][:n_queries]
    np.testing.assert_allclose(golden[rows], best, atol=1e-7)


@pytest.mark.parametrize("path", BALD_CASES, ids=lambda path: path.stem)
def test_bald_represents_rows_by_the_golden_scores_and_picks_the_golden_rows(path):
    case = np.load(path)
    view = view_of(case["probs"].swapaxes(0, 1))
    golden = case["oracle_bald_f64"]
    np.testing.assert_allclose(BALD()._represent(view)[:, 0], golden, atol=2e-6)
    if "top_b_order" in case:
        rows = BALD()._query(view, int(case["b"]))
        np.testing.assert_allclose(golden[rows], golden[case["top_b_order"]], atol=2e-6)


def test_margins_are_those_of_the_mean():
    samples = np.load(GOLDEN / "qbc" / "s1_M10_n500_C4.npz")["member_probs"]
    expected = margin(samples.mean(axis=0))
    strategy = Margin(n_samples=10)
    found = strategy._represent(view_of(samples))[:, 0]
    np.testing.assert_array_equal(found, expected)
    rows = strategy._query(view_of(samples), 10)
    assert rows.tolist() == top_rows(expected, 10).tolist()


@with_batches
def test_batch_bald_picks_the_golden_rows(path):
    case = np.load(path)
    samples = np.exp(case["log_probs_f64"]).swapaxes(0, 1)
    strategy = BatchBALD(n_samples=20)
    rows = strategy._query(view_of(samples), int(case["b"]))
    if path.stem != "awk_dup_b6":  # twins tie
        assert rows.tolist() == case["selected_order"].tolist()
    scores = strategy._represent(view_of(samples))[:, 0]
    assert scores.max() == pytest.approx(case["scores_f64"][0])


# Cases without ties among many rows, in which random picks may be as good.
DECIDED = [path for path in QBC if path.stem.startswith(("s1", "s2"))]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("path", DECIDED, ids=lambda path: path.stem)
@with_scores
def test_random_picks_in_their_place_would_fail(path, strategy, key, seed):
    case = np.load(path)
    rows = RandomSampling(random_state=seed)._query(view_of(case["member_probs"]), 10)
    best = np.sort(case[key])[::-1][:10]
    assert not np.allclose(np.sort(case[key][rows])[::-1], best, atol=1e-7)


@pytest.mark.parametrize("seed", range(20))
@with_batches
def test_random_picks_in_place_of_batch_bald_would_fail(path, seed):
    case = np.load(path)
    view = view_of(np.exp(case["log_probs_f64"]).swapaxes(0, 1))
    rows = RandomSampling(random_state=seed)._query(view, int(case["b"]))
    assert rows.tolist() != case["selected_order"].tolist()


def test_there_are_golden_cases():
    assert [len(cases) for cases in (QBC, BALD_CASES, BATCH_CASES)] == [8, 6, 5]


@pytest.mark.parametrize("strategy", ALL, ids=repr)
def test_samples_are_asked_for_once(strategy):
    samples = np.load(GOLDEN / "qbc" / "s1_M10_n500_C4.npz")["member_probs"]
    view = view_of(samples, reads=strategy.reads)
    strategy._query(view, 5)
    strategy._query(view, 5)
    strategy._represent(view)
    assert view.estimator.asked == [(500, 10)]


@pytest.mark.parametrize("strategy", ALL, ids=repr)
def test_a_filter_leaves_the_rest_of_the_pool_unasked(strategy):
    samples = np.load(GOLDEN / "qbc" / "s1_M10_n500_C4.npz")["member_probs"]
    around = RandSub(strategy, max_subpool=60, random_state=0)
    view = view_of(samples, reads=around.reads)
    rows = around._query(view, 5)
    assert len(set(rows.tolist())) == 5
    assert view.estimator.asked == [(60, 10)]


def test_fewer_samples_than_asked_for_are_asked_for_once():
    """A committee of three, and strategies that ask for ten."""
    samples = np.load(GOLDEN / "qbc" / "s2_M3_n3000_C10.npz")["member_probs"]
    view = view_of(samples)
    assert view.samples(10).shape == (3, 600, 10)
    assert view.samples(10) is view.samples(10)
    assert view.samples(2).shape == (2, 600, 10)
    assert view.take([1, 5]).samples(10).shape == (3, 2, 10)
    assert view.estimator.asked == [(600, 10)]


def test_more_samples_than_before_are_asked_for_again():
    samples = np.load(GOLDEN / "qbc" / "s1_M10_n500_C4.npz")["member_probs"]
    view = view_of(samples, reads=Reads(pool=frozenset({"samples"}), n_samples=2))
    assert view.samples(2).shape == (2, 500, 4)
    assert view.samples(7).shape == (7, 500, 4)
    assert view.take([3]).samples(5).shape == (5, 1, 4)
    assert [n for _, n in view.estimator.asked] == [2, 7]


@pytest.mark.parametrize("strategy", ALL, ids=repr)
def test_a_classifier_without_samples_is_refused(strategy):
    X, y = [[-1.0], [1.0]], [0, 1]
    with pytest.raises(MissingCapabilityError, match=r"sample_proba.*skal\.Committee"):
        strategy.fit(X, y, LogisticRegression().fit(X, y))


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (VoteEntropy(n_samples=0), "n_samples"),
        (Entropy(n_samples=2.5), "n_samples"),
        (KLDivergence(kind="median"), "kind"),
        (VariationRatio(kind="max"), "kind"),
        (BatchBALD(max_configurations=0), "max_configurations"),
    ],
    ids=repr,
)
def test_bad_parameters_are_refused(strategy, message):
    with pytest.raises(ValueError, match=message):
        strategy.fit([[-1.0], [1.0]], [0, 1], Samples(np.ones((1, 1, 1))))


def test_batch_bald_draws_anew_in_every_round_and_the_same_in_every_query():
    rng = np.random.RandomState(0)
    samples = rng.dirichlet(np.ones(4), (10, 300))
    strategy = BatchBALD(max_configurations=10, random_state=0)
    picks = [
        [strategy._query(view_of(samples, round_=r), 12).tolist() for _ in range(2)]
        for r in range(4)
    ]
    assert all(first == second for first, second in picks)
    assert len({tuple(first) for first, _ in picks}) > 1
    exact = batch_bald(samples, 2).tolist()
    assert all(first[:2] == exact for first, _ in picks)


@pytest.mark.parametrize("strategy", ALL, ids=repr)
def test_a_seed_with_one_class_is_queried(strategy):
    """A constant classifier stands in, and has samples too."""
    X = np.random.RandomState(0).normal(size=(30, 2))
    committee = Committee(LogisticRegression(), n_estimators=3, bootstrap=True)
    learner = ActiveLearner(committee, strategy, random_state=0)
    with pytest.warns(UserWarning, match="one class"):
        learner.fit(X[:5], ["a"] * 5)
    assert len(learner.query(X[5:], 4)) == 4
    learner.teach(X[5:10], ["b", "a", "b", "a", "b"])
    assert len(learner.query(X[10:], 4)) == 4
    assert learner.predict_proba(X).shape == (30, 2)
