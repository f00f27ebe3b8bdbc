# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A pool is embedded once, whatever happens meanwhile."""

import errno
import json
import os
import re
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from skal.datasets import ParquetColumn
from skal.exceptions import (
    CacheWarning,
    StoreFilesError,
    StoreMismatchError,
    TruncationWarning,
)
from skal.text import SentenceEncoder, embed, load_vectors
from skal.text._embed import _borrowed

ROWS = 16


@pytest.fixture(scope="module")
def encoder(tiny_checkpoint):
    return SentenceEncoder(tiny_checkpoint, device="cpu").fit()


@pytest.fixture(scope="module")
def texts(toy_texts):
    return toy_texts[0]  # 80: five shards


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "a" / "store"


@pytest.fixture
def store(texts, encoder, folder):
    """Embeds the texts in shards of 16; returns the vectors and what was computed."""

    def store(X=texts, encoder=encoder, folder=folder, **params):
        counting = Counting(encoder)
        vectors = embed(X, counting, folder, **{"shard_rows": ROWS} | params)
        assert isinstance(vectors, np.memmap)
        return vectors, counting.sizes

    return store


class Counting(TransformerMixin, BaseEstimator):
    """An encoder, and how many texts each call had."""

    def __init__(self, encoder):
        self.encoder = encoder
        self.sizes = []

    def fit(self, X, y=None):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def transform(self, X):
        self.sizes.append(len(X))
        return self.encoder.transform(X)

    def fingerprint(self):
        return self.encoder.fingerprint()


def content(vectors):
    return Path(vectors.filename).read_bytes()


def test_vectors_are_those_of_the_encoder(store, texts, encoder, folder):
    vectors, sizes = store()
    np.testing.assert_allclose(vectors, encoder.transform(texts), atol=1e-6)
    assert (vectors.dtype, vectors.flags.writeable) == (np.float32, False)
    assert sizes == [ROWS] * 5
    np.testing.assert_array_equal(load_vectors(folder, verify=True), vectors)
    np.testing.assert_array_equal(np.load(vectors.filename), vectors)


def test_nothing_but_three_files_is_left(store, folder):
    store()
    names = sorted(path.name.partition("-")[0] for path in folder.iterdir())
    assert names == ["store.json", "texts", "vectors"]


def test_nothing_is_computed_twice(store):
    first = content(store()[0])
    vectors, sizes = store()
    assert sizes == []
    assert content(vectors) == first


def test_a_pool_that_has_grown_costs_its_last_shards(store, texts):
    first = np.array(store()[0])
    vectors, sizes = store([*texts, "new", "newer"])
    assert sizes == [2]
    np.testing.assert_array_equal(vectors[:80], first)
    assert store([*texts, *texts[:20], "new"])[1] == [5]  # the first shard is known
    assert store(texts[:40])[1] == [8]


def test_half_the_size_in_float16(store, texts, encoder):
    vectors, _ = store(dtype="float16")
    assert vectors.dtype == np.float16
    np.testing.assert_allclose(vectors, encoder.transform(texts), atol=1e-3)
    assert len(content(vectors)) == 128 + vectors.size * 2


@pytest.mark.parametrize(
    "backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)]
)
def test_the_same_bytes_on_any_backend(texts, encoder, folder, tmp_path, backend):
    alone = embed(texts, encoder, folder, shard_rows=ROWS)
    with joblib.parallel_config(backend=backend):
        spread = embed(texts, encoder, tmp_path / "b", shard_rows=ROWS, n_jobs=2)
    assert content(spread) == content(alone)
    assert Path(spread.filename).name == Path(alone.filename).name


def test_any_transformer_fitted_or_not(texts, folder, tmp_path):
    encoder = make_pipeline(TfidfVectorizer(), TruncatedSVD(5, random_state=0))
    vectors = embed(texts, encoder, folder, shard_rows=ROWS)
    assert not hasattr(encoder[0], "vocabulary_")
    encoder = clone(encoder).fit(texts)
    np.testing.assert_allclose(vectors, encoder.transform(texts), atol=1e-6)
    frozen = FrozenEstimator(encoder)
    assert content(embed(texts, frozen, folder, shard_rows=ROWS)) == content(vectors)
    other = clone(encoder).fit(texts[:70])
    with pytest.raises(StoreMismatchError, match="weights or settings differ"):
        embed(texts, other, folder, shard_rows=ROWS)


def test_what_is_known_of_an_encoder_does_not_depend_on_the_process(texts, folder):
    """scikit-learn's vectorizers hold the address of a parameter."""
    encoder = make_pipeline(TfidfVectorizer(), TruncatedSVD(5, random_state=0)).fit(
        texts
    )
    embed(texts, encoder, folder)
    encoder[0]._stop_words_id = 17
    assert embed(texts, encoder, folder).shape == (80, 5)


class Lazy(Sequence):
    """Texts that are read somewhere else."""

    def __init__(self, texts):
        self.texts, self.read = texts, 0

    def __len__(self):
        return len(self.texts)

    def __getitem__(self, rows):
        found = self.texts[rows]
        self.read += len(found) if isinstance(rows, slice) else 1
        return found


def test_texts_are_read_in_slices(store, texts, monkeypatch):
    monkeypatch.setattr("skal.utils._slices.ROWS_AT_ONCE", 25)
    lazy = Lazy(texts)
    vectors, _ = store(lazy)
    assert (
        2 * len(texts) <= lazy.read <= 2 * len(texts) + 9
    )  # some to see what it holds
    assert content(vectors) == content(store()[0])


def test_parquet_files_are_read_twice_and_in_order(store, texts, folder, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "pool").mkdir()
    for number, start in enumerate((0, 37)):
        table = pa.table({"text": texts[start : 37 if start == 0 else 80]})
        pq.write_table(table, tmp_path / "pool" / f"{number}.parquet", row_group_size=9)
    X = ParquetColumn(tmp_path / "pool")
    expected = content(store()[0])
    vectors, sizes = store(X, folder=tmp_path / "other")
    assert sizes == [ROWS] * 5
    assert content(vectors) == expected
    path = Path(vectors.filename)
    whole = path.read_bytes()
    path.write_bytes(whole[:2000] + b"!!!!" + whole[2004:-5])
    with pytest.warns(CacheWarning, match="2 shards"):
        vectors, sizes = store(X, folder=tmp_path / "other")
    assert len(sizes) == 2
    assert content(vectors) == expected


def test_shards_of_equal_texts_are_computed_once(store):
    X = ["a", "b"] * ROWS + ["c"] * ROWS + ["a", "b"] * (ROWS // 2)
    vectors, sizes = store(X)
    assert sizes == [ROWS, ROWS]
    np.testing.assert_array_equal(vectors[:ROWS], vectors[-ROWS:])
    assert np.ptp(vectors[2 * ROWS : 3 * ROWS], axis=0).max() == 0


def fail_after(monkeypatch, calls):
    """A disk that is full after so many files."""
    fsync, count = os.fsync, iter(range(1000))

    def fails(descriptor):
        if next(count) >= calls:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fails)


@pytest.mark.parametrize("calls", range(12))
def test_a_full_disk_loses_nothing(store, folder, monkeypatch, tmp_path, calls):
    expected = content(store(folder=tmp_path / "other")[0])
    with monkeypatch.context() as patch:
        fail_after(patch, calls)
        if calls < 11:
            message = f"{re.escape(str(folder))} cannot be written .No space left"
            with pytest.raises(OSError, match=message) as caught:
                store()
            assert caught.value.errno == errno.ENOSPC
        else:
            store()
    assert not list(folder.rglob("*.tmp"))
    vectors, sizes = store()
    # Two files, texts and store.json, and the encoder come before the first shard.
    assert len(sizes) == min(max(8 - calls, 0), 5)
    assert content(vectors) == expected


def test_an_error_of_the_encoder_names_the_rows(store, texts, encoder):
    class Fails(Counting):
        def transform(self, X):
            if texts[50] in X:
                raise RuntimeError("no")
            return super().transform(X)

    with pytest.raises(RuntimeError, match="no") as caught:
        store(encoder=Fails(encoder))
    if hasattr(caught.value, "__notes__"):
        assert caught.value.__notes__ == ["In the vectors of rows 48 to 63 of X."]
    assert store()[1] == [ROWS, ROWS]


def cut(path):
    path.write_bytes(path.read_bytes()[:-5])


def empty(path):
    path.write_bytes(b"")


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def break_header(path):
    path.write_bytes(path.read_bytes().replace(b"descr", b"d\0scr"))


@pytest.mark.parametrize(
    ("damage", "n_lost", "says"),
    [(cut, 1, 1), (empty, 5, 5), (flip, 1, 1), (break_header, 0, 0), (os.unlink, 5, 5)],
)
def test_a_damaged_array_is_mended(store, folder, damage, n_lost, says):
    vectors, _ = store()
    expected, path = content(vectors), Path(vectors.filename)
    damage(path)
    with pytest.raises(StoreFilesError, match="damaged|cut short"):
        load_vectors(folder, verify=True)
    if says:
        with pytest.warns(CacheWarning, match=f"{says} shards? of vectors .* damaged"):
            vectors, sizes = store()
    else:
        vectors, sizes = store()
    assert len(sizes) == n_lost
    assert content(vectors) == expected
    assert store()[1] == []


@pytest.mark.parametrize("damage", [cut, empty, flip, break_header, os.unlink])
def test_a_damaged_shard_is_computed_again(
    store, folder, tmp_path, monkeypatch, damage
):
    expected = content(store(folder=tmp_path / "other")[0])
    with monkeypatch.context() as patch:
        fail_after(patch, 7)
        with pytest.raises(OSError, match="No space"):
            store()
    shards = sorted(folder.glob("shards/*.npy"))
    assert len(shards) == 4
    damage(shards[1])
    if damage is os.unlink:
        vectors, sizes = store()
    else:
        with pytest.warns(CacheWarning, match="1 shard of vectors"):
            vectors, sizes = store()
    assert len(sizes) == 2
    assert content(vectors) == expected


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}'])
def test_a_damaged_description_is_rebuilt(store, folder, text):
    expected = content(store()[0])
    (folder / "store.json").write_text(text)
    with pytest.raises(StoreFilesError, match="store.json is missing, damaged"):
        load_vectors(folder)
    with pytest.warns(CacheWarning, match="store.json is damaged"):
        vectors, sizes = store()
    assert len(sizes) == 5
    assert content(vectors) == expected


def test_a_store_of_another_version(store, folder):
    store()
    path = folder / "store.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}))
    for call in (store, lambda: load_vectors(folder)):
        with pytest.raises(StoreFilesError, match="of version 99"):
            call()
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"dtype": "float16"}, "dtype is float32; in this call it is float16"),
        ({"shard_rows": 17}, "shard_rows is 16; in this call it is 17"),
        ({"X": ["a", "b"]}, "holds 80 other texts, none of these 2"),
        ({"encoder": "other"}, "max_length=5"),
    ],
)
def test_a_store_of_something_else_is_left_as_it_is(
    store, folder, encoder, params, message
):
    if "encoder" in params:
        params = {"encoder": clone(encoder).set_params(max_length=5).fit()}
    expected = content(store()[0])
    files = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(StoreMismatchError, match=message):
        store(**params)
    assert {path: path.read_bytes() for path in folder.iterdir()} == files
    vectors, sizes = store(**params, overwrite=True)
    assert sum(sizes) == len(vectors) == len(params.get("X", range(80)))
    assert len(list(folder.iterdir())) == 3
    assert content(store(overwrite=True)[0]) == expected


def test_another_store_stays_until_the_new_one_is_complete(store, folder, monkeypatch):
    expected = content(store()[0])
    with monkeypatch.context() as patch:
        fail_after(patch, 3)
        with pytest.raises(OSError, match="No space"):
            store(dtype="float16", overwrite=True)
    assert content(load_vectors(folder, verify=True)) == expected
    assert len(store(dtype="float16", overwrite=True)[1]) == 3


def test_an_unfinished_store_knows_its_texts(store, folder, monkeypatch):
    with monkeypatch.context() as patch:
        fail_after(patch, 5)
        with pytest.raises(OSError, match="No space"):
            store()
    with pytest.raises(StoreFilesError, match="not all computed yet"):
        load_vectors(folder)
    with pytest.raises(StoreMismatchError, match="80 other texts"):
        store(["something else"])
    assert len(store()[1]) == 3


def test_a_folder_of_other_things_is_refused(store, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    for folder in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(ValueError, match="holds something else"):
            store(folder=folder, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(FileNotFoundError, match="pass the folder that embed was given"):
        load_vectors(tmp_path)


def test_an_interruption_between_the_first_files(store, folder):
    folder.mkdir(parents=True)
    (folder / "shards").mkdir()
    (folder / f"texts-{'0' * 32}.npy").touch()
    (folder / "1.tmp").touch()
    assert len(store()[1]) == 5


class Gives(TransformerMixin, BaseEstimator):
    """Gives what it is told to."""

    def __init__(self, function):
        self.function = function

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return self.function(X)

    def __sklearn_is_fitted__(self):
        return True

    def fingerprint(self):
        return "gives"


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda X: np.ones((len(X) - 1, 3)), ValueError, "one vector per text"),
        (lambda X: np.ones((len(X), 0)), ValueError, "at least one number"),
        (lambda X: np.full((len(X), 3), np.nan), ValueError, "must be finite"),
        (lambda X: np.full((len(X), 3), 1e6), ValueError, "use dtype='float32'"),
        (lambda X: np.ones((len(X), 1 + ("0" in X[0]))), ValueError, "of one length"),
        (lambda X: TfidfVectorizer().fit_transform(X), TypeError, "TruncatedSVD"),
    ],
)
def test_what_is_no_vector(folder, function, error, message):
    X = [f"text {i}" for i in range(32)]
    with pytest.raises(error, match=message):
        embed(X, Gives(function), folder, dtype="float16", shard_rows=16)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ("one text", TypeError, "wrap it in a list"),
        ([], ValueError, "holds no texts"),
        (["a"] * 40 + [None], ValueError, "Row 40 is None"),
        (np.array([["a", "b"]]), ValueError, "one-dimensional"),
    ],
)
def test_what_is_no_pool(store, folder, X, error, message):
    with pytest.raises(error, match=message):
        store(X)
    assert not folder.exists()


@pytest.mark.parametrize(
    "params", [{"dtype": "float64"}, {"shard_rows": 0}, {"encoder": "bert"}]
)
def test_wrong_parameters(texts, encoder, folder, params):
    with pytest.raises(ValueError, match=f"The '{next(iter(params))}' parameter"):
        embed(texts, folder=folder, **{"encoder": encoder} | params)


@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_one_warning_of_texts_that_are_cut(tiny_checkpoint, folder, n_jobs):
    texts = [f"{row} " + "word " * 200 for row in range(40)] + ["short"]
    encoder = SentenceEncoder(tiny_checkpoint, max_length=500, device="cpu")
    with pytest.warns(TruncationWarning, match="cut in 3 shards; .* to 64 tok") as all_:
        embed(texts, encoder, folder, shard_rows=ROWS, n_jobs=n_jobs)
    assert [warning.filename for warning in all_] == [__file__]


def test_other_warnings_of_the_encoder_pass(folder):
    def function(X):
        warnings.warn("odd", RuntimeWarning, stacklevel=1)
        return np.ones((len(X), 2))

    with pytest.warns(RuntimeWarning, match="odd"):
        embed(["a", "b"], Gives(function), folder)


def test_a_worker_that_does_not_see_the_folder(folder):
    with pytest.raises(FileNotFoundError, match="all machines share"):
        _borrowed(folder / "0.pkl")


def test_a_progress_bar_counts_what_was_there(store, texts, capsys):
    store(texts[:32])
    store(verbose=1)
    lines = capsys.readouterr().err
    assert "80/80" in lines
    assert "32/80" in lines


def test_leftovers_of_killed_processes_go(store, folder):
    store()
    old, new = folder / "1.tmp", folder / "2.tmp"
    lent, mine = folder / f"{'0' * 32}.pkl", folder / "mine.pkl"
    for path in (old, new, lent, mine):
        path.touch()
    yesterday = time.time() - 25 * 60 * 60
    os.utime(old, (yesterday, yesterday))
    store()
    assert [path.exists() for path in (old, new, lent, mine)] == [0, 1, 0, 1]
