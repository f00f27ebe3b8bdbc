# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Strategies through their classes against the authors' own picks; mutation checks."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from skal.base import PoolView
from skal.functional import _gradient
from skal.strategies import BADGE, Entropy, LeastConfidence, Margin, RandomSampling

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = sorted((GOLDEN / "uncertainty").glob("*.npz"))
BADGE_CASES = sorted((GOLDEN / "badge").glob("*.npz"))
# Strategy, the golden scores, what they are less ours, the golden picks.
SCORES = [
    (Entropy(), "entropy_f64", 0, "entropy"),
    (LeastConfidence(), "least_confidence", 0, "least_confidence"),
    (Margin(), "margin_conf", 1, "margin_conf"),
]
SCORE_IDS = [picks for *_, picks in SCORES]
# Cases whose cut no tie runs through.
DECIDED = [
    pytest.param(strategy, path, picks, id=f"{picks}-{path.stem}")
    for strategy, *_, picks in SCORES
    for path in CASES
    if np.load(path)[f"top_b_unique_{picks}"]
]


class Says(ClassifierMixin, BaseEstimator):
    """A classifier that says what it was told, row by row."""

    def __init__(self, proba, embedding=None):
        self.proba = proba
        self.embedding = embedding

    def predict_proba(self, X):
        return self.proba[np.asarray(X)[:, 0].astype(int)]

    def embed(self, X):
        return self.embedding[np.asarray(X)[:, 0].astype(int)]


def view_of(proba, embedding=None, **kwargs):
    rows = np.arange(len(proba))[:, None]
    classes = np.arange(proba.shape[1])
    return PoolView(rows, estimator=Says(proba, embedding), classes=classes, **kwargs)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
@pytest.mark.parametrize(("strategy", "key", "shift", "_"), SCORES, ids=SCORE_IDS)
def test_scores_represent_rows_by_the_golden_ones(path, strategy, key, shift, _):
    case = np.load(path)
    scores = strategy._represent(view_of(case["probs"]))
    golden = case[key].astype(np.float64)[:, None] - shift
    atol = 1e-12 if case[key].dtype == np.float64 else 2e-7
    np.testing.assert_allclose(scores, golden, atol=atol)


@pytest.mark.parametrize(("strategy", "path", "picks"), DECIDED)
def test_scores_pick_the_golden_rows(strategy, path, picks):
    case = np.load(path)
    rows = strategy._query(view_of(case["probs"]), int(case["b"]))
    assert rows.tolist() == case[f"top_b_stable_{picks}"].tolist()


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("strategy", "path", "picks"), DECIDED)
def test_random_picks_in_its_place_would_fail(strategy, path, picks, seed):
    case = np.load(path)
    rows = RandomSampling(random_state=seed)._query(
        view_of(case["probs"]), int(case["b"])
    )
    assert set(rows.tolist()) != set(case[f"top_b_stable_{picks}"].tolist())


class Leads(np.random.RandomState):
    """Draws the numbers that led the authors' code from each of its rows to the next.

    The law says which share of the unit interval belongs to a row: the numbers are the
    middles of the golden rows' shares. After each comes one that decides whether the
    row is kept; it is 0, which keeps it.
    """

    def __init__(self, case):
        super().__init__()
        a, h = case["probs"].astype(np.float64), case["emb"].astype(np.float64)
        a[np.arange(len(a)), a.argmax(axis=1)] -= 1
        norms = (a**2).sum(axis=1) * (h**2).sum(axis=1)
        nearest = np.full(len(a), np.inf)
        self.numbers = []
        for center, row in itertools.pairwise(case["centers"]):
            squared = norms + norms[center] - 2 * (a @ a[center]) * (h @ h[center])
            nearest = np.minimum(nearest, squared)
            nearest[center] = 0
            share = np.cumsum(nearest) / nearest.sum()
            self.numbers += [share[row] - nearest[row] / nearest.sum() / 2, 0.0]

    def random_sample(self, size):
        return np.array([self.numbers.pop(0) for _ in range(size)])


def badge_view(case, rng=None):
    view = view_of(case["probs"], case["emb"])
    if rng is not None:
        view.rng = lambda random_state: rng
    return view


with_badge_cases = pytest.mark.parametrize(
    "path", BADGE_CASES, ids=lambda path: path.stem
)


@with_badge_cases
def test_badge_represents_rows_by_the_golden_gradients(path):
    case = np.load(path)
    gradients = BADGE()._represent(badge_view(case))
    norms = np.linalg.norm(gradients, axis=1)
    np.testing.assert_allclose(norms, case["grad_norm"], rtol=1e-5, atol=1e-6)
    if "grad_emb" in case:
        np.testing.assert_allclose(gradients, -case["grad_emb"], atol=1e-6)


@with_badge_cases
@pytest.mark.parametrize("seed", range(5))
def test_badge_picks_the_golden_row_first(path, seed):
    case = np.load(path)
    rows = BADGE(random_state=seed)._query(badge_view(case), int(case["b"]))
    assert rows[0] == case["first_center"]


@with_badge_cases
def test_badge_picks_the_golden_rows_given_the_draws(path, monkeypatch):
    monkeypatch.setattr(_gradient, "_MAX_DRAWS", 1)
    case = np.load(path)
    rng = Leads(case)
    rows = BADGE()._query(badge_view(case, rng), len(case["centers"]))
    assert rows.tolist() == case["centers"].tolist()
    assert rng.numbers == []


@with_badge_cases
@pytest.mark.parametrize("seed", range(5))
def test_random_picks_in_place_of_badge_would_fail(path, seed):
    case = np.load(path)
    rows = RandomSampling(random_state=seed)._query(
        badge_view(case), len(case["centers"])
    )
    assert rows.tolist() != case["centers"].tolist()


@with_badge_cases
def test_other_draws_in_place_of_badges_would_fail(path, monkeypatch):
    monkeypatch.setattr(_gradient, "_MAX_DRAWS", 1)
    case = np.load(path)
    for seed in range(5):
        rows = BADGE(random_state=seed)._query(badge_view(case), len(case["centers"]))
        assert rows.tolist() != case["centers"].tolist()


def test_there_are_golden_cases():
    assert len(CASES) == 6
    assert len(BADGE_CASES) == 7
    assert len(DECIDED) == 9


def test_random_sampling_picks_every_row_equally_often():
    counts = np.zeros(10)
    view = view_of(np.full((10, 2), 0.5))
    for seed in range(2000):
        counts[RandomSampling(random_state=seed)._query(view, 3)] += 1
    # 2000 draws of 3 out of 10: 600 expected each, standard deviation 20.
    assert abs(counts - 600).max() < 5 * 20


def test_random_sampling_draws_anew_in_every_round():
    proba = np.full((100, 2), 0.5)
    picks = {
        tuple(RandomSampling(random_state=0)._query(view_of(proba, round_=r), 5))
        for r in range(20)
    }
    assert len(picks) == 20


def test_badge_draws_anew_in_every_round_and_the_same_in_every_query():
    case = np.load(BADGE_CASES[-1])
    views = [view_of(case["probs"], case["emb"], round_=r) for r in range(5)]
    picks = [BADGE(random_state=0)._query(view, 20).tolist() for view in views]
    assert len({tuple(rows) for rows in picks}) == 5
    again = [BADGE(random_state=0)._query(view, 20).tolist() for view in views]
    assert picks == again
