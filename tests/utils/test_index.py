# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The exact index: right neighbours, ties by lower row, whatever the blocks."""

import numpy as np
import pytest

from skal.utils._index import ExactIndex


def brute_force(vectors, queries, k, rows):
    vectors, queries = np.float64(vectors[rows]), np.float64(queries)
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(queries, axis=1)[:, None]
    similarity = np.divide(
        queries @ vectors.T, lengths, out=np.zeros_like(lengths), where=lengths > 0
    ).round(12)
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    return rows[order], np.take_along_axis(similarity, order, axis=1)


@pytest.mark.parametrize("block_size", [3, 50, 10_000])
@pytest.mark.parametrize("share", [1.0, 0.5, 0.02])
@pytest.mark.parametrize("seed", range(5))
def test_equals_brute_force(block_size, share, seed):
    rng = np.random.RandomState(seed)
    vectors = rng.normal(size=(400, 16)).astype(np.float32)
    vectors[100:150] = vectors[50:100]  # duplicates tie exactly
    vectors[7] = 0
    queries = rng.normal(size=(6, 16)).astype(np.float32)
    queries[0] = vectors[60]
    rows = np.flatnonzero(rng.uniform(size=400) < share)
    index = ExactIndex(vectors, block_size=block_size)
    neighbors, similarity = index.search(queries, 10, rows)
    expected, expected_similarity = brute_force(vectors, queries, 10, rows)
    assert np.array_equal(neighbors, expected)
    np.testing.assert_allclose(similarity, expected_similarity, atol=1e-9)


def test_rows_that_are_all_equal_come_lowest_first():
    index = ExactIndex(np.ones((100, 8)), block_size=7)
    neighbors, similarity = index.search(np.ones((2, 8)), 5)
    assert neighbors.tolist() == [[0, 1, 2, 3, 4]] * 2
    np.testing.assert_allclose(similarity, 1.0)


def test_k_is_clamped_to_the_rows_searched():
    index = ExactIndex(np.eye(4))
    assert index.search(np.eye(4)[:1], 9)[0].shape == (1, 4)
    assert index.search(np.eye(4)[:1], 9, np.array([1, 3]))[0].shape == (1, 2)


def test_float32_vectors_are_not_copied():
    vectors = np.random.RandomState(0).normal(size=(10, 3)).astype(np.float32)
    assert ExactIndex(vectors).vectors is vectors


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused_with_their_row(bad):
    vectors = np.ones((5, 2))
    vectors[3, 1] = bad
    with pytest.raises(ValueError, match="Row 3 contains NaN or infinity"):
        ExactIndex(vectors)


def test_infinities_that_would_cancel_are_refused():
    with pytest.raises(ValueError, match="Row 0"):
        ExactIndex([[np.inf, -np.inf]])


def test_numbers_beyond_single_precision_are_refused():
    with pytest.raises(ValueError, match="finite"):
        ExactIndex([[1e300, 1.0]])


def test_queries_of_another_dimension_are_refused():
    with pytest.raises(ValueError, match="one encoder"):
        ExactIndex(np.eye(3)).search(np.eye(4), 1)


def test_sparse_vectors_are_refused_and_the_remedy_is_named():
    from scipy import sparse

    with pytest.raises(TypeError, match="TruncatedSVD"):
        ExactIndex(sparse.eye(3, format="csr"))
