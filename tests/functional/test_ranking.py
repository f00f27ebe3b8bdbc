# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""top_rows: largest first, ties by lower row."""

import numpy as np
import pytest

from skal.functional import top_rows


@pytest.mark.parametrize("n_values", [2, 5, 1000])
@pytest.mark.parametrize("n_queries", [1, 7, 50])
def test_equals_a_full_stable_sort(n_values, n_queries):
    scores = np.random.RandomState(n_values).randint(n_values, size=50) / n_values
    expected = np.argsort(-scores, kind="stable")[:n_queries]
    assert top_rows(scores, n_queries).tolist() == expected.tolist()


def test_more_than_there_are_gives_all():
    assert top_rows([1.0, 3.0, 2.0], 10).tolist() == [1, 2, 0]


def test_nothing_asked_or_nothing_there():
    assert top_rows([1.0], 0).tolist() == []
    assert top_rows([], 3).dtype == np.int64


def test_infinite_scores_are_scores():
    assert top_rows([-np.inf, 0.0, np.inf], 2).tolist() == [2, 1]


def test_nan_is_refused_and_named():
    with pytest.raises(ValueError, match="Row 1 is NaN"):
        top_rows([0.0, np.nan], 1)


def test_a_matrix_is_refused():
    with pytest.raises(ValueError, match="shape"):
        top_rows([[0.0], [1.0]], 1)
