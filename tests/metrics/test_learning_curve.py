# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

from pathlib import Path

import numpy as np
import pytest

from skal.metrics import learning_curve_auc

GOLDEN = Path(__file__).parents[1] / "golden" / "auc"
CURVES = sorted(GOLDEN.glob("s*.npz"))


@pytest.mark.parametrize("path", CURVES, ids=lambda path: path.stem)
def test_golden_curves(path):
    with np.load(path) as golden:
        f1 = golden["f1"]
        by_step = [learning_curve_auc(f1[: t + 1]) for t in range(len(f1))]
        np.testing.assert_allclose(by_step, golden["auc_anchoral_by_step"], rtol=1e-12)
        assert by_step[-1] == pytest.approx(float(golden["auc_anchoral_final"]))
        normalized = learning_curve_auc(f1, normalize=True)
        for key in ("auc_mean_per_round", "auc_x_budget_normalised"):
            np.testing.assert_allclose(normalized, golden[key], rtol=1e-12)
        # The x-axis in labels: the rounds buy equally many each.
        labels_per_round = np.diff(golden["budget"])
        if len(labels_per_round):
            assert by_step[-1] * labels_per_round[0] == pytest.approx(
                float(golden["auc_x_budget"])
            )


def test_golden_folder_is_there():
    assert len(CURVES) == 3


def test_cells_of_the_papers_table_2():
    with np.load(GOLDEN / "table2_constant_curves.npz") as golden:
        areas = [
            learning_curve_auc(np.full(step + 1, f1))
            for f1, step in zip(golden["f1"], golden["step"], strict=True)
        ]
        np.testing.assert_allclose(areas, golden["predicted_auc"], rtol=1e-12)
        np.testing.assert_allclose(areas, golden["paper_auc"], atol=0.05 + 1e-9)


def test_a_perfect_curve_has_the_number_of_rounds_as_area():
    assert learning_curve_auc(np.ones(17)) == 16.0
    assert learning_curve_auc(np.ones(17), normalize=True) == 1.0


def test_one_point():
    assert learning_curve_auc([0.7]) == 0.0
    assert np.isnan(learning_curve_auc([0.7], normalize=True))


def test_returns_a_float_and_leaves_the_input_alone():
    values = np.array([1, 2, 3])
    assert type(learning_curve_auc(values)) is float
    assert values.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "minimum of 1 is required"),
        ([[0.1, 0.2]], "one-dimensional"),
        ([0.1, np.nan], "NaN"),
        ([0.1, np.inf], "infinity"),
        (["a", "b"], "could not convert"),
    ],
)
def test_bad_input(values, message):
    with pytest.raises(ValueError, match=message):
        learning_curve_auc(values)


def test_a_number_is_no_curve():
    with pytest.raises(TypeError, match="got scalar"):
        learning_curve_auc(0.5)
