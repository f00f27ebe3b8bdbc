# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Data maps against the code of their authors and of Cartography AL."""

from pathlib import Path

import numpy as np
import pytest

from skal.functional import data_map

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "datamap").glob("*.npz"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_data_maps_are_the_golden_ones(path):
    case = np.load(path)
    confidence, variability, correctness = data_map(case["gold_probs"], case["correct"])
    n_epochs = len(case["correct"])
    # The authors' codes compute in single precision.
    np.testing.assert_allclose(confidence, case["confidence"], rtol=1e-5)
    np.testing.assert_allclose(variability, case["variability"], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(confidence, case["cal_confidence"], rtol=1e-6)
    np.testing.assert_allclose(variability, case["cal_variability"], atol=1e-7)
    assert np.array_equal(np.rint(correctness * n_epochs), case["correctness_count"])
    assert np.array_equal(correctness, case["correct"].sum(axis=0) / n_epochs)
    close = confidence * (1 - confidence)
    np.testing.assert_allclose(close, case["threshold_closeness"], atol=1e-7)


@pytest.mark.parametrize(
    "path", [p for p in GOLDEN if "burn_out" in np.load(p)], ids=lambda path: path.stem
)
def test_data_maps_of_the_first_epochs(path):
    case = np.load(path)
    first = int(case["burn_out"])
    confidence, variability, correctness = data_map(
        case["gold_probs"][:first], case["correct"][:first]
    )
    np.testing.assert_allclose(confidence, case["burn_confidence"], rtol=1e-5)
    np.testing.assert_allclose(
        variability, case["burn_variability"], rtol=1e-5, atol=1e-7
    )
    assert np.array_equal(np.rint(correctness * first), case["burn_correctness_count"])


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_another_order_of_epochs_is_the_same_map(path):
    case = np.load(path)
    order = np.random.RandomState(0).permutation(len(case["correct"]))
    one = data_map(case["gold_probs"], case["correct"])
    other = data_map(case["gold_probs"][order], case["correct"][order])
    np.testing.assert_allclose(one, other, atol=1e-12)


def test_by_hand():
    confidence, variability, correctness = data_map(
        np.array([[0.5, 1.0], [0.9, 1.0], [0.1, 1.0]], dtype=np.float32),
        np.array([[True, True], [True, True], [False, True]]),
    )
    np.testing.assert_allclose(confidence, [0.5, 1], atol=1e-7)
    np.testing.assert_allclose(variability, [np.sqrt(0.32 / 3), 0], atol=1e-7)
    assert correctness.tolist() == [2 / 3, 1]
    assert correctness.dtype == confidence.dtype == np.float64


@pytest.mark.parametrize(
    ("gold_proba", "correct"),
    [
        (np.ones((2, 3)), np.ones((2, 4))),
        (np.ones(3), np.ones(3)),
        (np.ones((0, 3)), np.ones((0, 3))),
    ],
)
def test_shapes_that_do_not_fit_are_refused(gold_proba, correct):
    with pytest.raises(ValueError, match="one shape"):
        data_map(gold_proba, correct)


@pytest.mark.parametrize("bad", [1.5, -0.5, np.nan])
def test_what_is_no_probability_is_refused(bad):
    with pytest.raises(ValueError, match="probabilities"):
        data_map([[bad]], [[1]])
