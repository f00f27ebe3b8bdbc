# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A saved index is the index it was; what is not whole or not its own is refused."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from skal.exceptions import IndexFilesError, PoolMismatchError
from skal.utils import NeighborIndex
from skal.utils._arrays import is_mapped
from skal.utils._index import KINDS

EVERY_KIND = KINDS[1:]


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.RandomState(0)
    centers = 3 * rng.normal(size=(30, 20))
    return (centers[rng.randint(30, size=3000)] + rng.normal(size=(3000, 20))).astype(
        np.float32
    )


@pytest.fixture(scope="module")
def indexes(vectors):
    return {kind: NeighborIndex(vectors, kind) for kind in EVERY_KIND}


def mapped(path, vectors):
    np.save(path, vectors)
    return np.load(path, mmap_mode="r")


def check_same(first, second, vectors):
    for k in (7, 900):
        pairs = zip(
            first.search(vectors[:9], k, exclude=[0, 5]),
            second.search(vectors[:9], k, exclude=[0, 5]),
            strict=True,
        )
        assert all(np.array_equal(*pair) for pair in pairs)


def names(folder):
    return sorted(path.name.partition(".")[2] for path in folder.iterdir())


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("kind", EVERY_KIND)
def test_what_was_saved_finds_the_same(indexes, vectors, tmp_path, kind, mmap):
    folder = tmp_path / "new" / "index"
    indexes[kind].save(folder)
    loaded = NeighborIndex.load(folder, mmap=mmap, n_jobs=1)
    assert (loaded.kind, loaded.n_jobs, len(loaded)) == (kind, 1, 3000)
    assert is_mapped(loaded.vectors) == mmap
    check_same(loaded, indexes[kind], vectors)
    again = NeighborIndex.load(str(folder), vectors)
    assert again.vectors is vectors
    check_same(again, indexes[kind], vectors)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("kind", EVERY_KIND)
def test_all_that_is_large_is_memory_mapped(indexes, tmp_path, kind):
    indexes[kind].save(tmp_path)
    index = NeighborIndex.load(tmp_path)
    with open("/proc/self/maps") as file:
        maps = [line.split()[-1] for line in file if str(tmp_path) in line]
    ends = {path.rpartition(".")[2] for path in maps}
    assert ends == ({"npy"} if kind == "exact" else {"npy", "faiss"})
    assert len(index) == 3000


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_mapped_vectors_stay_where_they_are(vectors, tmp_path, dtype):
    pool = mapped(tmp_path / "pool.npy", vectors.astype(dtype))
    index = NeighborIndex(pool, "ivf")
    index.save(tmp_path / "index")
    assert names(tmp_path / "index") == ["faiss", "json", "lengths.npy"]
    loaded = NeighborIndex.load(tmp_path / "index")
    assert loaded.vectors.dtype == dtype
    assert Path(loaded.vectors.filename) == tmp_path / "pool.npy"
    check_same(loaded, index, vectors)


@pytest.mark.parametrize(
    "part",
    [
        lambda pool: pool[5:],
        lambda pool: pool[::2],
        lambda pool: pool[::-1],
        lambda pool: pool[:, :10],
        np.asarray,
    ],
)
def test_what_is_not_the_whole_file_is_copied(vectors, tmp_path, part):
    pool = part(mapped(tmp_path / "pool.npy", vectors))
    NeighborIndex(pool).save(tmp_path / "index")
    (tmp_path / "pool.npy").unlink()
    loaded = NeighborIndex.load(tmp_path / "index")
    assert np.array_equal(loaded.vectors, pool)


def test_changes_that_are_in_memory_only_are_copied_too(vectors, tmp_path):
    np.save(tmp_path / "pool.npy", vectors)
    pool = np.load(tmp_path / "pool.npy", mmap_mode="c")
    pool[3] = 9  # no sampled row
    NeighborIndex(pool).save(tmp_path / "index")
    assert (NeighborIndex.load(tmp_path / "index").vectors[3] == 9).all()


def test_lengths_out_of_range_are_kept(tmp_path):
    vectors = np.random.RandomState(0).normal(size=(300, 8)) * 1e-30
    vectors[7], vectors[9] = 1e30, 0
    index = NeighborIndex(vectors)
    index.save(tmp_path)
    check_same(NeighborIndex.load(tmp_path), index, vectors)


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_an_index_is_saved_onto_itself(indexes, vectors, tmp_path, kind):
    indexes[kind].save(tmp_path)
    for _ in range(2):
        loaded = NeighborIndex.load(tmp_path)
        loaded.save(tmp_path)
        check_same(loaded, indexes[kind], vectors)
    before = names(tmp_path)
    check_same(NeighborIndex.load(tmp_path), indexes[kind], vectors)
    NeighborIndex(vectors[:500]).save(tmp_path)  # in place of it
    assert names(tmp_path) == [name for name in before if name != "faiss"]
    assert len(NeighborIndex.load(tmp_path)) == 500


def test_no_file_of_the_user_is_removed(vectors, tmp_path):
    pool = mapped(tmp_path / "pool.npy", vectors)
    NeighborIndex(pool, "ivf").save(tmp_path)
    NeighborIndex(vectors[:9]).save(tmp_path)
    assert np.array_equal(np.load(tmp_path / "pool.npy"), vectors)
    assert names(tmp_path) == ["json", "lengths.npy", "npy", "vectors.npy"]


def test_vectors_in_the_folder_of_another_index_are_copied(vectors, tmp_path):
    NeighborIndex(vectors).save(tmp_path / "first")
    NeighborIndex.load(tmp_path / "first").save(tmp_path / "second")
    shutil.rmtree(tmp_path / "first")
    loaded = NeighborIndex.load(tmp_path / "second")
    assert np.array_equal(loaded.vectors, vectors)


@pytest.mark.parametrize("beside", [True, False])
def test_a_folder_may_be_moved(indexes, vectors, tmp_path, beside):
    folder = tmp_path / "before"
    folder.mkdir()
    pool = mapped(folder / "pool.npy", vectors) if beside else vectors
    NeighborIndex(pool).save(folder)
    folder.rename(tmp_path / "after")
    check_same(NeighborIndex.load(tmp_path / "after"), indexes["exact"], vectors)


@pytest.mark.parametrize(
    "change",
    [
        lambda pool: pool[:-1],
        lambda pool: pool[:, :-1],
        lambda pool: pool[::-1],
        lambda pool: pool + 1,
        lambda pool: np.roll(pool, 1, axis=0),
    ],
)
def test_the_vectors_of_another_pool_are_refused(indexes, vectors, tmp_path, change):
    indexes["ivf"].save(tmp_path)
    with pytest.raises(PoolMismatchError, match="was built on"):
        NeighborIndex.load(tmp_path, change(vectors))


def test_another_pool_under_the_same_path_is_refused(vectors, tmp_path):
    NeighborIndex(mapped(tmp_path / "pool.npy", vectors)).save(tmp_path / "index")
    np.save(tmp_path / "new.npy", vectors * 2)
    (tmp_path / "new.npy").replace(tmp_path / "pool.npy")
    with pytest.raises(PoolMismatchError, match="64 sampled rows"):
        NeighborIndex.load(tmp_path / "index")


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
@pytest.mark.parametrize("end", ["lengths.npy", "vectors.npy", "faiss", "index.json"])
def test_a_file_cut_short_is_refused(indexes, vectors, tmp_path, end, share):
    indexes["hnsw"].save(tmp_path)
    (path,) = tmp_path.glob("*" + end)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    for mmap in (True, False):
        with pytest.raises(IndexFilesError, match=f"{path.name} is damaged"):
            NeighborIndex.load(tmp_path, mmap=mmap)
    path.write_bytes(content)
    check_same(NeighborIndex.load(tmp_path), indexes["hnsw"], vectors)


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_a_pool_cut_short_is_refused(vectors, tmp_path, share, mmap):
    path = tmp_path / "pool.npy"
    NeighborIndex(mapped(path, vectors)).save(tmp_path / "index")
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(IndexFilesError, match="pool.npy is damaged or cut short"):
        NeighborIndex.load(tmp_path / "index", mmap=mmap)


@pytest.mark.parametrize("end", ["lengths.npy", "vectors.npy", "faiss", "index.json"])
def test_a_file_that_is_missing_is_named(indexes, tmp_path, end):
    indexes["ivf_pq"].save(tmp_path)
    (path,) = tmp_path.glob("*" + end)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=path.name):
        NeighborIndex.load(tmp_path)


def test_a_pool_that_was_moved_is_passed(vectors, tmp_path):
    pool = mapped(tmp_path / "pool.npy", vectors)
    index = NeighborIndex(pool, "ivf")
    index.save(tmp_path / "index")
    (tmp_path / "pool.npy").rename(tmp_path / "moved.npy")
    with pytest.raises(FileNotFoundError, match="pool.npy.*Pass them as `vectors`"):
        NeighborIndex.load(tmp_path / "index")
    moved = np.load(tmp_path / "moved.npy", mmap_mode="r")
    check_same(NeighborIndex.load(tmp_path / "index", moved), index, vectors)


def test_an_empty_folder_is_no_index(tmp_path):
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(FileNotFoundError, match=r"has a file index\.json"):
            NeighborIndex.load(folder)


def test_another_version_is_refused(indexes, tmp_path):
    indexes["exact"].save(tmp_path)
    path = tmp_path / "index.json"
    meta = json.loads(path.read_text())
    path.write_text(json.dumps(meta | {"version": 2}))
    with pytest.raises(IndexFilesError, match="of version 1.*is of version 2"):
        NeighborIndex.load(tmp_path)


@pytest.mark.parametrize("content", ["[1]", "{}", "null", "\x00", '{"version": 1}'])
def test_a_description_that_is_none_is_refused(indexes, vectors, tmp_path, content):
    indexes["exact"].save(tmp_path)
    (tmp_path / "index.json").write_text(content)
    with pytest.raises(IndexFilesError, match=r"index\.json is damaged"):
        NeighborIndex.load(tmp_path)
    indexes["exact"].save(tmp_path)  # and can be written over
    check_same(NeighborIndex.load(tmp_path), indexes["exact"], vectors)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on files")
@pytest.mark.parametrize("kind", ["exact", "hnsw"])
def test_a_save_that_fails_leaves_the_earlier_index(indexes, vectors, tmp_path, kind):
    import resource

    NeighborIndex(vectors[:9]).save(tmp_path)
    before = sorted(tmp_path.iterdir())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = {"exact": 100_000, "hnsw": 500_000}[kind]  # the vectors take 240,000 bytes
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        with pytest.raises(OSError, match="large|written"):
            indexes[kind].save(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sorted(tmp_path.iterdir()) == before
    assert len(NeighborIndex.load(tmp_path)) == 9
