# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Entropy, least confidence and margin against the authors' own numbers."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from skal.functional import entropy, least_confidence, margin, top_rows

CASES = sorted((Path(__file__).parents[1] / "golden" / "uncertainty").glob("*.npz"))
# Score, the golden scores, what they are less ours, the golden picks. Two of the
# authors' scores are in single precision.
SCORES = [
    (entropy, "entropy_f64", 0, "entropy"),
    (least_confidence, "least_confidence", 0, "least_confidence"),
    (margin, "margin_conf", 1, "margin_conf"),
]
SCORE_IDS = [score.__name__ for score, *_ in SCORES]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
@pytest.mark.parametrize(("score", "key", "shift", "picks"), SCORES, ids=SCORE_IDS)
def test_golden_scores_and_picks(path, score, key, shift, picks):
    case = np.load(path)
    scores, golden = score(case["probs"]), case[key].astype(np.float64) - shift
    assert scores.dtype == np.float64
    atol = 1e-12 if case[key].dtype == np.float64 else 2e-7
    np.testing.assert_allclose(scores, golden, rtol=1e-12, atol=atol)
    rows = top_rows(scores, int(case["b"]))
    expected = case[f"top_b_stable_{picks}"]
    if case[f"top_b_unique_{picks}"]:
        assert rows.tolist() == expected.tolist()
    np.testing.assert_allclose(scores[rows], golden[expected], atol=1e-6)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_margin_is_the_golden_one_with_its_sign_turned(path):
    case = np.load(path)
    np.testing.assert_allclose(-margin(case["probs"]), case["margin"], atol=2e-7)


def test_there_are_golden_cases():
    assert len(CASES) == 6


@pytest.mark.parametrize("score", [entropy, least_confidence, margin])
def test_memory_is_that_of_a_block(score):
    """Of many rows the scores are those of some rows at a time, bit for bit."""
    proba = np.random.default_rng(0).dirichlet(np.ones(30), 30_000)
    tracemalloc.start()
    try:
        scores = score(proba)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < proba.nbytes / 2
    parts = [score(part) for part in np.array_split(proba, 7)]
    np.testing.assert_array_equal(scores, np.concatenate(parts))


def test_certain_rows_score_zero_without_warnings():
    assert entropy([[1.0, 0.0], [0.0, 1.0]]).tolist() == [0.0, 0.0]
    assert least_confidence([[1.0, 0.0], [0.0, 1.0]]).tolist() == [0.0, 0.0]
    assert margin([[1.0, 0.0], [0.0, 1.0]]).tolist() == [-1.0, -1.0]


def test_uniform_is_the_maximum():
    uniform = np.full((1, 7), 1 / 7)
    assert entropy(uniform)[0] == pytest.approx(np.log(7))
    assert least_confidence(uniform)[0] == pytest.approx(6 / 7)
    assert margin(uniform)[0] == 0


def test_two_classes_are_ranked_alike_by_all_three():
    first = np.random.RandomState(0).permutation(np.linspace(0.01, 0.49, 50))
    proba = np.column_stack([first, 1 - first])
    rows = [top_rows(score(proba), 50).tolist() for score, *_ in SCORES]
    assert rows[0] == rows[1] == rows[2]


def test_three_classes_by_hand():
    """What each looks at: the first class, the first two, all of them."""
    proba = np.array([[0.6, 0.4, 0.0], [0.5, 0.25, 0.25], [0.55, 0.44, 0.01]])
    np.testing.assert_allclose(least_confidence(proba), [0.4, 0.5, 0.45])
    np.testing.assert_allclose(margin(proba), [-0.2, -0.25, -0.11])
    assert top_rows(entropy(proba), 3).tolist() == [1, 2, 0]


def test_a_single_class_is_certain():
    assert [score([[1.0], [1.0]]).tolist() for score, *_ in SCORES] == [
        [0.0, 0.0],
        [0.0, 0.0],
        [-1.0, -1.0],
    ]


@pytest.mark.parametrize("score", [s for s, *_ in SCORES], ids=SCORE_IDS)
@pytest.mark.parametrize(
    "proba", [[[2.0, -1.0]], [[np.nan, 0.5]], [[3.2, 4.1]]], ids=str
)
def test_what_is_no_probability_is_refused(score, proba):
    with pytest.raises(ValueError, match="probabilities between 0 and 1"):
        score(proba)


@pytest.mark.parametrize("score", [s for s, *_ in SCORES], ids=SCORE_IDS)
def test_one_row_without_its_brackets_is_refused(score):
    with pytest.raises(ValueError, match=r"\(n_rows, n_classes\)"):
        score([0.5, 0.5])
