# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""One pool in every kind of container: the same picks, and clear refusals."""

from collections.abc import Sequence

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import ipc
from pyarrow.parquet import write_table
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skal import (
    ActiveLearner,
    PseudoLabelClassifier,
    TransformerClassifier,
    make_query_pipeline,
)
from skal.datasets import ParquetColumn
from skal.filters import SEALS, AnchorAL, RandSub
from skal.strategies import ALPS, CoreSet, Entropy, LabelDispersion
from skal.text import DenseClassifier, PoolRecorder
from skal.utils import _slices
from skal.utils._rows import take_rows


class OfOurOwn(Sequence):
    """The least that a sequence needs."""

    def __init__(self, rows):
        self._rows = tuple(rows)

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, row):
        assert isinstance(row, (int, slice))
        return self._rows[row]


def _parquet(values, folder):
    for part, start in enumerate(range(0, len(values), 30)):
        table = pa.table({"a": pa.array(values[start : start + 30])})
        write_table(table, folder / f"part-{part}.parquet", row_group_size=7)
    return ParquetColumn(folder, "a")


def _arrow_file(values, folder):
    table = pa.table({"a": pa.array(values)})
    with ipc.new_file(folder / "a.arrow", table.schema) as file:
        file.write_table(table, max_chunksize=11)
    return ipc.open_file(pa.memory_map(str(folder / "a.arrow"))).read_all()["a"]


def _from_disk(values, folder):
    datasets.disable_progress_bars()
    datasets.Dataset.from_dict({"a": values}).save_to_disk(folder)
    return datasets.load_from_disk(folder)["a"]


def _chunks(values, _):
    parts = [values[:3], [], values[3:50], values[50:]]
    kind = pa.array(values).type
    return pa.chunked_array([pa.array(part, kind) for part in parts])


# name -> (values, an empty folder) -> the pool
KINDS = {
    "list": lambda values, _: values,
    "tuple": lambda values, _: tuple(values),
    "object array": lambda values, _: np.array(values, dtype=object),
    "array": lambda values, _: np.array(values),
    "pandas": lambda values, _: pd.Series(values, index=range(len(values), 0, -1)),
    "pandas objects": lambda values, _: pd.Series(values, dtype=object),
    "polars": lambda values, _: pl.Series(values),
    "Arrow": lambda values, _: pa.array(values),
    "Arrow chunks": _chunks,
    "Arrow dictionary": lambda values, _: pa.array(values).dictionary_encode(),
    "Arrow file": _arrow_file,
    "datasets": lambda values, _: datasets.Dataset.from_dict({"a": values})["a"],
    "datasets on disk": _from_disk,
    "Parquet": _parquet,
    "sequence": lambda values, _: OfOurOwn(values),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def pool(toy_texts, tmp_path_factory):
    """A function from the name of a kind to the toy texts in it."""
    made = {}

    def make(kind):
        if kind not in made:
            folder = tmp_path_factory.mktemp("pool")
            made[kind] = KINDS[kind](toy_texts[0], folder)
        return made[kind]

    return make


@pytest.fixture(params=[16, 16_384], ids=["many slices", "one slice"])
def at_once(request, monkeypatch):
    monkeypatch.setattr(_slices, "ROWS_AT_ONCE", request.param)


def words():
    return make_pipeline(TfidfVectorizer(), TruncatedSVD(8, random_state=0))


STRATEGIES = {
    "all": Entropy(),
    "geometry": CoreSet(),
    "RandSub": RandSub(Entropy(), max_subpool=40),
    "SEALS": SEALS(Entropy(), n_neighbors=5, encoder=words()),
    "AnchorAL": AnchorAL(Entropy(), n_neighbors=5, max_subpool=30, encoder=words()),
    "pipeline": make_query_pipeline(
        RandSub(max_subpool=60), AnchorAL(n_neighbors=5, encoder=words()), Entropy()
    ),
}


def two_rounds(learner, X, y, pool, ids):
    """What is picked in two rounds: without two rows, then without those taught."""
    learner.fit(X[:12], y[:12], ids=range(12))
    first = learner.query(pool, ids=ids, exclude=[20, 21])
    learner.teach(take_rows(pool, first), y[first], ids=[int(row) for row in first])
    second = learner.query(pool, ids=ids)
    assert not set(first) & set(second)
    assert min(first.min(), second.min()) >= 12
    assert not {20, 21} & set(first.tolist())
    assert list(learner.X_labeled_) == [*X[:12], *(X[row] for row in first)]
    return first.tolist(), second.tolist()


def learn(strategy, classifier=None):
    classifier = classifier or make_pipeline(*words(), LogisticRegression())
    return ActiveLearner(classifier, strategy, n_queries=5, random_state=0)


@every_kind
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.usefixtures("at_once")
def test_every_kind_gives_the_picks_of_a_list(toy_texts, pool, kind, strategy):
    X, y = toy_texts
    ids = range(80)
    expected = two_rounds(learn(STRATEGIES[strategy]), X, y, X, ids)
    assert two_rounds(learn(STRATEGIES[strategy]), X, y, pool(kind), ids) == expected


@pytest.fixture(scope="module")
def transformer(toy_texts):
    """skal-tiny, fitted in a moment."""
    classifier = TransformerClassifier(
        "skal-tiny", max_epochs=1, min_steps=2, max_length=16, random_state=0
    )
    return classifier.fit(toy_texts[0][:12], toy_texts[1][:12])


@pytest.fixture(scope="module")
def encoder(transformer):
    return FrozenEstimator(transformer.pretrained_encoder().fit())


@pytest.fixture(scope="module")
def picks_of_list(toy_texts, transformer, encoder):
    return _picks_of_transformer(toy_texts[0], toy_texts, transformer, encoder)


def _picks_of_transformer(pool, toy_texts, transformer, encoder):
    X, y = toy_texts
    strategy = AnchorAL(n_neighbors=4, encoder=encoder)
    learner = learn(strategy, FrozenEstimator(transformer)).fit(X[:12], y[:12])
    return learner.query(pool, exclude=range(12)).tolist()


@every_kind
def test_a_transformer_reads_every_kind(
    toy_texts, pool, transformer, encoder, picks_of_list, kind, monkeypatch
):
    monkeypatch.setattr(_slices, "ROWS_AT_ONCE", 30)
    found = _picks_of_transformer(pool(kind), toy_texts, transformer, encoder)
    assert found == picks_of_list


@pytest.mark.usefixtures("at_once")
def test_all_of_a_transformer_in_slices(toy_texts, pool, transformer, encoder):
    texts = pool("Parquet")
    expected = transformer.predict_outputs(toy_texts[0], ["proba", "embedding"])
    learner = learn(Entropy(), FrozenEstimator(transformer))
    learner.fit(toy_texts[0][:12], toy_texts[1][:12])
    assert learner.query(texts).tolist() == learner.query(toy_texts[0]).tolist()
    for asked in (transformer, learner):
        found = asked.predict_outputs(texts, ["proba", "embedding"])
        np.testing.assert_allclose(found["proba"], expected["proba"], atol=1e-6)
        np.testing.assert_allclose(found["embedding"], expected["embedding"], atol=1e-5)
    samples = transformer.sample_proba(texts, n_samples=2)
    assert samples.shape == (2, 80, 2)
    np.testing.assert_allclose(samples.sum(axis=2), 1)
    assert encoder.transform(texts).shape == (80, 128)


@every_kind
@pytest.mark.usefixtures("at_once")
def test_predictions_of_every_kind(toy_texts, pool, kind):
    X, y = toy_texts
    learner = learn(Entropy()).set_params(keep_estimators=True).fit(X[:40], y[:40])
    for method in (
        learner.predict,
        learner.predict_proba,
        learner.decision_function,
        learner.embed,
        lambda texts: next(learner.staged_predict(texts)),
        lambda texts: next(learner.staged_predict_proba(texts)),
        lambda texts: learner.score(texts, y),
    ):
        expected, found = np.asarray(method(X)), np.asarray(method(pool(kind)))
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(*map(_numbers, (found, expected)), atol=1e-6)


def _numbers(values):
    return values == "pos" if values.dtype.kind in "US" else values


@every_kind
def test_teach_and_fit_take_every_kind(toy_texts, pool, kind):
    X, y = toy_texts
    learner = learn(Entropy()).fit(pool(kind), y)
    assert list(learner.X_labeled_) == X
    learner.teach(pool(kind), [None, *y[1:]])
    assert list(learner.X_labeled_) == [*X, *X[1:]]
    bought = learn(Entropy()).set_params(budget=20).fit(pool(kind), y)
    of_list = learn(Entropy()).set_params(budget=20).fit(X, y)
    assert list(bought.X_labeled_) == list(of_list.X_labeled_)


NAMES = [f"row {i}" for i in range(80)]


@every_kind
@pytest.mark.parametrize("names", [list(range(80)), NAMES], ids=["int", "str"])
def test_ids_in_every_kind(toy_texts, tmp_path, kind, names):
    X, y = toy_texts
    ids = KINDS[kind](names, tmp_path)
    learner = learn(RandSub(Entropy(), max_subpool=40))
    learner.fit(X[:12], y[:12], ids=names[:12])
    rows = learner.query(X, n_queries=60, ids=ids)
    assert rows.min() >= 12
    learner.teach([X[row] for row in rows], y[rows], ids=take_rows(ids, rows))
    assert learner.ids_labeled_ == [*names[:12], *(names[row] for row in rows)]
    left = learner.query(X, n_queries=8, ids=ids)
    assert sorted([*range(12), *rows, *left]) == list(range(80))
    again = KINDS[kind]([*names[:79], names[3]], tmp_path)
    with pytest.raises(ValueError, match=f"{names[3]!r} more than once"):
        learner.query(X, ids=again)


# What else reads the pool: before any label, and in training.


@pytest.mark.parametrize("kind", ["Parquet", "datasets", "Arrow", "polars"])
def test_surprisal_in_slices(toy_texts, pool, transformer, kind, monkeypatch):
    monkeypatch.setattr(_slices, "ROWS_AT_ONCE", 30)
    learner = learn(ALPS(), clone(transformer))
    expected = learner.query(toy_texts[0], exclude=range(40)).tolist()
    assert learner.query(pool(kind), exclude=range(40)).tolist() == expected
    assert learner.query(pool(kind)).shape == (5,)


@pytest.mark.parametrize("kind", ["Parquet", "datasets", "Arrow chunks"])
@pytest.mark.usefixtures("at_once")
def test_training_that_reads_the_pool(toy_texts, pool, kind):
    X, y = toy_texts
    words = make_pipeline(TfidfVectorizer(), LogisticRegression())
    pseudo = PseudoLabelClassifier(words, threshold=0.65, random_state=0)
    found = []
    for texts in (X, pool(kind)):
        learner = learn(Entropy(), pseudo)
        options = {"X_pool": texts, "pool_ids": range(80)}
        learner.fit(X[:12], y[:12], ids=range(12), **options)
        rows = learner.query(texts, ids=range(80))
        found.append((learner.estimator_.pseudo_labels_.tolist(), rows.tolist()))
    assert len(found[0][0]) > 0
    assert found[0] == found[1]


@pytest.mark.parametrize("max_rows", [None, 30])
def test_a_recorder_of_some_rows(toy_texts, pool, monkeypatch, max_rows):
    monkeypatch.setattr(_slices, "ROWS_AT_ONCE", 16)
    X, y = toy_texts
    tiny = TransformerClassifier("skal-tiny", max_epochs=2, max_length=8, min_steps=2)
    recorder = PoolRecorder(tiny, max_rows=max_rows, random_state=0)
    found = []
    for texts in (X, pool("Parquet")):
        learner = learn(LabelDispersion(), recorder)
        found.append(learner.fit(X[:9], y[:9], X_pool=texts).query(texts).tolist())
    assert found[0] == found[1]


# Vectors.


@pytest.fixture(scope="module", params=["float32", "float64", "float16"])
def vectors(request, tmp_path_factory):
    """300 vectors in memory, and memory-mapped."""
    X = np.random.RandomState(0).normal(size=(300, 6)).astype(request.param)
    path = tmp_path_factory.mktemp("vectors") / "vectors.npy"
    np.save(path, X)
    return X, path


@pytest.mark.parametrize(
    "strategy",
    [
        Entropy(),
        CoreSet(),
        RandSub(Entropy(), max_subpool=90),
        SEALS(Entropy(), n_neighbors=9),
        AnchorAL(Entropy(), n_neighbors=9),
    ],
)
@pytest.mark.usefixtures("at_once")
def test_a_file_of_vectors(vectors, strategy):
    X, path = vectors
    y = (X[:, 0] > 0).astype(int)
    mapped = np.load(path, mmap_mode="r")
    learner = learn(strategy, LogisticRegression())
    learner.fit(X[:12], y[:12], ids=range(12))
    for _ in range(2):
        expected = learner.query(X, ids=range(300), exclude=[20, 21])
        found = learner.query(mapped, ids=range(300), exclude=[20, 21])
        assert found.tolist() == expected.tolist()
        learner.teach(mapped[found], y[found], ids=found)
    expected = learner.predict_proba(X)
    np.testing.assert_allclose(learner.predict_proba(mapped), expected, atol=1e-6)


@pytest.mark.usefixtures("at_once")
def test_a_dense_classifier_on_a_file_of_vectors(vectors):
    X, path = vectors
    y, mapped = (X[:, 0] > 0).astype(int), np.load(path, mmap_mode="r")
    classifier = DenseClassifier(max_epochs=2, random_state=0).fit(X[:40], y[:40])
    learner = learn(CoreSet(), FrozenEstimator(classifier)).fit(X[:9], y[:9])
    assert learner.query(mapped).tolist() == learner.query(X).tolist()
    expected = classifier.predict_proba(X)
    np.testing.assert_allclose(classifier.predict_proba(mapped), expected, atol=1e-6)


def test_a_file_that_was_cut_short(vectors, tmp_path):
    X, path = vectors
    copy = tmp_path / "vectors.npy"
    copy.write_bytes(path.read_bytes())
    mapped = np.load(copy, mmap_mode="r")
    learner = learn(Entropy(), LogisticRegression()).fit(X[:40], np.arange(40) % 2)
    rows = learner.query(mapped)
    copy.write_bytes(path.read_bytes()[:1000])
    for cut in (mapped, mapped[10:]):
        with pytest.raises(ValueError, match="must not be cut short.* has 1000 bytes"):
            learner.query(cut)
    copy.write_bytes(path.read_bytes())
    assert learner.query(np.load(copy, mmap_mode="r")).tolist() == rows.tolist()


# What is refused.


@every_kind
def test_an_empty_pool(toy_texts, tmp_path, kind):
    X, y = toy_texts
    full = KINDS[kind](X, tmp_path)
    learner = learn(Entropy()).fit(X[:12], y[:12])
    if kind == "Parquet":
        folder = tmp_path / "empty"
        folder.mkdir()
        write_table(pa.table({"a": pa.array([], pa.string())}), folder / "0.parquet")
        empty = ParquetColumn(folder, "a")
    elif kind.startswith("datasets"):
        empty = full.source.select([])["a"]
    else:
        empty = full[:0]
    with pytest.raises(ValueError, match="X_pool is empty"):
        learner.query(empty)


@every_kind
@pytest.mark.usefixtures("at_once")
def test_missing_values_are_named_by_position(toy_texts, tmp_path, kind):
    X, y = toy_texts
    gaps = [None if row in (17, 33, 34) else text for row, text in enumerate(X)]
    learner = learn(STRATEGIES["AnchorAL"]).fit(X[:12], y[:12])
    expected = learner.query(X).tolist()
    with pytest.raises(ValueError, match=r"must be a str\. Row 17 is (None|nan)"):
        learner.query(KINDS[kind](gaps, tmp_path))
    assert learner.query(X).tolist() == expected
    assert len(learner.y_labeled_) == 12


@pytest.mark.parametrize("kind", ["pandas", "polars", "Arrow", "Parquet", "list"])
def test_all_missing_values_are_counted(toy_texts, tmp_path, kind):
    X, y = toy_texts
    gaps = [None if row % 10 == 5 else text for row, text in enumerate(X)]
    learner = learn(Entropy()).fit(X[:12], y[:12])
    message = r"Row 5 is None .* 7 more no str: 15, 25, 35, 45, 55, \.\.\.; drop"
    with pytest.raises(ValueError, match=message):
        learner.query(KINDS[kind](gaps, tmp_path))


def test_a_sequence_is_checked_when_it_is_read(toy_texts, transformer):
    X, y = toy_texts
    texts = OfOurOwn([*X[:70], 7, *X[71:]])
    for classifier in (make_pipeline(*words(), LogisticRegression()), transformer):
        learner = learn(Entropy(), FrozenEstimator(classifier.fit(X[:12], y[:12])))
        learner.fit(X[:12], y[:12])
        for look in (learner.query, learner.predict):
            with pytest.raises(ValueError, match=r"Row 70 is 7 \(int\)"):
                look(texts)
    learner.set_params(strategy=RandSub(Entropy(), max_subpool=70))
    with pytest.raises(ValueError, match=r"Row 70 is 7 \(int\)"):
        learner.query(texts, n_queries=2, exclude=[0, 1, 2, *range(4, 11)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (iter, "more than once. Got list_iterator; pass a list"),
        (lambda X: (text for text in X), "Got generator; pass a list"),
        (set, "Got set; pass a list"),
        (lambda X: X[0], r"wrap it in a list"),
        (lambda X: dict.fromkeys(X), "must be one column"),
        (lambda X: {"text": X}, r"Got dict with \['text'\]; pass .*X_pool\['text'\]"),
        (lambda X: pa.table({"a": X}), r"Got Table with \['a'\]"),
        (
            lambda X: datasets.Dataset.from_dict({"a": X}),
            r"Got Dataset with \['a'\]; pass the column",
        ),
        (lambda X: 7, "Got int"),
        (lambda X: None, "Got NoneType"),
    ],
)
def test_kinds_that_are_no_pools(toy_texts, make, message):
    X, y = toy_texts
    learner = learn(Entropy()).fit(X[:12], y[:12])
    with pytest.raises(TypeError, match=message):
        learner.query(make(X))
    assert len(learner.query(X)) == 5
