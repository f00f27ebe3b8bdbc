# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Friedman's and Nemenyi's tests, held to the paper's example and tables."""

import numpy as np
import pytest
from scipy import stats

from skal.metrics import friedman_nemenyi_test

# Demšar 2006, Table 6: C4.5 without and with tuned m and cf, 1000 times the area under
# the ROC curve. Two scores on "voting" are printed alike and ranked 2 and 3.
TABLE_6 = {
    "C4.5": "763 599 954 628 882 936 661 583 775 1000 940 619 972 957",
    "C4.5+m": "768 591 971 661 888 931 668 583 838 1000 962 666 981 978",
    "C4.5+cf": "771 590 968 654 886 916 609 563 866 1000 965 614 975.1 946",
    "C4.5+m+cf": "798 569 967 657 898 931 685 625 875 1000 962 669 975 970",
}
TABLE_6 = {name: np.array(row.split(), dtype=float) for name, row in TABLE_6.items()}


def test_the_example_of_the_paper():
    result = friedman_nemenyi_test(TABLE_6)
    assert result.names == list(TABLE_6)
    assert result.mean_ranks.round(3).tolist() == [3.143, 2.0, 2.893, 1.964]
    assert result.critical_difference == pytest.approx(1.25, abs=0.005)
    at_10 = friedman_nemenyi_test(TABLE_6, confidence_level=0.9)
    assert at_10.critical_difference == pytest.approx(1.12, abs=0.005)
    # The paper leaves ties out of account: chi2 = 9.28, F = 3.69.
    chi2 = 12 * 14 / 20 * (np.square(result.mean_ranks).sum() - 4 * 25 / 4)
    assert chi2 == pytest.approx(9.28, abs=0.01)
    assert result.statistic > 3.69
    assert result.pvalue < stats.f.sf(3.69, 3, 39) == pytest.approx(0.0197, abs=1e-4)


@pytest.mark.parametrize(
    ("level", "table"),
    [  # Demšar 2006, Table 5 (a)
        (0.95, [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]),
        (0.90, [1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920]),
    ],
)
def test_critical_values(level, table):
    rng = np.random.RandomState(0)
    n_datasets = 6
    for n_methods, value in enumerate(table, start=2):
        scores = {str(i): rng.normal(size=n_datasets) for i in range(n_methods)}
        result = friedman_nemenyi_test(scores, confidence_level=level)
        factor = np.sqrt(n_methods * (n_methods + 1) / (6 * n_datasets))
        found = result.critical_difference / factor
        assert found == pytest.approx(value, abs=0.0015)


def test_agrees_with_scipy():
    rng = np.random.RandomState(0)
    values = rng.randint(6, size=(8, 4))  # with ties
    scores = {str(i): column for i, column in enumerate(values.T)}
    result = friedman_nemenyi_test(scores)
    chi2 = stats.friedmanchisquare(*values.T).statistic
    assert result.statistic == pytest.approx(7 * chi2 / (8 * 3 - chi2))
    assert result.pvalue == pytest.approx(stats.f.sf(result.statistic, 3, 21))


def test_ranks():
    scores = {"a": [0.9, 0.5], "b": [0.8, 0.5], "c": [0.7, 0.6]}
    result = friedman_nemenyi_test(scores)
    assert result.ranks.tolist() == [[1, 2, 3], [2.5, 2.5, 1]]
    assert result.mean_ranks.tolist() == [1.75, 2.25, 2]


def test_all_alike_and_all_in_one_order():
    same = friedman_nemenyi_test({"a": [1, 2], "b": [1, 2]})
    assert (same.statistic, same.pvalue) == (0.0, 1.0)
    order = friedman_nemenyi_test({"a": [3, 6], "b": [2, 5], "c": [1, 4]})
    assert (order.statistic, order.pvalue) == (np.inf, 0.0)


@pytest.mark.parametrize(
    ("scores", "match"),
    [
        ({"a": [1, 2]}, "at least two methods"),
        ({"a": [1, 2], "b": [1, 2, 3]}, r"numbers of data sets {'a': 2, 'b': 3}"),
        ({"a": [1], "b": [2]}, r"one score per data set.*take more data sets"),
        ({"a": [1, np.nan], "b": [1, 2]}, "leave the data set out"),
    ],
)
def test_what_is_refused(scores, match):
    with pytest.raises(ValueError, match=match):
        friedman_nemenyi_test(scores)


def test_kinds_that_are_refused():
    with pytest.raises(TypeError, match="must be a dict"):
        friedman_nemenyi_test([[1, 2], [1, 2]])
    with pytest.raises(ValueError, match="'confidence_level' parameter"):
        friedman_nemenyi_test(TABLE_6, confidence_level=95)
