# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Rare classes among the labelled rows and in the subpool."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import gmean

from skal.metrics import minority_discovery, subpool_composition

FOLDER = Path(__file__).parents[1] / "golden"
GOLDEN = sorted((FOLDER / "minority_proportion").glob("*.npz"))


def runs(case):
    """The labels of each run, by rounds."""
    ends = range(int(case["initial"]), case["labels_in_order"].shape[1], case["batch"])
    return [np.split(labels, ends) for labels in case["labels_in_order"]]


def test_golden_folder_is_there():
    assert len(GOLDEN) == 2


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_discovery_is_the_golden_one(path):
    case = np.load(path)
    found = [minority_discovery(run, 1) for run in runs(case)]
    counts, shares = map(np.array, zip(*found, strict=True))
    assert np.array_equal(counts, case["minority_count"])
    np.testing.assert_allclose(shares, case["prop_true"], rtol=1e-12)
    means = gmean(shares, axis=0)
    np.testing.assert_allclose(means, case["gmean_true"], rtol=1e-12)
    # The authors' notebook agrees in the rounds in which all runs found something.
    new = np.diff(counts, axis=1, prepend=0)
    n_found = (new > 0).all(axis=0).cumprod().sum()
    notebook = case["notebook_gmean"][:n_found]
    np.testing.assert_allclose(means[:n_found], notebook, rtol=1e-12)


def test_the_cases_show_the_notebooks_fault():
    case = np.load(FOLDER / "minority_proportion" / "s0_T10.npz")
    assert (case["notebook_gmean"] > case["gmean_true"] + 1e-9).any()


def test_discovery_by_hand():
    batches = [[0, 1], [], [2, 2, 0], [1]]
    count, share = minority_discovery(batches, [1, 2])
    assert count.tolist() == [1, 1, 3, 4]
    assert share.tolist() == [1 / 2, 1 / 2, 3 / 5, 4 / 6]
    assert (count.dtype, share.dtype) == (np.int64, np.float64)
    # The classes add up.
    by_class = [minority_discovery(batches, label)[1] for label in (0, 1, 2)]
    np.testing.assert_allclose(np.sum(by_class, axis=0), 1)
    # Rounds joined end with the same share.
    count, share = minority_discovery([[0, 1, 2, 2, 0, 1]], [1, 2])
    assert (count.tolist(), share.tolist()) == ([4], [4 / 6])


def test_nothing_is_labelled_yet():
    count, share = minority_discovery([[], ["rare"]], "rare")
    assert count.tolist() == [0, 1]
    np.testing.assert_array_equal(share, [np.nan, 1.0])


def test_bad_batches():
    with pytest.raises(ValueError, match="at least one round"):
        minority_discovery([], 1)
    with pytest.raises(ValueError, match=r"Got array\(\['1'\].*and labels such as 0"):
        minority_discovery([[0, 1]], "1")
    with pytest.raises(ValueError, match="labels such as"):
        minority_discovery([["0", "1"]], [0])
    with pytest.raises(ValueError, match="minority must name at least one label"):
        minority_discovery([[0, 1]], [])
    with pytest.raises(ValueError, match="1d array"):
        minority_discovery([0, 1, 1], 1)


def test_composition_of_a_simulation():
    from sklearn.datasets import make_blobs
    from sklearn.linear_model import LogisticRegression

    from skal import ActiveLearner, simulate
    from skal.filters import RandSub
    from skal.strategies import Entropy

    X, y = make_blobs([180, 20], random_state=0)
    strategy = RandSub(Entropy(), max_subpool=40)
    learner = ActiveLearner(LogisticRegression(), strategy)
    initial = {0: 4, 1: 1}
    data = X, y, X, y
    table = simulate(learner, data, n_rounds=3, n_queries=5, initial=initial, seeds=1)
    shares = subpool_composition(table.subpool_counts)
    assert np.isnan(shares[0]).all()
    assert shares.shape == (4, 2)
    np.testing.assert_allclose(shares[1:].sum(axis=1), 1)
    expected = [counts[1] / 40 for counts in table.subpool_counts[1:]]
    assert shares[1:, 1].tolist() == expected


def test_composition_by_hand():
    shares = subpool_composition([[1, 3], [0, 0], [5, 0]])
    np.testing.assert_array_equal(shares, [[0.25, 0.75], [np.nan] * 2, [1.0, 0.0]])


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([], "without a filter"),
        ([[], []], "without a filter"),
        ([[1, 2], [1, 2, 3]], "the same classes in all"),
        ([[[1, 2]]], "one number per class"),
        ([[1, -1]], "at least 0"),
    ],
)
def test_bad_counts(counts, message):
    with pytest.raises(ValueError, match=message):
        subpool_composition(counts)
