# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from skal.datasets import make_imbalanced

LABELS = np.tile(np.array(["business", "sport", "world", "tech"]), 300)
ROWS = np.arange(len(LABELS))


def test_the_papers_counts():
    # Agnews-Bus: three classes of 30,000 rows are kept, business becomes 1 %.
    y = np.repeat([0, 1, 2, 3], 30_000)
    _, y_left = make_imbalanced(y, y, minority=2, share=0.01, random_state=0)
    assert len(y_left) == 90_909
    assert y_left.sum() == 909


@pytest.mark.parametrize("share", [0.005, 0.01, 0.1, 0.25])
def test_share_of_the_result_and_majority_kept_whole(share):
    X, y = make_imbalanced(ROWS, LABELS, minority="sport", share=share, random_state=0)
    assert y.mean() == pytest.approx(share, abs=1 / len(y))
    np.testing.assert_array_equal(X[y == 0], ROWS[LABELS != "sport"])
    assert (LABELS[X[y == 1]] == "sport").all()
    assert (np.diff(X) > 0).all()  # the original order, no row twice


def test_binary_labels_are_int64():
    _, y = make_imbalanced(ROWS, LABELS, minority="tech", random_state=0)
    assert y.dtype == np.int64
    assert set(y) == {0, 1}


def test_labels_are_kept_on_request():
    X, y = make_imbalanced(ROWS, LABELS, minority="tech", binary=False, random_state=0)
    np.testing.assert_array_equal(y, LABELS[X])


def test_all_of_a_minority_that_just_reaches_the_share():
    X, _ = make_imbalanced(ROWS, LABELS, minority="tech", share=0.25)
    np.testing.assert_array_equal(X, ROWS)


def test_randomness_comes_from_random_state():
    def minority(seed):
        X, y = make_imbalanced(
            ROWS, LABELS, minority="sport", share=0.05, random_state=seed
        )
        return X[y == 1].tolist()

    state = np.random.get_state()[1].copy()
    assert minority(0) == minority(0) == minority(np.random.RandomState(0))
    assert minority(0) != minority(1)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize(
    "container", [list, np.asarray, pd.Series, lambda y: np.asarray(y, dtype=object)]
)
def test_containers_come_back(container):
    X, y = container(LABELS.tolist()), container(LABELS.tolist())
    X_left, y_left = make_imbalanced(
        X, y, minority="world", share=0.1, binary=False, random_state=0
    )
    assert type(X_left) is type(y_left) is type(X)
    assert list(X_left) == list(y_left)
    assert len(X) == len(LABELS)


def test_rows_of_any_kind():
    matrix = sp.csr_array(np.arange(len(LABELS))[:, None])
    X, y = make_imbalanced(matrix, LABELS, minority="world", random_state=0)
    assert X.shape == (len(y), 1)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"minority": "politics"}, "minority must be one of .*'politics'.*'business'"),
        ({"minority": "sport", "share": 0.26}, "would be 316 rows .* there are 300"),
        ({"minority": "sport", "share": 1e-4}, "would be 0 rows"),
        ({"minority": "sport", "share": 0.0}, "'share' parameter"),
        ({"minority": "sport", "share": 1.0}, "'share' parameter"),
        ({"minority": "sport", "share": "1 %"}, "'share' parameter"),
        ({"minority": "sport", "binary": "no"}, "'binary' parameter"),
        ({"minority": "sport", "random_state": "x"}, "'random_state' parameter"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        make_imbalanced(ROWS, LABELS, **params)


def test_bad_rows():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make_imbalanced(ROWS[1:], LABELS, minority="sport")
    with pytest.raises(ValueError, match="at least two classes"):
        make_imbalanced(["a", "b"], [1, 1], minority=1)
