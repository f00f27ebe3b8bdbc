# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Entropy against the authors' own numbers."""

from pathlib import Path

import numpy as np
import pytest

from skal.functional import entropy, top_rows

CASES = sorted((Path(__file__).parents[1] / "golden" / "uncertainty").glob("*.npz"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_golden_scores_and_picks(path):
    case = np.load(path)
    scores = entropy(case["probs"])
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, case["entropy_f64"], rtol=1e-12, atol=1e-12)
    rows = top_rows(scores, int(case["b"]))
    if case["top_b_unique_entropy"]:
        assert rows.tolist() == case["top_b_stable_entropy"].tolist()
    expected = case["entropy_f64"][case["top_b_stable_entropy"]]
    np.testing.assert_allclose(scores[rows], expected, atol=1e-6)


def test_there_are_golden_cases():
    assert len(CASES) == 6


def test_certain_rows_score_zero_without_warnings():
    assert entropy([[1.0, 0.0], [0.0, 1.0]]).tolist() == [0.0, 0.0]


def test_uniform_is_the_maximum():
    assert entropy(np.full((1, 7), 1 / 7))[0] == pytest.approx(np.log(7))


@pytest.mark.parametrize(
    "proba", [[[2.0, -1.0]], [[np.nan, 0.5]], [[3.2, 4.1]]], ids=str
)
def test_what_is_no_probability_is_refused(proba):
    with pytest.raises(ValueError, match="probabilities between 0 and 1"):
        entropy(proba)


def test_one_row_without_its_brackets_is_refused():
    with pytest.raises(ValueError, match=r"\(n_rows, n_classes\)"):
        entropy([0.5, 0.5])
