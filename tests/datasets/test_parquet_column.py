# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A column of Parquet files as one sequence that reads no more than it has to."""

import pickle
import sys
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skal import ActiveLearner
from skal.datasets import ParquetColumn
from skal.exceptions import PoolChangedError
from skal.filters import AnchorAL
from skal.strategies import Entropy
from skal.utils import _slices

SIZES, GROUP = (25, 0, 7, 40), 6
TEXTS = [f"text {row}" for row in range(sum(SIZES))]


def write(path, values, column="text", group=GROUP, kind=None, **options):
    rows = {"other": np.arange(len(values)), column: pa.array(values, kind)}
    parquet.write_table(pa.table(rows), path, row_group_size=group, **options)


@pytest.fixture
def folder(tmp_path):
    """72 texts in four files, one of them empty, and files to be left alone."""
    start = 0
    for number, size in enumerate(SIZES):
        kind = [pa.string(), pa.large_string()][number % 2]
        values = TEXTS[start : start + size]
        write(tmp_path / f"part-{number}.parquet", values, kind=kind)
        start += size
    for name in ("_metadata.parquet", ".hidden.parquet", "notes.txt"):
        (tmp_path / name).write_text("no Parquet file")
    (tmp_path / "inside.parquet").mkdir()
    return tmp_path


@pytest.fixture
def X(folder, monkeypatch):
    monkeypatch.setattr(_slices, "ROWS_AT_ONCE", 10)
    return ParquetColumn(folder)


@pytest.fixture
def reads(monkeypatch):
    """The row groups that are read, as (file, number), and the sizes of the pieces."""
    groups, sizes, real = [], [], parquet.ParquetFile.iter_batches

    def spy(self, *args, row_groups, **options):
        groups.extend((self.reader_path, group) for group in row_groups)
        for batch in real(self, *args, row_groups=row_groups, **options):
            sizes.append(len(batch))
            yield batch

    def init(self, source, *args, **options):
        self.reader_path = source
        real_init(self, source, *args, **options)

    real_init = parquet.ParquetFile.__init__
    monkeypatch.setattr(parquet.ParquetFile, "__init__", init)
    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", spy)
    return groups, sizes


def test_it_is_a_sequence(X):
    assert len(X) == 72
    assert list(X) == TEXTS
    assert [X[row] for row in range(72)] == TEXTS
    assert X[-1] == X[np.int32(71)] == "text 71"
    assert X[20:30] == TEXTS[20:30]
    assert X[::-7] == TEXTS[::-7]
    assert X[5:5] == X[[]] == []
    assert X[[70, 3, 3, -72, 24, 25]] == [TEXTS[row] for row in (70, 3, 3, 0, 24, 25)]
    mask = np.arange(72) % 3 == 1
    assert X[mask] == TEXTS[1::3]
    assert "text 50" in X
    assert X.index("text 50") == 50
    assert repr(X) == "<ParquetColumn 'text': 72 rows in 4 files>"


@pytest.mark.parametrize("rows", [72, -73, [0, 72], [[1]], [1.5], np.ones(71, bool)])
def test_positions_that_are_none(X, rows):
    with pytest.raises(IndexError, match="integers from -72 to 71"):
        X[rows]
    with pytest.raises(TypeError):
        X["text"]


def test_files_and_their_order(folder):
    paths = [folder / f"part-{number}.parquet" for number in (3, 0)]
    assert list(ParquetColumn(paths)) == [*TEXTS[32:], *TEXTS[:25]]
    assert list(ParquetColumn(str(paths[1]))) == TEXTS[:25]
    assert ParquetColumn(paths).paths == paths
    assert ParquetColumn(folder, "other")[30:34] == [5, 6, 0, 1]


def test_opening_reads_no_row(folder, reads):
    X = ParquetColumn(folder)
    assert len(X) == 72
    assert X.fingerprint() == ParquetColumn(folder).fingerprint()
    assert reads == ([], [])


def test_each_row_group_is_read_once_in_pieces(X, reads):
    groups, sizes = reads
    assert [len(part) for part in X.read()] == [10] * 7 + [2]
    assert len(set(groups)) == len(groups) == 5 + 2 + 7
    assert max(sizes) <= 10
    groups.clear()
    assert X[[71, 0, 71, 26, 27, 1]][3] == "text 26"
    assert [(path.name[5], group) for path, group in groups] == [
        ("0", 0),
        ("2", 0),
        ("3", 6),
    ]


def test_a_row_group_that_is_large_is_never_in_memory(tmp_path, reads, monkeypatch):
    monkeypatch.setattr(_slices, "ROWS_AT_ONCE", 10)
    write(tmp_path / "0.parquet", TEXTS, group=1000)
    X = ParquetColumn(tmp_path)
    assert X[[40, 12]] == ["text 40", "text 12"]
    assert reads[1] == [10] * 5  # up to the last row wanted
    reads[1].clear()
    assert [X[row] for row in range(30, 40)] == TEXTS[30:40]
    assert reads[1] == [10] * 4  # the piece that was read last is kept


def test_a_pickle_holds_no_rows(X):
    small = len(pickle.dumps(X))
    assert X[5] == "text 5"
    assert len(pickle.dumps(X)) == small
    assert list(pickle.loads(pickle.dumps(X))) == TEXTS


def test_a_file_that_changes_is_noticed(X, folder):
    before = X.fingerprint()
    write(folder / "part-2.parquet", TEXTS[:9])
    assert X.fingerprint() != before
    assert X[71] == "text 71"
    with pytest.raises(PoolChangedError, match=r"part-2\.parquet was changed since"):
        X[[0, 30]]
    assert len(ParquetColumn(folder)) == 74
    (folder / "part-2.parquet").unlink()
    with pytest.raises(FileNotFoundError, match=r"part-2\.parquet"):
        list(X)


def test_a_pool_whose_files_change_is_refused(X, folder):
    learner = ActiveLearner(make_pipeline(TfidfVectorizer(), LogisticRegression()))
    learner.set_params(strategy=AnchorAL(encoder=letters(), n_neighbors=3))
    learner.fit(TEXTS[:6], [0, 1] * 3)
    rows = learner.query(X).tolist()
    write(folder / "part-2.parquet", TEXTS[:9])
    with pytest.raises(PoolChangedError, match="must not be changed"):
        learner.query(X)
    write(folder / "part-2.parquet", TEXTS[25:32])
    assert learner.query(ParquetColumn(folder)).tolist() == rows


def letters(seen=None):
    """An encoder: counts of eight signs; notes how many texts it gets at once."""

    def count(texts):
        if seen is not None:
            seen.append(len(texts))
        signs = [[text.count(sign) for sign in "01234567"] for text in texts]
        return np.array(signs, dtype=np.float32)

    return FrozenEstimator(FunctionTransformer(count))


# What is refused.


def test_a_column_that_is_missing(folder):
    write(folder / "part-4.parquet", ["a"], column="words")
    message = r"column 'text', once\. .*part-4\.parquet has 'other', 'words'; name"
    with pytest.raises(ValueError, match=message):
        ParquetColumn(folder)


def test_types_that_differ(folder):
    write(folder / "part-4.parquet", [1, 2])
    message = r"texts in .*part-0\.parquet and whole numbers in .*part-4\.parquet"
    with pytest.raises(ValueError, match=message):
        ParquetColumn(folder)


@pytest.mark.parametrize(
    ("values", "kind", "named"),
    [
        ([0.5], None, "double"),
        ([b"a"], None, "binary"),
        ([["a"]], None, "list<"),
        ([None], pa.null(), "null"),
        ([True], None, "bool"),
    ],
)
def test_types_that_are_no_texts(tmp_path, values, kind, named):
    write(tmp_path / "0.parquet", values, kind=kind)
    with pytest.raises(ValueError, match=f"is of type {named}"):
        ParquetColumn(tmp_path)


def test_texts_in_a_dictionary(tmp_path):
    parquet.write_table(
        pa.table({"text": pa.array(["a", "b", "a"]).dictionary_encode()}),
        tmp_path / "0.parquet",
    )
    assert list(ParquetColumn(tmp_path)) == ["a", "b", "a"]


@pytest.mark.parametrize("statistics", [True, False])
def test_missing_values(folder, statistics):
    values = ["a", None, "c", *"d" * 9, None]
    write(folder / "part-4.parquet", values, write_statistics=statistics)
    message = r"Row 73 is None .*and so are 1 more no str: 84; drop"
    if statistics:
        with pytest.raises(ValueError, match=message):
            ParquetColumn(folder)
    else:
        learner = ActiveLearner(make_pipeline(TfidfVectorizer(), LogisticRegression()))
        learner.fit(TEXTS[:6], [0, 1] * 3)
        with pytest.raises(ValueError, match=message):
            learner.query(ParquetColumn(folder))


def test_files_that_are_no_parquet(folder):
    path = folder / "part-3.parquet"
    whole = path.read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"part-3\.parquet cannot be read as"):
            ParquetColumn(folder)
    damaged = bytearray(whole)
    damaged[4:500] = b"\xff" * 496
    path.write_bytes(damaged)
    X = ParquetColumn(folder)
    assert X[:25] == TEXTS[:25]
    with pytest.raises(ValueError, match=r"part-3\.parquet cannot be read as"):
        list(X)


def test_nothing_to_read(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no file .*nowhere"):
        ParquetColumn(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="holds none"):
        ParquetColumn(tmp_path)
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(FileNotFoundError, match=r"end in \.parquet\. .* holds notes"):
        ParquetColumn(tmp_path)


def test_a_missing_package_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'skal\[data\]'"):
        ParquetColumn(folder)


# Memory.


@pytest.fixture
def twenty_megabytes(tmp_path, monkeypatch):
    """20,000 texts of a thousand signs in 20 files, read 250 at a time."""
    monkeypatch.setattr(_slices, "ROWS_AT_ONCE", 250)
    rng = np.random.RandomState(0)
    for number in range(20):
        numbers = rng.randint(10**9, size=1000)
        values = [f"{value:,} {'word ' * 200}" for value in numbers]
        write(tmp_path / f"{number:02}.parquet", values, group=250)
    return ParquetColumn(tmp_path)


def test_a_query_through_anchors_reads_slices_and_holds_few(twenty_megabytes, reads):
    X, seen = twenty_megabytes, []
    groups, sizes = reads
    strategy = AnchorAL(
        Entropy(), encoder=letters(seen), n_neighbors=5, max_subpool=100
    )
    classifier = make_pipeline(letters(), LogisticRegression())
    learner = ActiveLearner(classifier, strategy, n_queries=5, random_state=0)
    learner.fit(X[:10], np.arange(10) % 2)
    groups.clear()
    tracemalloc.start()
    first = learner.query(X, exclude=range(10))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6e6  # of 20 MB of texts; most of it is the search's
    assert sum(seen) == 20_000 + 10
    assert max(seen) == max(sizes) == 250
    # All to be encoded, and once more those that hold a row of the subpool.
    subpool = learner._log.subpool
    touched = {(row // 1000, row % 1000 // 250) for row in subpool}
    assert len(groups) == 80 + len(touched)
    groups.clear()
    seen.clear()
    learner.teach(X[first], [0, 1, 0, 1, 0])
    n_taught = len(groups)
    learner.query(X, exclude=[*range(10), *first])
    assert seen == [5]  # what was taught
    assert len(groups) - n_taught == len(
        {(row // 1000, row % 1000 // 250) for row in learner._log.subpool}
    )


def test_a_look_at_all_holds_few(twenty_megabytes, reads):
    X = twenty_megabytes
    classifier = make_pipeline(letters(), LogisticRegression())
    learner = ActiveLearner(classifier, Entropy(), n_queries=5, random_state=0)
    learner.fit(X[:10], np.arange(10) % 2)
    for look in (learner.query, learner.predict_proba):
        reads[0].clear()
        tracemalloc.start()
        look(X)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 4e6
        assert len(reads[0]) == len(set(reads[0])) == 80
