# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""REAL's measures of a batch: errors, and where they lie."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline

from skal.datasets import load_docstrings
from skal.metrics import (
    boundary_divergence,
    error_lift,
    first_step_loss,
    sampling_error_rate,
)
from skal.strategies import Entropy, RandomSampling

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "real_metrics").glob("*.npz"))
golden = pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)


def test_golden_folder_is_there():
    assert len(GOLDEN) == 9


@golden
def test_errors_are_the_golden_ones(path):
    case = np.load(path)
    pool = case["y"], case["pred"]
    every = np.arange(len(case["y"]))
    assert sampling_error_rate(*pool, every) == pytest.approx(case["err_rate_U"])
    rate = sampling_error_rate(*pool, case["sampled"])
    assert rate == pytest.approx(case["err_rate_Q"])
    lift = error_lift(*pool, case["sampled"])
    np.testing.assert_allclose(lift, case["lift"], rtol=1e-12)


@golden
@pytest.mark.parametrize("universe", ["occupied", "all"])
@pytest.mark.parametrize(("base", "unit"), [(None, "nat"), (2, "bits")])
def test_divergences_are_the_golden_ones(path, universe, base, unit):
    case = np.load(path)
    divergence = boundary_divergence(
        case["Z"],
        case["y"],
        case["pred"],
        case["sampled"],
        n_bins=int(case["grid"]),
        top=float(case["top"]),
        universe=universe,
        base=base,
    )
    expected = case[f"jsd_{unit}_{universe}"]
    np.testing.assert_allclose(divergence, expected, rtol=1e-9, atol=1e-12)


def pool(seed, n=400, n_rows=60):
    random = np.random.RandomState(seed)
    points = random.normal(size=(n, 2))
    y = (points[:, 0] + random.normal(scale=0.5, size=n) > 0).astype(int)
    pred = (points[:, 0] > 0).astype(int)
    return points, y, pred, random.choice(n, n_rows, replace=False)


@pytest.mark.parametrize("seed", range(5))
def test_a_divergence_is_between_0_and_log_2(seed):
    points, y, pred, rows = pool(seed)
    divergence = boundary_divergence(points, y, pred, rows, n_bins=8, top=0.5)
    assert 0 < divergence < np.log(2)
    same = boundary_divergence(points, y, pred, rows, n_bins=8, top=0.5, base=2)
    assert same == pytest.approx(divergence / np.log(2))
    # Which of the two is the batch does not matter to it.
    errors = np.flatnonzero(y != pred)
    swapped = y.copy()
    swapped[rows] = 1 - y[rows]
    other = boundary_divergence(points, y, swapped, errors, n_bins=8, top=0.5)
    assert other == pytest.approx(divergence)


def test_a_batch_of_all_errors_has_no_divergence():
    points, y, pred, _ = pool(0)
    assert boundary_divergence(points, y, pred, np.flatnonzero(y != pred)) == 0


def test_a_divergence_does_not_depend_on_scale_order_or_names():
    points, y, pred, rows = pool(1)
    expected = boundary_divergence(points, y, pred, rows, n_bins=8)
    moved = boundary_divergence(4 * points + 8, y, pred, rows, n_bins=8)
    assert moved == pytest.approx(expected)
    order = np.random.RandomState(0).permutation(len(y))
    where = np.argsort(order)[rows]
    names = np.array(["no", "yes"])
    shuffled = boundary_divergence(
        points[order], names[y[order]], names[pred[order]], where, n_bins=8
    )
    assert shuffled == pytest.approx(expected)


def test_the_whole_grid_is_compared_by_scipy():
    """Of one cell per row, all of them the boundary, nothing but the JSD is left."""
    _, y, pred, rows = pool(2, n=50, n_rows=20)
    points = np.c_[np.arange(50), np.zeros(50)]
    divergence = boundary_divergence(points, y, pred, rows, n_bins=50, top=1.0)
    batch = np.isin(np.arange(50), rows)
    assert divergence == pytest.approx(jensenshannon(y != pred, batch) ** 2)


def test_a_divergence_by_hand():
    # Cells 0 (mixed) and 3 (pure); errors only in the first, the batch in both.
    points = [[0, 0], [0, 0], [9, 9], [9, 9]]
    y, pred = [0, 1, 1, 1], [0, 0, 1, 0]
    args = points, y, pred, [1, 2]
    assert boundary_divergence(*args, n_bins=2, top=0.5) == 0.0
    # Both cells: half of the errors in each, half of the batch in each.
    assert boundary_divergence(*args, n_bins=2, top=1.0) == 0.0
    args = points, y, pred, [0, 1]
    by_hand = 0.5 * np.log(4 / 3) + 0.25 * np.log(2 / 3) + 0.25 * np.log(2)
    assert boundary_divergence(*args, n_bins=2, top=1.0) == pytest.approx(by_hand)


def test_equally_mixed_cells_tie_whatever_the_order_of_their_classes():
    # Counts (1, 2, 3) and (3, 2, 1): the first cell is the boundary.
    points = [[0, 0]] * 6 + [[1, 1]] * 6
    y = [0, 1, 1, 2, 2, 2, 0, 0, 0, 1, 1, 2]
    pred = [1, *y[1:]]
    assert boundary_divergence(points, y, pred, [0], n_bins=2, top=0.5) == 0
    assert np.isnan(boundary_divergence(points, y, pred, [7], n_bins=2, top=0.5))


def test_rows_on_one_line_or_point_are_no_trouble():
    y, pred = [0, 1, 0, 1], [0, 0, 0, 1]
    line = [[0, 5], [1, 5], [2, 5], [3, 5]]
    assert boundary_divergence(line, y, pred, [1], top=1.0) == 0.0
    point = [[3.0, 3.0]] * 4
    assert boundary_divergence(point, y, pred, [0]) == 0.0


def test_lift_by_hand_and_of_random_batches():
    y, pred = [0, 0, 1, 1], [0, 1, 1, 1]
    assert error_lift(y, pred, [1]) == 4.0
    assert error_lift(y, pred, [0, 2, 3]) == 0.0
    assert error_lift(y, pred, range(4)) == 1.0
    assert np.isnan(error_lift(y, y, [0]))
    _, y, pred, _ = pool(3)
    draws = np.random.RandomState(0).randint(0, 400, 2000)
    assert np.mean([error_lift(y, pred, [i]) for i in draws]) == pytest.approx(1, 0.1)


def test_uncertain_rows_of_real_texts_are_richer_in_errors():
    X, y = load_docstrings(["joblib", "skorch"], return_X_y=True, random_state=0)
    classifier = make_pipeline(TfidfVectorizer(), LogisticRegression())
    pool, y_pool = X[40:], y[40:]
    classifier.fit(X[:40], y[:40])
    picked, drawn = (
        strategy.fit(X[:40], y[:40], estimator=classifier).query(pool, 30)
        for strategy in (Entropy(), RandomSampling(random_state=0))
    )
    pred = classifier.predict(pool)
    assert error_lift(y_pool, pred, picked) > 1.2
    assert error_lift(y_pool, pred, drawn) < error_lift(y_pool, pred, picked)
    proba = classifier.predict_proba(pool)
    assert first_step_loss(y_pool, proba, picked) > first_step_loss(
        y_pool, proba, drawn
    )


def test_first_step_loss_is_the_cross_entropy():
    random = np.random.RandomState(0)
    proba = random.dirichlet(np.ones(3), size=40)
    y = np.array(["a", "b", "c"])[random.randint(0, 3, 40)]
    rows = random.choice(40, 10, replace=False)
    expected = log_loss(y[rows], proba[rows], labels=["a", "b", "c"])
    assert first_step_loss(y, proba, rows) == pytest.approx(expected)
    order = [2, 0, 1]
    turned = first_step_loss(y, proba[:, order], rows, classes=["c", "a", "b"])
    assert turned == pytest.approx(expected)


def test_first_step_loss_of_sure_predictions():
    proba = [[1.0, 0.0], [0.0, 1.0]]
    assert first_step_loss([0, 1], proba, [0, 1]) == 0.0
    assert first_step_loss([0, 0], proba, [1], classes=[0, 1]) == np.inf


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "at least one"),
        ([0, 4], "from 0 to 3. Got 4"),
        ([-1], "Got -1"),
        ([1, 1], "not repeat a position. Got 1"),
        ([0.5], "flatnonzero"),
        ([True, False, True, False], "flatnonzero"),
        ([[0]], "one-dimensional"),
    ],
)
def test_rows_must_be_a_batch(rows, message):
    y, pred, points = [0, 1, 0, 1], [0, 1, 1, 1], np.eye(4)[:, :2]
    for call in (
        lambda: sampling_error_rate(y, pred, rows),
        lambda: error_lift(y, pred, rows),
        lambda: first_step_loss(y, np.full((4, 2), 0.5), rows),
        lambda: boundary_divergence(points, y, pred, rows),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_bad_input():
    y, points, rows = [0, 1, 0], np.eye(3)[:, :2], [0]
    with pytest.raises(ValueError, match="y_pred must hold one entry per row. Got 2"):
        error_lift(y, [0, 1], rows)
    with pytest.raises(ValueError, match="y_pred must hold one entry per row"):
        boundary_divergence(points, y, [0, 1], rows)
    with pytest.raises(ValueError, match="such as 0 and predictions such as '0'"):
        error_lift(y, ["0", "1", "0"], rows)
    with pytest.raises(ValueError, match="such as 0 and predictions such as '0'"):
        boundary_divergence(points, y, ["0", "1", "0"], rows)
    with pytest.raises(ValueError, match="project embeddings onto the plane"):
        boundary_divergence(np.eye(3), y, y, rows)
    with pytest.raises(ValueError, match="Row 1 contains NaN"):
        boundary_divergence([[0, 0], [np.nan, 0], [1, 1]], y, y, rows)
    with pytest.raises(ValueError, match="'universe' parameter"):
        boundary_divergence(points, y, y, rows, universe="some")
    with pytest.raises(ValueError, match="'top' parameter"):
        boundary_divergence(points, y, y, rows, top=15)
    with pytest.raises(ValueError, match="'base' parameter"):
        boundary_divergence(points, y, y, rows, base=1)
    with pytest.raises(ValueError, match="2 columns and 3 classes"):
        first_step_loss([0, 1, 2], np.full((3, 2), 0.5), rows)
    with pytest.raises(ValueError, match="hold every label of the batch"):
        first_step_loss([0, 1, 2], np.full((3, 2), 0.5), [2], classes=[0, 1])
    with pytest.raises(ValueError, match="were logits passed"):
        first_step_loss(y, [[3.0, -1.0]] * 3, rows)
