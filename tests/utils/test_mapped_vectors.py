# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Vectors on disk: the same neighbours, and never all of them in memory."""

import os
import subprocess
import sys

import numpy as np
import pytest

from skal import ActiveLearner
from skal.base import PoolView
from skal.filters import SEALS, AnchorAL
from skal.strategies import Entropy
from skal.utils import NeighborIndex
from skal.utils._arrays import is_mapped
from skal.utils._index import KINDS

EVERY_KIND = KINDS[1:]


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.RandomState(0)
    centers = 3 * rng.normal(size=(30, 20))
    vectors = centers[rng.randint(30, size=3000)] + rng.normal(size=(3000, 20))
    vectors[1000:1100] = vectors[:100]
    vectors[7] = 0
    return vectors.astype(np.float16)


def mapped(path, vectors):
    np.save(path, vectors)
    return np.load(path, mmap_mode="r")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("kind", EVERY_KIND)
def test_mapped_vectors_equal_their_copy_in_memory(vectors, tmp_path, kind, dtype):
    pool = mapped(tmp_path / "pool.npy", vectors.astype(dtype))
    index = NeighborIndex(pool, kind)
    assert index.vectors is pool
    copy = NeighborIndex(vectors.astype(np.float32), kind)
    queries, exclude = vectors[:20], np.arange(0, 3000, 3)
    for k, asked in ((1, {}), (10, {"exclude": exclude}), (900, {"rows": exclude})):
        found = index.search(queries, k, **asked)
        for first, second in zip(found, copy.search(queries, k, **asked), strict=True):
            assert np.array_equal(first, second)
    assert index.recall(20, 10) == copy.recall(20, 10)


@pytest.mark.parametrize(
    "part",
    [
        lambda pool: pool[5:],
        lambda pool: pool[::2],
        lambda pool: pool[::-1, ::-1],
        lambda pool: pool[:, 3:10],
        np.asarray,
    ],
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_parts_of_a_mapped_array_are_not_copied(vectors, tmp_path, part, order):
    pool = part(mapped(tmp_path / "pool.npy", np.asarray(vectors, order=order)))
    index = NeighborIndex(pool)
    assert index.vectors is pool
    assert is_mapped(index.vectors)
    copy = NeighborIndex(np.array(pool, dtype=np.float32))
    for pair in zip(index.search(pool[:9], 9), copy.search(pool[:9], 9), strict=True):
        assert np.array_equal(*pair)


@pytest.mark.parametrize("scale", [1e-30, 1e30, 1e-42])
def test_lengths_out_of_range_are_brought_into_it_row_by_row(tmp_path, scale):
    vectors = np.random.RandomState(0).normal(size=(300, 8)).astype(np.float32)
    expected, _ = NeighborIndex(vectors * np.float32(scale)).search(vectors[:9], 20)
    pool = mapped(tmp_path / "pool.npy", vectors * np.float32(scale))
    index = NeighborIndex(pool)
    assert index.vectors is pool
    found, similarity = index.search(vectors[:9], 20)
    assert np.array_equal(found, expected)
    if scale > 1e-40:  # below, single precision has hardly any digits left
        assert np.array_equal(found, NeighborIndex(vectors).search(vectors[:9], 20)[0])
    assert similarity.max() <= 1 + 1e-6


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (np.full((9, 2), np.nan, dtype=np.float16), ValueError, "Row 0 contains NaN"),
        (np.full((9, 2), 1e300), ValueError, "must be finite"),
        (np.ones(9), ValueError, r"shape \(n_rows, n_features\)"),
        (np.ones((9, 2), dtype=complex), TypeError, "dense numeric vectors"),
    ],
)
def test_what_is_no_vectors_is_refused_on_disk_too(tmp_path, wrong, error, message):
    pool = mapped(tmp_path / "pool.npy", wrong)
    with pytest.raises(error, match=message):
        NeighborIndex(pool)


@pytest.mark.parametrize("index", EVERY_KIND)
@pytest.mark.parametrize("kind", [AnchorAL, SEALS])
def test_a_mapped_pool_gives_the_batch_of_one_in_memory(vectors, tmp_path, kind, index):
    from sklearn.linear_model import LogisticRegression

    y = np.arange(20) % 2
    batches = []
    for pool in (vectors.astype(np.float32), mapped(tmp_path / "pool.npy", vectors)):
        strategy = kind(Entropy(), n_neighbors=5, index=index)
        learner = ActiveLearner(LogisticRegression(), strategy, random_state=0)
        learner.fit(np.float32(pool[20:40]), y)
        rows = learner.query(pool, exclude=np.arange(20, 40))
        (entry,) = learner._memory._entries.values()
        assert entry.vectors is pool
        batches.append(rows.tolist())
    assert batches[0] == batches[1]


def test_what_a_strategy_reads_of_a_mapped_pool_is_in_single_precision(
    vectors, tmp_path
):
    pool = mapped(tmp_path / "pool.npy", vectors)
    for rows in (None, np.array([3, 5])):
        encoding = PoolView(pool, rows).encode()
        assert encoding.dtype == np.float32
        expected = vectors if rows is None else vectors[rows]
        assert np.array_equal(encoding, expected)


LIMITED = """
import resource, sys
import numpy as np
from sklearn.linear_model import LogisticRegression
import faiss
from skal import ActiveLearner
from skal.filters import SEALS, AnchorAL
from skal.strategies import Entropy
from skal.utils import NeighborIndex, ShardedIndex

folder, megabytes = sys.argv[1], int(sys.argv[2])
pool = np.load(folder + "/pool.npy", mmap_mode="r")
for kind in ("exact", "ivf_pq"):  # the libraries take their buffers
    NeighborIndex(pool[:300], kind).search(pool[:20], 1)
LogisticRegression().fit(np.float32(pool[:20]), np.arange(20) % 2)
with open("/proc/self/status") as status:
    used = next(int(line.split()[1]) for line in status if line.startswith("VmData"))
# Of private memory; what is mapped from a file, to be read only, does not count.
limit = used * 1024 + megabytes * 2**20
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try:
    np.array(pool)
except MemoryError:
    pass
else:
    raise SystemExit("The limit is none.")
"""

EXACT = """
index = NeighborIndex(pool)
neighbors, _ = index.search(pool[:20], 50, exclude=np.arange(1000))
assert neighbors.min() >= 1000
index.save(folder + "/index")
again = NeighborIndex.load(folder + "/index").search(pool[:20], 50)[0]
assert (again[:, 0] == np.arange(20)).all()
halves = [NeighborIndex(half) for half in (pool[:70000], pool[70000:])]
assert (ShardedIndex(halves).search(pool[:20], 50)[0] == again).all()
for strategy in (AnchorAL(Entropy()), SEALS(Entropy(), n_neighbors=20)):
    learner = ActiveLearner(LogisticRegression(), strategy, random_state=0)
    learner.fit(np.float32(pool[:20]), np.arange(20) % 2)
    rows = learner.query(pool, exclude=np.arange(20))
    learner.teach(np.float32(pool[rows]), np.arange(10) % 2)
    assert len(learner.query(pool, exclude=[*range(20), *rows])) == 10
"""

QUANTISED = """
index = NeighborIndex(pool, "ivf_pq")
assert index.recall(20, 20) > 0.95
index.save(folder + "/index")
again = NeighborIndex.load(folder + "/index").search(pool[:20], 50)
assert np.array_equal(again[0], index.search(pool[:20], 50)[0])
"""


def write_pool(path, n_rows):
    """n_rows x 384 in half precision; twice as large in single precision."""
    rng = np.random.RandomState(0)
    block = rng.normal(size=(5000, 384)).astype(np.float32)
    shape = n_rows, 384
    pool = np.lib.format.open_memmap(path, "w+", dtype=np.float16, shape=shape)
    for start in range(0, n_rows, 5000):
        pool[start : start + 5000] = block * rng.uniform(0.5, 1.5, size=384)
    pool.flush()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on private memory")
@pytest.mark.parametrize(
    ("program", "n_rows", "megabytes"),
    [(EXACT, 150_000, 100), (QUANTISED, 250_000, 150)],  # the files have 115 and 192
    ids=["exact", "quantised"],
)
def test_less_memory_than_the_vectors_would_take(tmp_path, program, n_rows, megabytes):
    write_pool(tmp_path / "pool.npy", n_rows)
    code, limit = LIMITED + program, str(megabytes)
    subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(tmp_path), limit],
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
