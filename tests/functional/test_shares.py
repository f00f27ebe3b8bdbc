# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""How many rows of a batch each part gets."""

import numpy as np
import pytest

from skal.functional import allocate_evenly, allocate_shares


@pytest.mark.parametrize("seed", range(20))
def test_even_shares(seed):
    rng = np.random.default_rng(seed)
    available = rng.integers(0, 12, size=rng.integers(1, 8))
    for n_queries in range(available.sum() + 3):
        counts = allocate_evenly(available, n_queries)
        assert counts.dtype == np.int64
        assert counts.sum() == min(n_queries, available.sum())
        assert (counts <= available).all()
        unmet = counts < available
        if unmet.any():
            assert counts.max() - counts[unmet].min() <= 1


def test_what_does_not_divide_goes_to_the_rarest():
    assert allocate_evenly([9, 5, 7], 8).tolist() == [2, 3, 3]
    assert allocate_evenly([5, 5, 5], 7).tolist() == [3, 2, 2]
    assert allocate_evenly([], 0).tolist() == []


@pytest.mark.parametrize("seed", range(20))
def test_proportions(seed):
    rng = np.random.default_rng(seed)
    shares = rng.uniform(size=rng.integers(1, 8)) * rng.integers(0, 2, 1)
    shares[0] += 0.1
    for n_queries in (0, 1, 7, 100):
        counts = allocate_shares(shares, n_queries)
        assert counts.sum() == n_queries
        assert (np.abs(counts - n_queries * shares / shares.sum()) < 1).all()


def test_shares_by_hand():
    assert allocate_shares([0.5, 0.25, 0.25], 10).tolist() == [5, 3, 2]
    assert allocate_shares([0.1, 0.2, 0.7], 10).tolist() == [1, 2, 7]
    assert allocate_shares([0, 3], 5).tolist() == [0, 5]
    assert allocate_shares([1, 1, 1], 2).tolist() == [1, 1, 0]
