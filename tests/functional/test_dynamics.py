# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Data maps, forgetting events and label dispersion against their authors' codes."""

from pathlib import Path

import numpy as np
import pytest

from skal.functional import (
    data_map,
    forgetting_events,
    label_dispersion,
    top_rows,
    variation_ratio,
)

FOLDER = Path(__file__).parents[1] / "golden"
GOLDEN = sorted((FOLDER / "datamap").glob("*.npz"))
FORGETTING = sorted((FOLDER / "forgetting").glob("*.npz"))
ONE_RUN = [path for path in FORGETTING if not path.stem.startswith("multirun")]
DISPERSION = sorted((FOLDER / "label_dispersion").glob("*.npz"))
SVP = sorted((FOLDER / "svp").glob("*.npz"))


def of(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


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


def test_there_are_golden_cases():
    counts = [len(paths) for paths in (GOLDEN, FORGETTING, ONE_RUN, DISPERSION, SVP)]
    assert counts == [12, 17, 16, 3, 2]


# Forgetting events.


@of(FORGETTING)
def test_forgetting_events_are_the_golden_ones(path):
    case = np.load(path)
    events = forgetting_events(case["correct"])
    assert events.dtype == np.float64
    assert np.array_equal(events, case["toneva_score"])
    assert np.array_equal(np.sort(events), case["toneva_sorted_scores"])


@of(ONE_RUN)
@pytest.mark.parametrize(
    ("never_learned", "key"),
    [
        (0, "forget_count"),
        (0, "svp_nevents"),
        (np.inf, "svp_nevents_inf"),
        (1000, "allenai_forgetfulness"),
    ],
)
def test_rows_never_learned_count_as_each_code_says(path, never_learned, key):
    case = np.load(path)
    events = forgetting_events(case["correct"], never_learned=never_learned)
    assert np.array_equal(events, case[key])


@of([path for path in ONE_RUN if path.stem in ("s1_n500_E3", "s2_n3000_E10")])
def test_learning_is_no_event(path):
    """A survey counts it "or vice versa"; the golden counts would not be met then."""
    case = np.load(path)
    either = np.count_nonzero(np.diff(case["correct"], axis=0), axis=0)
    assert np.count_nonzero(either != case["forget_count"]) > 100


def test_runs_are_added_up():
    correct = np.random.RandomState(0).rand(3, 6, 40) < 0.4
    correct[0, :, :5] = False
    each = [forgetting_events(run) for run in correct]
    assert np.array_equal(forgetting_events(correct), np.sum(each, axis=0))
    once = forgetting_events(correct[0])
    assert np.array_equal(forgetting_events(correct[:1]), once)
    assert set(once[:5]) == {6.0}


def test_events_are_between_consecutive_presentations():
    correct = np.array([[1, 1, 0, 0], [1, 0, 0, 1], [0, 0, 1, 1], [1, 1, 1, 0]]).T
    # 1->0 after the second; after the first; never; after the last but one.
    assert forgetting_events(correct).tolist() == [1, 1, 0, 1]
    assert forgetting_events([[1, 0]]).tolist() == [0, 1]
    assert forgetting_events(np.zeros((5, 0))).shape == (0,)


@of(SVP)
def test_the_events_that_selection_via_proxy_selects(path):
    """Its order among equal counts is that of an unstable sort: counts are compared."""
    case = np.load(path)
    is_open = np.setdiff1d(case["pool"], case["current"])
    nevents = case["nevents"][is_open]
    # A run that gives each row its count: right, wrong, right, wrong, ...
    n_epochs = 2 * int(nevents[np.isfinite(nevents)].max()) + 1
    correct = np.arange(n_epochs)[:, None] % 2 == 0
    correct = correct | (np.arange(n_epochs)[:, None] > 2 * nevents)
    correct &= np.isfinite(nevents)
    events = forgetting_events(correct, never_learned=np.inf)
    assert np.array_equal(events, nevents)
    rows = is_open[top_rows(events, len(case["sel_forgetting_events"]))]
    expected = case["nevents"][case["sel_forgetting_events"]]
    assert case["nevents"][rows].tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("correct", "params", "match"),
    [
        (np.ones(3), {}, "must have shape"),
        (np.ones((0, 3)), {}, "at least one epoch"),
        (np.ones((0, 2, 3)), {}, "at least one epoch and run"),
        ([[0.5]], {}, "0 and 1"),
        ([[np.nan]], {}, "0 and 1"),
        ([[2]], {}, "0 and 1"),
        ([[1]], {"never_learned": -1}, "never_learned must be at least 0"),
        ([[1]], {"never_learned": np.nan}, "never_learned must be at least 0"),
    ],
)
def test_what_is_no_correctness_is_refused(correct, params, match):
    with pytest.raises(ValueError, match=match):
        forgetting_events(correct, **params)


# Label dispersion.


@of(DISPERSION)
def test_label_dispersion_is_the_golden_one(path):
    case = np.load(path)
    dispersion = label_dispersion(case["pred"], int(case["n_classes"]))
    np.testing.assert_allclose(dispersion, case["dispersion"], atol=1e-12)
    assert dispersion.dtype == np.float64
    by_counts = 1 - case["counts"].max(axis=1) / len(case["pred"])
    np.testing.assert_allclose(dispersion, by_counts, atol=1e-12)


@of(DISPERSION)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_blocks_do_not_matter(path, size, monkeypatch):
    case = np.load(path)
    n_classes = int(case["n_classes"])
    whole = label_dispersion(case["pred"], n_classes)
    at_once = size * max(n_classes, len(case["pred"]))
    monkeypatch.setattr("skal.functional._dynamics._AT_ONCE", at_once)
    assert np.array_equal(label_dispersion(case["pred"], n_classes), whole)


def test_dispersion_is_the_votes_of_epochs():
    predictions = np.random.RandomState(0).randint(4, size=(9, 50))
    votes = np.eye(4)[predictions]
    expected = variation_ratio(votes, kind="votes")
    np.testing.assert_allclose(label_dispersion(predictions, 4), expected, atol=1e-12)


def test_dispersion_by_hand_and_its_range():
    predictions = np.array([[0, 1, 2, 2], [0, 1, 0, 1], [0, 2, 1, 0]], dtype=np.uint8)
    expected = [0, 1 / 3, 2 / 3, 2 / 3]
    np.testing.assert_allclose(label_dispersion(predictions, 3), expected)
    assert label_dispersion(predictions[:1], 3).tolist() == [0, 0, 0, 0]
    assert label_dispersion(np.zeros((2, 0), dtype=int), 3).shape == (0,)


@pytest.mark.parametrize(
    ("predictions", "match"),
    [
        ([0, 1], "must have shape"),
        (np.zeros((0, 3), dtype=int), "at least one time"),
        ([[0.0, 1.0]], "integer codes"),
        ([[-1, 1]], "from -1 to 1; leave out rows"),
        ([[0, 2]], "integer codes from 0 to n_classes - 1. Got n_classes=2"),
    ],
)
def test_what_is_no_prediction_is_refused(predictions, match):
    with pytest.raises(ValueError, match=match):
        label_dispersion(predictions, 2)
