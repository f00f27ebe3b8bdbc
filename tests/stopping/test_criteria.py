# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Each criterion: its numbers and its advice by hand, with and without nan."""

import math

import numpy as np
import pytest

from skal.stopping import (
    Budget,
    ClassificationChange,
    DeltaF,
    KappaAverage,
    OverallUncertainty,
    Patience,
    Plateau,
    SelectedAccuracy,
)

nan = math.nan
NAN_ROUND = np.full((4, 2), nan)


def certain(*labels):
    """Probabilities of rows that are predicted "+" or "-" without doubt."""
    return np.array([[1.0, 0.0] if label == "+" else [0.0, 1.0] for label in labels])


def history(criterion):
    return pytest.approx(criterion.history_, abs=1e-12, nan_ok=True)


def test_kappa_average(follow):
    # Each pair of rounds: p_o = 0.7, p_e = 0.5, kappa 0.4; then the same again.
    script = ["++++++----", "++++--+---", "++++--+---", "++++--+---"]
    criterion = follow(KappaAverage(threshold=0.8, window=3), script)
    assert history(criterion) == [nan, 0.4, 1, 1]
    assert criterion.advice_ == [False, False, False, True]  # 2.4 / 3, inclusive
    criterion = follow(KappaAverage(threshold=0.81, window=3), script)
    assert criterion.advice_ == [False] * 4
    criterion = follow(KappaAverage(threshold=0.4, window=1), script)
    assert criterion.advice_ == [False, True, True, True]


def test_kappa_that_stays_low_is_no_agreement(follow):
    """Where kappas are averaged that differ little, not their differences."""
    script = ["++--", "+-+-", "++--", "+-+-", "++--", "+-+-"]
    criterion = follow(KappaAverage(), script)
    assert history(criterion) == [nan, 0, 0, 0, 0, 0]
    assert not any(criterion.advice_)


def test_kappa_relative_to_the_noise_floor(follow):
    script = ["++++++----", "++++--+---"]  # kappa 0.4
    for floor, advice in ((0.4, True), (0.41, False)):
        criterion = KappaAverage(threshold=1.0, window=1, noise_floor=floor)
        assert follow(criterion, script).advice_[-1] is advice


def test_equal_constant_predictions_agree(follow):
    criterion = follow(KappaAverage(), ["----"] * 4)
    assert history(criterion) == [nan, 1, 1, 1]
    assert criterion.advice_ == [False, False, False, True]


def test_delta_f(follow):
    # a = 2, b = c = 1, then a = 3 and nothing else, with 94 shared negatives
    script = [line + "-" * 94 for line in ("+++---", "++-+--", "++-+--", "++-+--")]
    criterion = follow(DeltaF(threshold=0.34, pos_label="+"), script)
    assert history(criterion) == [nan, 1 / 3, 0, 0]
    assert criterion.advice_ == [False, False, False, True]
    # Counted with the negatives, 1/3 would be 0.02 and below this threshold.
    assert not any(follow(DeltaF(pos_label="+"), script).advice_)


def test_delta_f_has_to_be_below_the_threshold_in_each_round(follow):
    script = ["++++-", "+++--", "+++--", "+++--", "+++--"]  # 1 - 6/7, then 0
    criterion = follow(DeltaF(threshold=1 / 7, pos_label="+"), script)
    assert history(criterion) == [nan, 1 / 7, 0, 0, 0]
    assert criterion.advice_ == [False] * 4 + [True]


def test_delta_f_without_any_positive_does_not_block(follow):
    criterion = follow(DeltaF(pos_label="+"), ["----"] * 4)
    assert history(criterion) == [nan, 0, 0, 0]
    assert criterion.advice_[-1]


def test_delta_f_of_three_classes(follow):
    # a: 1 - 4/5; b: 1 - 2/4; c: 1 - 0/1
    script = ["aaabb", "aabcb"]
    criterion = follow(DeltaF(window=1), script, classes="abc")
    expected = (1 / 5 + 1 / 2 + 1) / 3
    assert history(criterion) == [nan, expected]


def test_classification_change(follow):
    script = ["++++++++++", "+++++++---", "++++++----", "++++++----"]
    criterion = follow(ClassificationChange(threshold=0.3), script)
    assert history(criterion) == [nan, 0.3, 0.1, 0]
    assert criterion.advice_ == [False, True, True, True]  # inclusive
    assert follow(ClassificationChange(), script).advice_ == [False] * 3 + [True]


def test_overall_uncertainty(follow):
    even, sure = [0.5, 0.5], [1.0, 0.0]
    script = [[even] * 4, [even, even, even, sure], [even, sure, sure, sure]]
    criterion = follow(OverallUncertainty(threshold=0.25), script)
    assert history(criterion) == [1, 0.75, 0.25]
    assert not any(criterion.advice_)  # strictly below
    criterion = follow(OverallUncertainty(threshold=0.26), script)
    assert criterion.advice_ == [False, False, True]


def test_overall_uncertainty_is_that_of_the_rows_that_are_left(follow):
    even, sure = [0.5, 0.5], [1.0, 0.0]
    script = [
        [sure, even, even, even],
        [sure, sure, even, even],
        [sure, sure, sure, even],
    ]
    assert history(follow(OverallUncertainty(), script)) == [0.75, 0.5, 0.25]
    # Rows 0, 1 and 2 are labelled in rounds 0, 1 and 2.
    assert history(follow(OverallUncertainty(), script, ids=True)) == [1, 1, 1]


def test_nothing_left_is_not_sure(follow):
    script = [certain("+", "-")] * 3
    criterion = follow(OverallUncertainty(), script, ids=True)
    assert history(criterion) == [0, nan, nan]
    assert criterion.advice_ == [True, False, False]


def test_three_classes_are_normalised_by_three(follow):
    script = [[[0.5, 0.5, 0.0]] * 2]
    criterion = follow(OverallUncertainty(), script, classes="abc")
    assert history(criterion) == [math.log(2) / math.log(3)]


def test_selected_accuracy_is_that_of_the_model_before(follow):
    # Row t - 1 is taught in round t; the model of round 1 predicts rows "+-+-".
    script = ["+-+-", "----", "++++", "++++"]
    labels = np.array(["+", "-", "+", "+"])
    criterion = follow(SelectedAccuracy(), script, labels=labels)
    assert history(criterion) == [nan, 1, 0, 1]
    assert criterion.advice_ == [False, True, False, True]
    criterion = follow(SelectedAccuracy(0.5, window=2), script, labels=labels)
    assert criterion.advice_ == [False, False, True, True]


def test_budget(follow):
    criterion = follow(Budget(2), ["++"] * 3)
    assert criterion.history_ == [1, 2, 3]
    assert criterion.advice_ == [False, True, True]


class Numbers:
    """A metric that gives these numbers, one per label."""

    def __init__(self, *numbers):
        self.numbers = numbers

    def __call__(self, learner):
        return self.numbers[len(learner.y_labeled_) - 1]


@pytest.mark.parametrize(
    ("numbers", "advice"),
    [
        ((0.5, 0.8, 0.81, 0.8, 0.79), [0, 0, 0, 1, 0]),  # 0.81 - 0.79 > tol
        ((0.8, 0.81, 0.82, 0.83, 0.84), [0, 0, 0, 0, 0]),
        ((0.8, 0.8, 0.8, 0.8, 0.9), [0, 0, 1, 1, 0]),
        ((0.8, 0.81, 0.8, nan, 0.8, 0.8, 0.8), [0, 0, 1, 0, 0, 0, 1]),
        ((np.float32(0.5), 1, 1, 1), [0, 0, 0, 1]),
    ],
    ids=str,
)
def test_plateau(follow, numbers, advice):
    metric = Numbers(*numbers)
    criterion = Plateau(metric, window=2, tol=0.01)
    criterion = follow(criterion, ["++"] * len(numbers))
    assert criterion.advice_ == [bool(one) for one in advice]
    assert criterion.history_ == pytest.approx(list(map(float, numbers)), nan_ok=True)


def test_plateau_of_a_criterion(follow):
    script = ["++++", "+++-", "++--", "+---", "+---"]
    criterion = Plateau(ClassificationChange(), window=2, tol=0)
    follow(criterion, script)
    assert history(criterion) == [nan, 0.25, 0.25, 0.25, 0]
    assert criterion.advice_ == [False, False, False, True, False]
    assert not hasattr(criterion.metric, "history_")
    assert criterion.metric_.history_ is not criterion.history_


def test_a_metric_that_is_no_number_is_refused(follow):
    with pytest.raises(TypeError, match="must return one number per round. Got 'high'"):
        follow(Plateau(lambda learner: "high"), ["++"])


@pytest.mark.parametrize(
    ("criterion", "expected", "advice"),
    [
        (KappaAverage(window=2), [nan, 1, nan, nan, 1, 1], [0, 0, 0, 0, 0, 1]),
        (DeltaF(window=2), [nan, 0, nan, nan, 0, 0], [0, 0, 0, 0, 0, 1]),
        (ClassificationChange(), [nan, 0, nan, nan, 0, 0], [0, 1, 0, 0, 1, 1]),
        (OverallUncertainty(), [0, 0, nan, 0, 0, 0], [1, 1, 0, 1, 1, 1]),
        (
            Patience(OverallUncertainty(), n_rounds=2),
            [1, 2, 0, 1, 2, 3],
            [0, 1, 0, 0, 1, 1],
        ),
    ],
    ids=repr,
)
def test_nan_neither_advises_nor_blocks(follow, criterion, expected, advice):
    """Probabilities that are nan, of a network that diverged in one round."""
    sure = certain("+", "-", "+", "-")
    follow(criterion, [sure, sure, NAN_ROUND, sure, sure, sure])
    assert history(criterion) == expected
    assert criterion.advice_ == [bool(one) for one in advice]


@pytest.mark.parametrize(
    ("criterion", "match"),
    [
        (KappaAverage(threshold=0), "threshold"),
        (KappaAverage(threshold=1.01), "threshold"),
        (KappaAverage(threshold=nan), "threshold"),
        (KappaAverage(window=0), "window"),
        (KappaAverage(window=2.5), "window"),
        (KappaAverage(noise_floor=0), "noise_floor"),
        (KappaAverage(n_stop=0), "n_stop"),
        (DeltaF(threshold=0), "threshold"),
        (DeltaF(pos_label="?"), r"pos_label must be one of the labels \['\+', '-'\]"),
        (ClassificationChange(threshold=-0.1), "threshold"),
        (OverallUncertainty(threshold="low"), "threshold"),
        (SelectedAccuracy(threshold=90), "threshold"),
        (Budget(0), "n_labels"),
        (Budget(None), "n_labels"),
        (Plateau("accuracy"), "metric"),
        (Plateau(Budget(0)), "n_labels"),
        (Plateau(Budget(1), tol=-1), "tol"),
        (Patience(Budget(1), n_rounds=0), "n_rounds"),
        (Patience(KappaAverage(window=-1)), "window"),
    ],
    ids=repr,
)
def test_bad_parameters_are_refused(follow, criterion, match):
    with pytest.raises(ValueError, match=match):
        follow(criterion, ["+-"])
    assert not hasattr(criterion, "history_")
