# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Shards are searched as if they were one index."""

import numpy as np
import pytest

from skal.utils import NeighborIndex, ShardedIndex


def awkward_vectors(n, d, rng):
    """Equal rows and rows of zeros in several shards, lengths of all sizes."""
    vectors = rng.normal(size=(n, d)).astype(np.float32)
    vectors[rng.randint(n, size=n // 2)] = vectors[rng.randint(n, size=n // 2)]
    vectors[rng.randint(n, size=5)] = 0
    lengths = 10.0 ** rng.randint(-18, 18, size=n)
    return (vectors * lengths[:, None]).astype(np.float32)


def cut(vectors, n_shards, rng):
    """Into shards of unequal length, some of them of few rows or none."""
    if n_shards == 1:
        return [vectors]
    first = rng.randint(4)
    ends = [first, *np.sort(rng.randint(first, len(vectors) + 1, size=n_shards - 2))]
    return np.split(vectors, ends)


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.99, 1])
@pytest.mark.parametrize("n_shards", [1, 2, 8])
@pytest.mark.parametrize("seed", range(4))
def test_exact_shards_find_what_one_index_finds(n_shards, share, seed):
    rng = np.random.RandomState(seed)
    vectors = awkward_vectors(600, 12, rng)
    queries = np.concatenate([vectors[:5], rng.normal(size=(5, 12)), np.zeros((1, 12))])
    single = NeighborIndex(vectors)
    index = ShardedIndex([NeighborIndex(part) for part in cut(vectors, n_shards, rng)])
    assert len(index) == 600
    exclude = rng.choice(600, round(share * 600), replace=False)
    for asked in (
        {"exclude": exclude},
        {"rows": exclude},
        {"rows": rng.randint(600, size=300), "exclude": exclude},
    ):
        for k in (0, 1, 10, 200, 1000):
            found, expected = (
                index.search(queries, k, **asked),
                single.search(queries, k, **asked),
            )
            for first, second in zip(found, expected, strict=True):
                assert first.dtype == second.dtype
                assert np.array_equal(first, second)


def test_shards_may_be_of_several_kinds():
    rng = np.random.RandomState(0)
    vectors = (3 * rng.normal(size=(40, 16)))[rng.randint(40, size=6000)]
    vectors += rng.normal(size=(6000, 16))
    parts = np.split(vectors, [3000])
    kinds = ("ivf_pq", "exact")
    index = ShardedIndex(
        [NeighborIndex(*pair) for pair in zip(parts, kinds, strict=True)]
    )
    found, _ = index.search(vectors[::300], 10)
    expected, _ = NeighborIndex(vectors).search(vectors[::300], 10)
    assert (found == expected).mean() > 0.98


def test_shards_of_no_encoder_or_of_two_are_refused():
    shards = [NeighborIndex(np.eye(3)), NeighborIndex(np.eye(4))]
    with pytest.raises(ValueError, match=r"one encoder\. Got 2.*\[3, 4\]"):
        ShardedIndex(shards)
    with pytest.raises(ValueError, match="one or more"):
        ShardedIndex([])


@pytest.mark.parametrize("wrong", [[-1], [6], [0.5]])
def test_rows_that_no_shard_has_are_refused(wrong):
    index = ShardedIndex([NeighborIndex(np.eye(3)), NeighborIndex(np.eye(3))])
    for name in ("rows", "exclude"):
        with pytest.raises(IndexError, match="integers from 0 to 5"):
            index.search(np.eye(3), 1, **{name: wrong})
    with pytest.raises(ValueError, match="one encoder"):
        index.search(np.eye(4), 1)
