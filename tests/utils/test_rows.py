# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Rows of any container: count, take, join, copy."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse

from skal.utils import _rows as rows

TEXTS = ["a", "bb", "ccc", "dddd"]
SHUFFLED = pd.Series(TEXTS, index=[3, 1, 0, 2])
COLUMNS = [
    TEXTS,
    tuple(TEXTS),
    np.array(TEXTS),
    np.array(TEXTS, dtype=object),
    SHUFFLED,
    pl.Series(TEXTS),
    pa.array(TEXTS),
    pa.chunked_array([TEXTS[:1], TEXTS[1:]]),
]
MATRIX = np.arange(8.0).reshape(4, 2)
MATRICES = [
    MATRIX,
    MATRIX.tolist(),
    sparse.csr_matrix(MATRIX),
    sparse.csr_array(MATRIX),
    pd.DataFrame(MATRIX, columns=["x", "y"], index=[9, 7, 8, 6]),
    pl.DataFrame(MATRIX, schema=["x", "y"]),
]


def name(value):
    return f"{type(value).__module__}.{type(value).__name__}"


def dense(X):
    return X.toarray() if sparse.issparse(X) else np.asarray(X)


@pytest.mark.parametrize("X", COLUMNS, ids=name)
def test_columns(X):
    assert rows.num_rows(X) == 4
    assert rows.is_column(X)
    assert not rows.looks_like_vectors(X)
    assert rows.to_list(rows.take_rows(X, [2, 0])) == ["ccc", "a"]
    assert rows.to_list(rows.take_rows(X, [])) == []
    joined = rows.concat_rows(rows.take_rows(X, [3]), rows.take_rows(X, [0, 1]))
    assert rows.to_list(joined) == ["dddd", "a", "bb"]
    assert rows.to_list(rows.copy_rows(X)) == TEXTS


@pytest.mark.parametrize("X", MATRICES, ids=name)
def test_matrices(X):
    assert rows.num_rows(X) == 4
    assert not rows.is_column(X)
    assert rows.looks_like_vectors(X) is not sparse.issparse(X)
    assert np.array_equal(dense(rows.take_rows(X, [2, 0])), MATRIX[[2, 0]])
    joined = rows.concat_rows(rows.take_rows(X, [3]), rows.take_rows(X, [0, 1]))
    assert np.array_equal(dense(joined), MATRIX[[3, 0, 1]])
    assert np.array_equal(dense(rows.copy_rows(X)), MATRIX)


def test_different_columns_join_to_a_list():
    assert rows.concat_rows(np.array(["a"], dtype=object), ["b"]) == ["a", "b"]
    assert rows.concat_rows(["a"], pl.Series(["b"])) == ["a", "b"]


@pytest.mark.parametrize("other", [MATRICES[2], MATRICES[4]], ids=name)
def test_what_cannot_be_joined_is_refused(other):
    with pytest.raises(TypeError, match="of the kind that"):
        rows.concat_rows(MATRIX, other)


def test_numbers_are_no_column():
    assert not rows.is_column([1.0, 2.0])
    assert not rows.is_column(np.array([1.0, 2.0]))
    assert not rows.looks_like_vectors(pd.DataFrame({"text": TEXTS}))
    assert not rows.looks_like_vectors(MATRIX.astype(object))
