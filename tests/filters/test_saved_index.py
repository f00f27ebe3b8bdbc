# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A filter that searches in an index from a folder."""

from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skal import ActiveLearner
from skal.exceptions import IndexFilesError, PoolMismatchError
from skal.filters import SEALS, AnchorAL
from skal.strategies import Entropy
from skal.utils import NeighborIndex
from skal.utils._index import KINDS

FILTERS = [AnchorAL(Entropy(), n_neighbors=5), SEALS(Entropy(), n_neighbors=5)]
Y = np.arange(20) % 2


class Encoder(TransformerMixin, BaseEstimator):
    """The numbers in a text; counts the rows it encodes."""

    n_rows = 0

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        Encoder.n_rows += len(X)
        return np.array([[float(word) for word in text.split()] for text in X])


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.RandomState(0)
    centers = 3 * rng.normal(size=(30, 12))
    vectors = centers[rng.randint(30, size=2000)] + rng.normal(size=(2000, 12))
    vectors[7] = 0
    return vectors.astype(np.float32)


@pytest.fixture(scope="module")
def texts(vectors):
    return [" ".join(map(repr, row)) for row in vectors.tolist()]


def learner_of(strategy, texts=False, **params):
    classifier = LogisticRegression(max_iter=1000)
    if texts:
        classifier = make_pipeline(CountVectorizer(analyzer="char"), classifier)
        params["encoder"] = Encoder()
    return ActiveLearner(
        classifier, clone(strategy).set_params(**params), random_state=0
    )


def batches_of(learner, pool, labeled):
    """Two rounds, row by row left out of one pool object."""
    asked = [*range(20)]
    learner.fit(labeled, Y)
    for _ in range(2):
        rows = learner.query(pool, exclude=asked).tolist()
        asked += rows
        learner.teach([pool[row] for row in rows], np.arange(10) % 2)
    return asked


@pytest.mark.parametrize("strategy", FILTERS, ids=repr)
@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_saved_index_gives_the_batches_of_one_that_is_built(
    vectors, tmp_path, monkeypatch, strategy, kind
):
    expected = batches_of(learner_of(strategy, index=kind), vectors, vectors[:20])
    NeighborIndex(vectors, kind).save(tmp_path)
    monkeypatch.setattr("skal.utils._index.build_faiss", None)  # nothing is built
    learner = learner_of(strategy, index=tmp_path)
    assert batches_of(learner, vectors, vectors[:20]) == expected
    (entry,) = learner._memory._entries.values()
    assert entry.index(tmp_path).kind == kind
    assert entry.index(tmp_path).vectors is vectors


@pytest.mark.parametrize("strategy", FILTERS, ids=repr)
def test_texts_are_not_encoded_again(vectors, texts, tmp_path, strategy):
    NeighborIndex(vectors).save(tmp_path)
    learner = learner_of(strategy, texts=True)
    expected = batches_of(learner, texts, texts[:20])
    Encoder.n_rows = 0
    learner = learner_of(strategy, texts=True, index=tmp_path)
    found = batches_of(learner, texts, texts[:20])
    assert Encoder.n_rows == 20 + 10 + 64  # the labelled ones, and those compared
    assert found == expected


@pytest.mark.parametrize("strategy", FILTERS, ids=repr)
def test_vectors_in_half_precision_give_the_subpool(vectors, texts, tmp_path, strategy):
    """But for rows that are almost as near as others."""
    np.save(tmp_path / "pool.npy", vectors.astype(np.float16))
    NeighborIndex(np.load(tmp_path / "pool.npy", mmap_mode="r")).save(tmp_path)
    subpools = []
    for params in ({}, {"index": tmp_path}):
        learner = learner_of(strategy, texts=True, **params).fit(texts[:20], Y)
        learner.query(texts, exclude=np.arange(20))
        subpools.append(learner._log.subpool)
    assert len(subpools[1]) == pytest.approx(len(subpools[0]), abs=2)
    assert np.isin(*subpools).sum() >= len(subpools[0]) - 2


def test_the_folder_is_a_parameter_like_any_other(vectors, tmp_path):
    NeighborIndex(vectors).save(tmp_path)
    learner = learner_of(SEALS(), index=tmp_path)
    assert clone(learner).get_params()["strategy__index"] == tmp_path
    learner.fit(vectors[:20], Y)
    rows = learner.query(vectors)
    joblib.dump(learner, tmp_path / "learner.joblib")
    assert (tmp_path / "learner.joblib").stat().st_size < 20_000
    loaded = joblib.load(tmp_path / "learner.joblib")
    assert np.array_equal(loaded.query(vectors), rows)


@pytest.mark.parametrize("strategy", FILTERS, ids=repr)
def test_a_mistyped_kind_is_no_folder(vectors, strategy):
    with pytest.raises(ValueError, match="'index' parameter .*'hsnw'"):
        learner_of(strategy, index="hsnw").fit(vectors[:20], Y)


@pytest.mark.parametrize("strategy", FILTERS, ids=repr)
@pytest.mark.parametrize(
    "change", [lambda X: X[1:], lambda X: X[::-1], lambda X: X + 1]
)
def test_the_index_of_another_pool_is_refused_and_nothing_is_lost(
    vectors, tmp_path, strategy, change
):
    NeighborIndex(vectors).save(tmp_path)
    learner = learner_of(strategy, index=tmp_path).fit(vectors[:20], Y)
    with pytest.raises(PoolMismatchError, match="was built on"):
        learner.query(change(vectors))
    assert len(learner.y_labeled_) == 20
    assert len(learner.query(vectors)) == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda texts: texts[1:], r"\(2000, 12\), and .* give \(1999, 12\)"),
        (lambda texts: texts[::-1], r"those of row \d+ differ"),
        (lambda texts: [text + " 1" for text in texts], r"\(2000, 13\)"),
        (lambda texts: [*texts[:-1], texts[0]], "those of row 1999 differ"),
        (lambda texts: [*texts[:-1], texts[7]], "those of row 1999 differ"),
    ],
)
def test_the_index_of_other_texts_is_refused(vectors, texts, tmp_path, change, message):
    NeighborIndex(vectors).save(tmp_path)
    learner = learner_of(SEALS(), texts=True, index=tmp_path).fit(texts[:20], Y)
    with pytest.raises(PoolMismatchError, match=message):
        learner.query(change(texts))
    assert len(learner.query(texts)) == 10


def test_a_folder_that_holds_no_whole_index_is_refused(vectors, tmp_path):
    learner = learner_of(SEALS(), index=Path(tmp_path / "none")).fit(vectors[:20], Y)
    with pytest.raises(FileNotFoundError, match="NeighborIndex.save"):
        learner.query(vectors)
    NeighborIndex(vectors, "ivf").save(tmp_path / "none")
    (file,) = (tmp_path / "none").glob("*.faiss")
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content[:-9])
    with pytest.raises(IndexFilesError, match="cut short"):
        learner.query(vectors)
    file.unlink()
    file.write_bytes(content)
    assert len(learner.query(vectors)) == 10
