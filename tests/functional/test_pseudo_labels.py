# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Who is sure enough: golden selections and thresholds, ties, empty regions."""

from pathlib import Path

import numpy as np
import pytest

from skal.functional import (
    confident_region_rows,
    confident_rows,
    decayed_threshold,
    entropy,
    top_rows,
)

CASES = sorted((Path(__file__).parents[1] / "golden" / "ceal").glob("*.npz"))


def test_there_are_golden_cases():
    assert len(CASES) == 2


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_confident_rows_are_the_golden_ones(path):
    case = np.load(path)
    proba = case["probs"]
    rows = confident_rows(proba, float(case["delta"]))
    labels = dict(zip(case["hc_ids"].tolist(), case["hc_labels"].tolist(), strict=True))
    assert dict(zip(rows.tolist(), proba[rows].argmax(1).tolist(), strict=True)) == (
        labels
    )
    assert (np.diff(entropy(proba)[rows]) >= 0).all()
    uncertain = top_rows(entropy(proba), int(case["k"]))
    assert uncertain.tolist() == case["en_ids"].tolist()
    assert sorted(set(rows) - set(uncertain)) == sorted(case["hc_minus_uncertain_en"])


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_thresholds_decay_as_the_golden_ones(path):
    """The authors' recursion begins with a step of t = 0, which changes nothing."""
    case = np.load(path)
    linear, literal = case["delta_linear"], case["delta_recursive_dr0p0033"]
    assert literal[0] == literal[1] == 0.05
    found = [decayed_threshold(0.05, t) for t in range(len(linear))]
    np.testing.assert_allclose(found, linear, rtol=1e-6, atol=1e-12)
    found = [decayed_threshold(0.05, t, decay="literal") for t in range(len(literal))]
    np.testing.assert_allclose(found[:-1], literal[1:], rtol=1e-6, atol=1e-12)
    assert found[5] > 0 > found[6]


def test_below_means_below():
    proba = [[0.5, 0.5], [1.0, 0.0], [0.9, 0.1], [0.9, 0.1]]
    at = entropy(proba)[2]
    assert confident_rows(proba, at).tolist() == [1]
    assert confident_rows(proba, np.nextafter(at, 1)).tolist() == [1, 2, 3]
    assert confident_rows(proba, 0).tolist() == []
    assert confident_rows(proba, -1).tolist() == []
    assert confident_rows(np.empty((0, 2)), 1).tolist() == []
    assert confident_rows(proba, 1).dtype == np.int64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_rounds": -1}, "n_rounds must be an int of at least 0"),
        ({"n_rounds": 1.5}, "n_rounds must be an int of at least 0"),
        ({"n_rounds": 1, "decay": "fast"}, "decay must be 'linear' or 'literal'"),
    ],
    ids=str,
)
def test_bad_arguments_of_a_decay(arguments, message):
    with pytest.raises(ValueError, match=message):
        decayed_threshold(0.05, **arguments)


PROBA = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.99, 0.01], [0.05, 0.95]])
CLUSTERS = [0, 1, 1, 2, 3]


def test_regions_by_hand():
    """Of two rows predicted as surely the one of the lower number comes first."""
    scores = [0.2, 0.3, 0.9, 0.4]
    rows = confident_region_rows(PROBA, CLUSTERS, scores, n_regions=2)
    assert rows.tolist() == [0, 1]
    rows = confident_region_rows(PROBA, CLUSTERS, scores, n_regions=3)
    assert rows.tolist() == [4, 0, 1]
    rows = confident_region_rows(PROBA, CLUSTERS, scores, n_regions=99, threshold=0.5)
    assert rows.tolist() == [3, 4, 0, 1, 2]
    rows = confident_region_rows(PROBA, CLUSTERS, scores, n_regions=9, threshold=0.9)
    assert rows.tolist() == [3, 4]


def test_empty_regions_are_not_counted():
    scores = [-np.inf, 0.3, 0.9, -np.inf, 0.4]
    rows = confident_region_rows(PROBA, [1, 1, 2, 2, 4], scores, n_regions=2)
    assert rows.tolist() == [4, 0, 1]


def test_clusters_out_of_range_are_refused():
    with pytest.raises(ValueError, match="clusters must hold"):
        confident_region_rows(PROBA, CLUSTERS, [0.1, 0.2])
