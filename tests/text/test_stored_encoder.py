# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A filter reads the vectors of its pool out of a store."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skal import ActiveLearner
from skal._encoded_pool import EncodedPool
from skal.datasets import ParquetColumn
from skal.exceptions import StoreFilesError, StoreMismatchError
from skal.filters import SEALS, AnchorAL
from skal.strategies import Entropy
from skal.text import SentenceEncoder, StoredEncoder, embed, load_vectors
from skal.utils import NeighborIndex


@pytest.fixture(scope="module")
def texts(toy_texts):
    return toy_texts[0]


@pytest.fixture
def encoder(tiny_checkpoint, tmp_path):
    inner = SentenceEncoder(tiny_checkpoint, device="cpu")
    return StoredEncoder(inner, tmp_path / "store", shard_rows=16)


@pytest.fixture
def encoded(monkeypatch):
    """How many texts pass a sentence encoder, per call."""
    sizes, transform = [], SentenceEncoder.transform

    def spy(self, X):
        sizes.append(len(X))
        return transform(self, X)

    monkeypatch.setattr(SentenceEncoder, "transform", spy)
    return sizes


def test_the_pool_is_the_array_on_disk(encoder, texts, encoded):
    vectors = encoder.fit(texts).transform(texts)
    assert isinstance(vectors, np.memmap)
    assert encoded == [16] * 5
    assert vectors.shape == (80, encoder.n_features_out_)
    assert encoder.transform(np.array(texts)) is vectors
    assert len(encoder.get_feature_names_out()) == encoder.n_features_out_
    assert not hasattr(encoder.encoder, "module_")
    clone(encoder).fit(texts).transform(texts)
    assert encoded == [16] * 5


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_texts_of_the_pool_are_looked_up(encoder, texts, encoded, dtype):
    encoder.set_params(dtype=dtype).fit(texts)
    del encoded[:]
    rows = [70, 3, 3, 41]
    vectors = encoder.transform([texts[row] for row in rows])
    assert (vectors.dtype, vectors.flags.writeable) == (dtype, True)
    np.testing.assert_array_equal(vectors, encoder.transform(texts)[rows])
    assert encoded == []


def test_other_texts_are_computed(encoder, texts, encoded):
    encoder.fit(texts)
    del encoded[:]
    files = sorted(encoder.folder.iterdir())
    vectors = encoder.transform(["new one", texts[5], "new two"])
    assert encoded == [2]
    plain = encoder.encoder_.transform(["new one", texts[5], "new two"])
    np.testing.assert_allclose(vectors, plain, atol=1e-6)
    np.testing.assert_array_equal(vectors[1], encoder.transform(texts)[5])
    assert sorted(encoder.folder.iterdir()) == files


def test_it_takes_the_store_of_embed(encoder, texts, encoded):
    embed(texts, encoder.encoder, encoder.folder, shard_rows=16)
    del encoded[:]
    encoder.fit(texts).transform(texts)
    assert encoded == []


@pytest.mark.parametrize("filter_", [AnchorAL, SEALS])
def test_filters_choose_as_with_the_encoder_alone(encoder, toy_texts, encoded, filter_):
    X, y = toy_texts
    batches = []
    for chosen in (encoder, encoder.encoder):
        classifier = make_pipeline(TfidfVectorizer(), LogisticRegression())
        strategy = filter_(Entropy(), encoder=chosen)
        learner = ActiveLearner(classifier, strategy, random_state=0)
        learner.fit(X[:8], y[:8])
        pool = X[8:]
        rows = learner.query(pool, 5)
        learner.teach([pool[row] for row in rows], y[8:][rows])
        batches.append([*rows, *learner.query(pool, 5)])
        if chosen is encoder:
            # The pool, then labelled rows that are not in it.
            assert encoded[:6] == [16, 16, 16, 16, 8, 8]
    assert batches[0] == batches[1]


def test_a_pool_on_disk_and_its_vectors_on_disk(encoder, toy_texts, tmp_path, encoded):
    import pyarrow as pa
    import pyarrow.parquet as pq

    X, y = toy_texts
    pq.write_table(pa.table({"text": X[8:]}), tmp_path / "pool.parquet")
    pool = ParquetColumn(tmp_path / "pool.parquet")
    strategy = AnchorAL(Entropy(), encoder=encoder)
    classifier = make_pipeline(TfidfVectorizer(), LogisticRegression())
    learner = ActiveLearner(classifier, strategy, random_state=0).fit(X[:8], y[:8])
    rows = learner.query(pool, 5)
    assert encoded == [16, 16, 16, 16, 8, 8]
    assert rows.tolist() == clone(learner).fit(X[:8], y[:8]).query(X[8:], 5).tolist()
    fitted = clone(encoder).fit(pool)
    assert isinstance(EncodedPool(pool, encoder, fitted).vectors, np.memmap)
    frozen = FrozenEstimator(fitted)
    assert isinstance(EncodedPool(pool, frozen, frozen).vectors, np.memmap)


def test_a_saved_index_of_the_store(encoder, toy_texts, tmp_path):
    X, y = toy_texts
    pool, batches = X[8:], []
    encoder.set_params(dtype="float16").fit(pool)
    NeighborIndex(encoder.transform(pool)).save(tmp_path / "index")
    for index in (tmp_path / "index", "auto"):
        strategy = AnchorAL(Entropy(), encoder=encoder, index=index)
        classifier = make_pipeline(TfidfVectorizer(), LogisticRegression())
        learner = ActiveLearner(classifier, strategy, random_state=0)
        batches.append(learner.fit(X[:8], y[:8]).query(pool, 5).tolist())
    assert batches[0] == batches[1]


def test_a_pickle_holds_no_vectors(encoder, texts):
    size = len(pickle.dumps(encoder.fit(texts)))
    expected = np.array(encoder.transform(texts))
    dump = pickle.dumps(encoder)
    assert len(dump) == size
    loaded = pickle.loads(dump)
    np.testing.assert_array_equal(loaded.transform(texts), expected)
    shutil.rmtree(encoder.folder)
    without = loaded.transform(texts)
    assert type(without) is np.ndarray
    np.testing.assert_allclose(without, expected, atol=1e-6)


def test_a_store_that_was_replaced_is_noticed(encoder, texts):
    encoder.fit(texts)
    before = np.array(encoder.transform(texts[:3]))
    other = clone(encoder.encoder).set_params(max_length=4)
    embed(texts, other, encoder.folder, shard_rows=16, overwrite=True)
    with pytest.raises(StoreMismatchError, match="max_length=4"):
        encoder.transform(texts[:3])
    embed(texts[::-1], encoder.encoder, encoder.folder, shard_rows=16, overwrite=True)
    after = encoder.transform(texts[:3])
    np.testing.assert_allclose(after, before, atol=1e-6)
    Path(load_vectors(encoder.folder).filename).unlink()
    fresh = pickle.loads(pickle.dumps(encoder))
    with pytest.raises(StoreFilesError, match="computes what is lost"):
        fresh.transform(texts)


def test_a_fit_that_fails_leaves_the_earlier_one(encoder, texts):
    encoder.fit(texts)
    with pytest.raises(StoreMismatchError, match="80 other texts"):
        encoder.fit(["something else"])
    assert encoder.transform(texts).shape == (80, 32)


def test_any_transformer(texts, tmp_path):
    inner = make_pipeline(TfidfVectorizer(), TruncatedSVD(5, random_state=0))
    encoder = StoredEncoder(inner, tmp_path / "store").fit(texts)
    plain = clone(inner).fit(texts).transform(texts)
    np.testing.assert_allclose(encoder.transform(texts), plain, atol=1e-6)


def test_wrong_use(encoder, texts):
    with pytest.raises(NotFittedError):
        encoder.transform(texts)
    with pytest.raises(ValueError, match="The 'dtype' parameter"):
        clone(encoder).set_params(dtype="int8").fit(texts)
    with pytest.raises(ValueError, match="Row 1 is 3"):
        encoder.fit(texts).transform(["a", 3])
