# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The law of unlabelled pool subsampling."""

from pathlib import Path

import numpy as np
import pytest

from skal.functional import subsampled_rows, subsampling_proba

CASES = sorted((Path(__file__).parents[1] / "golden" / "ups").glob("*.npz"))
SCORES = np.array([0.2, 0.9, 0.5, 0.9, 0.1, 0.7, 0.0, 0.4, 0.3, 0.6])


def test_there_are_golden_cases():
    assert len(CASES) == 5


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_golden_probabilities_and_rows(path):
    case = np.load(path)
    law = {"gamma": float(case["gamma"]), "temperature": float(case["T"])}
    proba = subsampling_proba(case["scores"], **law)
    np.testing.assert_allclose(proba, case["proba"], rtol=1e-12)
    seed = int(case["seed"])
    rows = subsampled_rows(case["scores"], random_state=seed, **law)
    assert rows.tolist() == case["rows"].tolist()
    if case["T"] >= 0.01:  # else the share is kept, and hardly another row
        other = subsampled_rows(case["scores"], random_state=seed + 1, **law)
        assert other.tolist() != case["rows"].tolist()


def test_the_law_by_hand():
    proba = subsampling_proba([3, 9, 5, 7], gamma=0.5, temperature=0.25)
    np.testing.assert_allclose(proba, [np.exp(-1), 1, 1, 1])
    proba = subsampling_proba([3, 9, 5, 7], gamma=0, temperature=1)
    np.testing.assert_allclose(proba, np.exp([-0.75, 0, -0.5, -0.25]))


def test_equal_scores_share_the_mean_of_their_ranks():
    by_rank = subsampling_proba(-np.arange(4), gamma=0.25, temperature=0.5)
    mean = by_rank[1:].mean()
    proba = subsampling_proba([1, 2, 1, 1], gamma=0.25, temperature=0.5)
    np.testing.assert_allclose(proba, [mean, 1, mean, mean], rtol=1e-15)
    constant = subsampling_proba(np.zeros(1000))
    assert np.ptp(constant) == 0
    assert constant[0] == pytest.approx(0.11, abs=0.001)


def test_how_often_rows_are_kept():
    """Chi-square of the counts, and each row on its own: no two draws hang together."""
    rng, n_draws = np.random.RandomState(0), 5000
    law = {"gamma": 0.2, "temperature": 0.4}
    expected = subsampling_proba(SCORES, **law)
    kept = np.zeros((n_draws, 10))
    for row in kept:
        row[subsampled_rows(SCORES, random_state=rng, **law)] = 1
    assert kept[:, [1, 3]].all()
    others = expected < 1
    assert others.sum() == 8 - 1  # rank 2 of 10 is not above the share
    p = expected[others]
    deviation = kept[:, others].sum(axis=0) - n_draws * p
    chi_square = np.sum(deviation**2 / (n_draws * p * (1 - p)))
    assert chi_square < 32  # 7 degrees of freedom: 1 in 25,000
    correlation = np.corrcoef(kept[:, others].T) - np.eye(7)
    assert np.abs(correlation).max() < 4.5 / np.sqrt(n_draws)


@pytest.mark.parametrize("n_least", [1, 3, 9, 10, 11])
@pytest.mark.parametrize("temperature", [1e-300, 1e-4, 0.3])
def test_the_most_uncertain_fill_up(n_least, temperature):
    for seed in range(20):
        law = {"gamma": 0.1, "temperature": temperature, "random_state": seed}
        drawn = subsampled_rows(SCORES, **law)
        rows = subsampled_rows(SCORES, n_least, **law)
        assert len(rows) == max(len(drawn), min(n_least, 10))
        assert (np.diff(rows) > 0).all()
        assert np.isin(drawn, rows).all()
        added = np.setdiff1d(rows, drawn)
        left = np.setdiff1d(np.arange(10), rows)
        assert SCORES[added].min(initial=1) >= SCORES[left].max(initial=0)


def test_bad_input():
    with pytest.raises(ValueError, match=r"1 NaN"):
        subsampling_proba([0.0, np.nan])
    with pytest.raises(ValueError, match=r"shape \(2, 1\)"):
        subsampled_rows([[0.0], [1.0]])
    for law in ({"gamma": -0.1}, {"gamma": 1.1}, {"temperature": 0}):
        with pytest.raises(ValueError, match="gamma must be from 0 to 1"):
            subsampling_proba([0.0], **law)
    assert len(subsampling_proba([])) == len(subsampled_rows([])) == 0
    assert subsampling_proba([1.0, 2.0], gamma=1, temperature=1e-300).tolist() == [1, 1]
