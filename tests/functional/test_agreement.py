# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Agreement of two models: by hand, against scikit-learn, degenerate inputs."""

import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score

from skal.functional import (
    cohen_kappa,
    overall_uncertainty,
    predicted_f_change,
    prediction_change,
)

OF_PREDICTIONS = [cohen_kappa, prediction_change, predicted_f_change]


def predictions(n_classes=3, n_rows=200, seed=0):
    rng = np.random.RandomState(seed)
    first = rng.randint(n_classes, size=n_rows)
    other = rng.randint(n_classes, size=n_rows)
    return first, np.where(rng.rand(n_rows) < 0.6, first, other)


def test_kappa_by_hand():
    # p_o = 7/10, p_e = 6/10 * 5/10 + 4/10 * 5/10 = 1/2
    first, second = [1] * 6 + [0] * 4, [1] * 4 + [0] * 2 + [1] + [0] * 3
    assert cohen_kappa(first, second) == pytest.approx(0.4, abs=1e-15)


def test_kappa_of_opposites_and_of_chance():
    assert cohen_kappa([0, 0, 1, 1], [1, 1, 0, 0]) == -1
    assert cohen_kappa([0, 0, 1, 1], [0, 1, 0, 1]) == 0
    assert cohen_kappa([0, 1], [0, 0]) == 0


@pytest.mark.parametrize("labels", [[0, 1, 2], ["x", "a", "no"]], ids=["int", "str"])
def test_kappa_equals_scikit_learns(labels):
    for seed in range(20):
        first, second = predictions(seed=seed)
        first, second = np.array(labels)[first], np.array(labels)[second]
        expected = cohen_kappa_score(first, second)
        assert cohen_kappa(first, second) == pytest.approx(expected, abs=1e-12)


def test_kappa_of_equal_constants_is_1_where_scikit_learn_has_none():
    assert cohen_kappa(["a"] * 5, ["a"] * 5) == 1
    assert cohen_kappa(["a"] * 5, ["b"] * 5) == 0  # p_o = p_e = 0


def test_f_change_by_hand():
    # a = 2, b = 1, c = 1 and four shared negatives, which must not count: with them
    # as agreement the value would be 1 - 12/14.
    before = ["+", "+", "+", "-", "-", "-", "-", "-"]
    now = ["+", "+", "-", "+", "-", "-", "-", "-"]
    assert predicted_f_change(before, now, pos_label="+") == pytest.approx(1 / 3)
    # of "-": a = 4, b = c = 1
    assert predicted_f_change(before, now, pos_label="-") == pytest.approx(1 / 5)
    assert predicted_f_change(before, now) == pytest.approx((1 / 3 + 1 / 5) / 2)


def test_f_change_is_one_less_f1_of_one_model_by_the_other():
    for seed in range(10):
        first, second = predictions(seed=seed)
        macro = f1_score(first, second, average="macro")
        assert predicted_f_change(first, second) == pytest.approx(1 - macro)
        for label in range(3):
            of_one = f1_score(first, second, labels=[label], average="macro")
            value = predicted_f_change(first, second, pos_label=label)
            assert value == pytest.approx(1 - of_one)


def test_f_change_without_any_positive_is_0():
    assert predicted_f_change(["-"] * 4, ["-"] * 4, pos_label="+") == 0
    assert predicted_f_change(["-"] * 4, ["-"] * 4) == 0
    assert predicted_f_change(["+"] * 4, ["-"] * 4, pos_label="+") == 1


def test_summed_over_classes_it_would_be_the_share_that_changed():
    first, second = predictions()
    micro = f1_score(first, second, average="micro")
    assert prediction_change(first, second) == pytest.approx(1 - micro)


def test_change_by_hand():
    assert prediction_change([0, 1, 1, 2], [0, 1, 2, 2]) == 0.25
    assert prediction_change(["a"], ["a"]) == 0
    # the share of a tenth is the float that a person types
    assert prediction_change([0] * 10, [0] * 7 + [1] * 3) == 0.3


@pytest.mark.parametrize("measure", OF_PREDICTIONS)
def test_the_order_of_the_two_does_not_matter(measure):
    first, second = predictions()
    assert measure(first, second) == pytest.approx(measure(second, first), abs=1e-15)


@pytest.mark.parametrize("measure", OF_PREDICTIONS)
@pytest.mark.parametrize(
    ("first", "second"), [([], []), ([0, 1], [0]), ([[0, 1]], [[0, 1]]), (0, 0)]
)
def test_predictions_of_other_rows_are_refused(measure, first, second):
    with pytest.raises(ValueError, match="must be of the same rows"):
        measure(first, second)


def test_overall_uncertainty_by_hand():
    certain, even = [1.0, 0.0, 0.0], [1 / 3] * 3
    two = [0.5, 0.5, 0.0]
    assert overall_uncertainty([certain]) == 0
    assert overall_uncertainty([even]) == pytest.approx(1)
    expected = (math.log(2) / math.log(3) + 1) / 3
    assert overall_uncertainty([certain, two, even]) == pytest.approx(expected)


def test_overall_uncertainty_of_nothing_is_nan():
    assert math.isnan(overall_uncertainty(np.empty((0, 3))))
    assert math.isnan(overall_uncertainty([[1.0], [1.0]]))
    with pytest.raises(ValueError, match="probabilities between 0 and 1"):
        overall_uncertainty([[np.nan, 1.0]])
