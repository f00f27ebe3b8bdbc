# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Strategies through their classes against the authors' own picks; mutation checks."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from skal.base import PoolView
from skal.strategies import Entropy, RandomSampling

CASES = sorted((Path(__file__).parents[1] / "golden" / "uncertainty").glob("*.npz"))
DECIDED = [path for path in CASES if np.load(path)["top_b_unique_entropy"]]


class Says(ClassifierMixin, BaseEstimator):
    """A classifier that says what it was told, row by row."""

    def __init__(self, proba):
        self.proba = proba

    def predict_proba(self, X):
        return self.proba[np.asarray(X)[:, 0].astype(int)]


def view_of(proba, **kwargs):
    rows = np.arange(len(proba))[:, None]
    classes = np.arange(proba.shape[1])
    return PoolView(rows, estimator=Says(proba), classes=classes, **kwargs)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_entropy_represents_rows_by_the_golden_scores(path):
    case = np.load(path)
    scores = Entropy()._represent(view_of(case["probs"]))
    np.testing.assert_allclose(scores, case["entropy_f64"][:, None], atol=1e-12)


@pytest.mark.parametrize("path", DECIDED, ids=lambda path: path.stem)
def test_entropy_picks_the_golden_rows(path):
    case = np.load(path)
    rows = Entropy()._query(view_of(case["probs"]), int(case["b"]))
    assert rows.tolist() == case["top_b_stable_entropy"].tolist()


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("path", DECIDED, ids=lambda path: path.stem)
def test_random_picks_in_its_place_would_fail(path, seed):
    case = np.load(path)
    rows = RandomSampling(random_state=seed)._query(
        view_of(case["probs"]), int(case["b"])
    )
    assert set(rows.tolist()) != set(case["top_b_stable_entropy"].tolist())


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
