# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Expected gradient length: the closed form against automatic differentiation."""

from pathlib import Path

import numpy as np
import pytest

from skal.functional import expected_gradient_length

CASES = sorted((Path(__file__).parents[1] / "golden" / "egl").glob("*.npz"))
NAMES = [
    {True: "egl_f64", False: "egl_weight_only_f64"},
    {True: "egl_norm_weight_bias", False: "egl_norm_weight_only"},
]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
@pytest.mark.parametrize("bias", [True, False])
def test_golden_scores(path, bias):
    case = np.load(path)
    proba = case["probs_f64"] if "probs_f64" in case else case["probs"]
    names = next(names for names in NAMES if names[bias] in case)
    scores = expected_gradient_length(proba, case["H"], bias=bias)
    # Vectors are taken in single precision, which those of one set are not in.
    rtol = 1e-6 if case["H"].dtype == np.float64 else 1e-13
    np.testing.assert_allclose(scores, case[names[bias]], rtol=rtol, atol=1e-14)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_without_the_probabilities_it_would_fail(path):
    case = np.load(path)
    length = np.linalg.norm(np.float64(case["H"]), axis=1)
    key = next(names[False] for names in NAMES if names[False] in case)
    assert np.corrcoef(length, case[key])[0, 1] < 0.99


def test_there_are_golden_cases():
    assert len(CASES) == 6


def test_by_hand():
    # Labels 0 and 1: gradients (-.5, .5) and (.5, -.5) times h, of norm .5 sqrt(2) 5.
    score = expected_gradient_length([[0.5, 0.5]], [[3.0, 4.0]], bias=False)[0]
    assert score == pytest.approx(5 * np.sqrt(0.5))
    score = expected_gradient_length([[0.5, 0.5]], [[3.0, 4.0]])[0]
    assert score == pytest.approx(np.sqrt(26) * np.sqrt(0.5))


def test_certain_rows_score_nothing_and_nearly_certain_ones_little():
    proba = [[1, 0, 0], [1 - 1e-9, 1e-9, 0], [1 - 1e-12, 5e-13, 5e-13]]
    scores = expected_gradient_length(proba, np.ones((3, 1)), bias=False)
    assert scores[0] == 0
    # p = (1 - e, e): norms e sqrt(2) and (1 - e) sqrt(2).
    assert scores[1] == pytest.approx(2 * np.sqrt(2) * 1e-9, rel=1e-6)
    assert 0 < scores[2] < 1e-11


def test_one_class_and_no_rows():
    scores = expected_gradient_length(np.ones((3, 1)), np.ones((3, 2)))
    assert scores.tolist() == [0, 0, 0]
    assert expected_gradient_length(np.ones((0, 3)), np.ones((0, 2))).shape == (0,)


@pytest.mark.parametrize(
    ("proba", "embedding", "text"),
    [
        (np.full((3, 2), 0.5), np.ones((4, 2)), "Got 3 and 4 rows"),
        (np.full((3, 2), 3.0), np.ones((3, 2)), "between 0 and 1"),
        (np.full((3, 2), 0.5), np.full((3, 2), np.inf), "must be finite"),
    ],
)
def test_what_cannot_be_used_is_refused(proba, embedding, text):
    with pytest.raises(ValueError, match=text):
        expected_gradient_length(proba, embedding)
