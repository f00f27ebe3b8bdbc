# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The recorder: training stays as it is, and what was predicted meanwhile is found."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback, EarlyStopping

from skal.exceptions import TruncationWarning
from skal.neural import _recorder
from skal.text import DenseClassifier, PoolRecorder

VECTORS, CODES = make_blobs(200, 5, centers=3, cluster_std=4.0, random_state=0)
VECTORS = VECTORS.astype(np.float32)
LABELS = np.array(["a", "b", "c"])[CODES]
SEED, POOL = VECTORS[:40], VECTORS[40:]


def dense(**params):
    quick = {"hidden_layer_sizes": (16,), "lr": 0.01, "max_epochs": 6}
    quick |= {"batch_size": 16, "device": "cpu", "random_state": 0}
    return DenseClassifier(**(quick | params))


@pytest.fixture(scope="module")
def recorder():
    """Of vectors, fitted. Careful: do not fit it again."""
    return PoolRecorder(dense()).fit(SEED, LABELS[:40], X_unlabeled=POOL)


@pytest.fixture(scope="module")
def of_texts(make_classifier, toy_texts):
    """Of texts, fitted on 30 of the toy texts. Careful: do not fit it again."""
    X, y = toy_texts
    return PoolRecorder(make_classifier()).fit(X[:30], y[:30], X_unlabeled=X[30:])


# Training stays as it is.


def same_weights(one, other):
    weights = (clf.net_.module_.state_dict() for clf in (one, other))
    one, other = weights
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("every", [1, 2])
def test_weights_are_those_of_the_classifier_alone(make_classifier, toy_texts, every):
    X, y = toy_texts
    alone = make_classifier().fit(X[:30], y[:30])
    recorder = PoolRecorder(make_classifier(), every=every, max_rows=20, random_state=3)
    recorder.fit(X[:30], y[:30], X_unlabeled=X[30:])
    assert same_weights(alone, recorder)
    assert np.array_equal(alone.predict_proba(X), recorder.predict_proba(X))
    for name, values in alone.training_dynamics_.items():
        assert np.array_equal(values, recorder.training_dynamics_[name])
    losses = [epoch["train_loss"] for epoch in alone.history_]
    assert losses == [epoch["train_loss"] for epoch in recorder.history_]


def test_weights_of_vectors_are_those_of_the_classifier_alone(recorder):
    alone = dense().fit(SEED, LABELS[:40])
    assert same_weights(alone, recorder)
    without = PoolRecorder(dense()).fit(SEED, LABELS[:40])
    assert same_weights(alone, without)


def test_the_global_generators_are_left_alone():
    numpy, of_torch = np.random.get_state()[1].tolist(), torch.get_rng_state()
    recorder = PoolRecorder(dense(random_state=None), max_rows=9)
    recorder.fit(SEED, LABELS[:40], X_unlabeled=POOL)
    assert np.random.get_state()[1].tolist() == numpy
    assert torch.equal(torch.get_rng_state(), of_torch)


# What is recorded.


class _Predicts(Callback):
    """Predicts the pool after each epoch by plain torch, before or after the record."""

    seen = []

    def on_train_begin(self, net, **kwargs):
        self.seen.clear()

    def on_epoch_end(self, net, **kwargs):
        module = net.module_.eval()
        with torch.inference_mode():
            self.seen.append(module(torch.from_numpy(POOL)).argmax(dim=1).numpy())


@pytest.mark.parametrize(("every", "epochs"), [(1, range(6)), (2, [1, 3, 5]), (4, [3])])
def test_predictions_are_those_of_each_epoch(every, epochs):
    recorder = PoolRecorder(dense(callbacks=[_Predicts()]), every=every)
    recorder.fit(SEED, LABELS[:40], X_unlabeled=POOL)
    codes = recorder.epoch_predictions(POOL)
    assert recorder.recorded_epochs_.tolist() == [epoch + 1 for epoch in epochs]
    assert np.array_equal(codes, np.stack([_Predicts.seen[epoch] for epoch in epochs]))
    assert len(np.unique(codes, axis=0)) == len(codes)  # they do change
    assert codes.dtype == np.int16


def test_the_last_epoch_is_what_is_predicted_after(recorder, of_texts, toy_texts):
    last = recorder.epoch_predictions(POOL)[-1]
    assert np.array_equal(recorder.classes_[last], recorder.predict(POOL))
    X = toy_texts[0][30:]
    codes = of_texts.epoch_predictions(X)
    assert codes.shape == (4, 50)
    assert np.array_equal(of_texts.classes_[codes[-1]], of_texts.predict(X))
    assert len(np.unique(codes, axis=0)) > 1


def test_rows_are_found_by_content(recorder, of_texts, toy_texts):
    codes = recorder.epoch_predictions(POOL)
    rows = np.r_[np.random.RandomState(0).permutation(len(POOL)), 3, 3]
    assert np.array_equal(recorder.epoch_predictions(POOL[rows]), codes[:, rows])
    wide = np.asfortranarray(POOL, dtype=np.float64)
    assert np.array_equal(recorder.epoch_predictions(wide), codes)
    texts = toy_texts[0][30:]
    codes = of_texts.epoch_predictions(texts)
    again = of_texts.epoch_predictions([texts[i] for i in (7, 7, 0)])
    assert np.array_equal(again, codes[:, [7, 7, 0]])
    kept = of_texts.keep_tokens(texts)
    assert np.array_equal(of_texts.epoch_predictions(kept), codes)


def test_rows_that_were_not_recorded(recorder, of_texts, toy_texts):
    codes = recorder.epoch_predictions(np.vstack([SEED[:2], POOL[:3], POOL[:1] + 1]))
    assert np.array_equal(codes[:, 2:5], recorder.epoch_predictions(POOL[:3]))
    assert (codes[:, [0, 1, 5]] == -1).all()
    codes = of_texts.epoch_predictions(["", toy_texts[0][40], "\ud800"])
    assert (codes == -1).all(axis=0).tolist() == [True, False, True]


def test_duplicates_pass_once_and_zeros_have_no_sign(monkeypatch):
    seen, predict = [], _recorder.RecordPredictions._predict

    def spy(self, part):
        codes = predict(self, part)
        seen.append(len(codes))
        return codes

    monkeypatch.setattr(_recorder.RecordPredictions, "_predict", spy)
    pool = np.vstack([POOL, POOL[::2], np.zeros((1, 5)), -np.zeros((1, 5))])
    recorder = PoolRecorder(dense()).fit(SEED, LABELS[:40], X_unlabeled=pool)
    assert seen[1:] == [161] * 6  # before them one row, to see that it can be read
    codes = recorder.epoch_predictions(pool)
    assert np.array_equal(codes[:, 160:240], codes[:, :160:2])
    assert np.array_equal(codes[:, -1], codes[:, -2])
    assert codes.min() >= 0


@pytest.mark.parametrize("random_state", [0, np.random.RandomState(0), None])
def test_some_rows_drawn_at_random(random_state):
    recorder = PoolRecorder(dense(), max_rows=50, random_state=random_state)
    recorder.fit(SEED, LABELS[:40], X_unlabeled=POOL)
    codes = recorder.epoch_predictions(POOL)
    recorded = np.flatnonzero(codes[0] >= 0)
    assert len(recorded) == 50
    assert np.ptp(recorded) > 60
    every = PoolRecorder(dense()).fit(SEED, LABELS[:40], X_unlabeled=POOL)
    expected = every.epoch_predictions(POOL)
    assert np.array_equal(codes[:, recorded], expected[:, recorded])
    again = clone(recorder).fit(SEED, LABELS[:40], X_unlabeled=POOL)
    same = np.array_equal(again.epoch_predictions(POOL), codes)
    assert same == (random_state == 0)  # a RandomState goes on from where it is


def test_large_pools_go_in_parts(monkeypatch, recorder):
    monkeypatch.setattr(_recorder, "_AT_ONCE", 21)  # 7 rows of 3 logits
    parts = clone(recorder).fit(SEED, LABELS[:40], X_unlabeled=POOL)
    expected = recorder.epoch_predictions(POOL)
    assert np.array_equal(parts.epoch_predictions(POOL), expected)


def test_many_classes_take_two_bytes():
    X, y = np.eye(300, dtype=np.float32), np.arange(300)
    recorder = PoolRecorder(dense(max_epochs=2))
    recorder.fit(np.vstack([X, X]), np.r_[y, y], X_unlabeled=X)
    assert recorder._codes.dtype == np.uint16
    codes = recorder.epoch_predictions(X)
    assert codes.dtype == np.int32
    assert np.array_equal(codes[-1], recorder.predict(X))


def test_early_stopping_leaves_whole_epochs():
    stopping = EarlyStopping("train_loss", patience=1, threshold=10.0, sink=None)
    recorder = PoolRecorder(dense(callbacks=[stopping]))
    recorder.fit(SEED, LABELS[:40], X_unlabeled=POOL)
    assert 0 < recorder.n_epochs_ < 6
    assert len(recorder.epoch_predictions(POOL)) == recorder.n_epochs_
    recorder.set_params(every=6).fit(SEED, LABELS[:40], X_unlabeled=POOL)
    with pytest.raises(NotFittedError, match="ended after 2 epochs.*every=6"):
        recorder.epoch_predictions(POOL)


CONTAINERS = {
    "tuple": tuple,
    "object array": lambda X: np.array(X, dtype=object),
    "str array": np.array,
    "pandas": lambda X: pd.Series(X, index=np.arange(len(X))[::-1] / 2),
    "polars": pl.Series,
    "chunked": lambda X: pa.chunked_array([X[:3], X[3:]]),
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_any_container_of_texts(of_texts, toy_texts, kind):
    X, y = toy_texts
    held = CONTAINERS[kind](X[30:])
    expected = of_texts.epoch_predictions(X[30:])
    assert np.array_equal(of_texts.epoch_predictions(held), expected)
    again = clone(of_texts).fit(X[:30], y[:30], X_unlabeled=held)
    assert np.array_equal(again.epoch_predictions(X[30:]), expected)


@pytest.mark.parametrize("library", [pd, pl])
def test_frames_keep_the_names_of_their_columns(library, recorder):
    names = [f"f{i}" for i in range(5)]
    frame = library.DataFrame(dict(zip(names, VECTORS.T, strict=True)))
    if library is pd:
        frame.index = np.arange(200)[::-1] / 4
    seed, pool = frame[:40], frame[40:]
    if library is pd:
        seed, pool = frame.iloc[:40], frame.iloc[40:]
    framed = clone(recorder).fit(seed, LABELS[:40], X_unlabeled=pool)
    expected = recorder.epoch_predictions(POOL)
    assert np.array_equal(framed.epoch_predictions(pool), expected)
    assert framed.feature_names_in_.tolist() == names
    with pytest.raises(ValueError, match="(?s)rows like those of X.*feature names"):
        clone(recorder).fit(seed, LABELS[:40], X_unlabeled=pool[names[::-1]])
    with pytest.raises(ValueError, match="feature names"):
        framed.epoch_predictions(pool[names[::-1]])
    framed.fit(SEED, LABELS[:40])
    assert not hasattr(framed, "feature_names_in_")


class _Changes(Callback):
    """Changes the pool object in the first epoch."""

    pool = None

    def on_epoch_begin(self, net, **kwargs):
        self.pool[:] = self.pool[::-1]


@pytest.mark.parametrize("kind", ["array", "frame", "texts"])
def test_a_pool_that_changes_while_training_does_not_matter(
    kind, recorder, of_texts, make_classifier, toy_texts
):
    X, y = toy_texts
    if kind == "texts":
        pool, before, expected = X[30:], X[30:], of_texts
        classifier, data = make_classifier(callbacks=[_Changes()]), (X[:30], y[:30])
    else:
        pool, before, expected = POOL.copy(), POOL, recorder
        if kind == "frame":
            pool = pd.DataFrame(pool)
        classifier, data = dense(callbacks=[_Changes()]), (SEED, LABELS[:40])
    _Changes.pool = pool
    codes = (
        PoolRecorder(classifier).fit(*data, X_unlabeled=pool).epoch_predictions(before)
    )
    assert np.array_equal(codes, expected.epoch_predictions(before))


def test_the_pool_is_tokenised_once(make_classifier, toy_texts, monkeypatch):
    from skal.neural import TokenTable

    X, y = toy_texts
    seen, init = [], TokenTable.__init__

    def spy(self, texts, *args, **kwargs):
        seen.extend(texts)
        init(self, texts, *args, **kwargs)

    monkeypatch.setattr(TokenTable, "__init__", spy)
    recorder = PoolRecorder(make_classifier())
    recorder.fit(X[:30], y[:30], X_unlabeled=X[30:] * 2)
    assert sorted(seen) == sorted(X)
    recorder.epoch_predictions(X[30:])
    assert len(seen) == len(X)


def test_a_cut_is_told_once(make_classifier):
    long = [f"good {'film ' * 80}{i}" for i in range(3)]
    with pytest.warns(TruncationWarning, match="3 of 3 texts") as caught:
        PoolRecorder(make_classifier(max_length=100)).fit(
            ["good", "bad"], ["p", "n"], X_unlabeled=long
        )
    assert len(caught) == 1


# What is refused.


def not_fitted(*args):
    raise AssertionError("too late")


@pytest.mark.parametrize(
    ("pool", "error", "match"),
    [
        ([], ValueError, "X_unlabeled is empty"),
        (np.empty((0, 5)), ValueError, "X_unlabeled is empty"),
        (iter(POOL), TypeError, "an iterator .*list\\(X_unlabeled\\)"),
        ((row for row in POOL), TypeError, "an iterator \\(generator\\)"),
        ("abc", TypeError, "a single str"),
        (POOL[:, :3], ValueError, "rows like those of X. X has 3 features"),
        (POOL[0], ValueError, "Expected 2D array"),
        (POOL * np.nan, ValueError, "Input X_unlabeled contains NaN"),
        (["a text"], ValueError, "could not convert"),
        (5, TypeError, "must be rows in an order .* Got int"),
    ],
    ids=str,
)
def test_a_pool_that_cannot_be_read_is_refused_before_training(
    pool, error, match, monkeypatch
):
    monkeypatch.setattr("skal.neural.TransformerNet.train_step", not_fitted)
    with pytest.raises(error, match=match):
        PoolRecorder(dense()).fit(SEED, LABELS[:40], X_unlabeled=pool)


@pytest.mark.parametrize(
    ("pool", "error", "match"),
    [
        ([], ValueError, "X_unlabeled is empty"),
        (iter(["a"]), TypeError, "an iterator"),
        ("a text", TypeError, "a single str"),
        (["a", None], ValueError, "Every row of X_unlabeled must be a str. Row 1"),
        (POOL, ValueError, "X_unlabeled must be a one-dimensional sequence of texts"),
    ],
    ids=str,
)
def test_a_pool_that_holds_no_texts_is_refused_before_training(
    pool, error, match, monkeypatch, make_classifier
):
    monkeypatch.setattr("skal.neural.TransformerNet.train_step", not_fitted)
    with pytest.raises(error, match=match):
        PoolRecorder(make_classifier()).fit(["a", "b"], [0, 1], X_unlabeled=pool)


@pytest.mark.parametrize(
    ("params", "error", "match"),
    [
        ({"every": 0}, ValueError, "'every' parameter"),
        ({"max_rows": 0}, ValueError, "'max_rows' parameter"),
        ({"every": 7}, ValueError, "Got every=7 and 6 epochs; lower it"),
        ({"estimator__lr": 0}, ValueError, "'lr' parameter of DenseClassifier"),
        ({"estimator": LogisticRegression()}, TypeError, "Got LogisticRegression"),
        (
            {"estimator": make_pipeline(dense())},
            TypeError,
            "Got Pipeline; put PoolRecorder around the last step",
        ),
        (
            {"classes": ["a", "b", "c", "d"], "estimator__classes": ["a", "b", "c"]},
            ValueError,
            "give them to one of the two",
        ),
    ],
    ids=str,
)
def test_bad_parameters_are_refused(params, error, match, monkeypatch):
    monkeypatch.setattr("skal.neural.TransformerNet.train_step", not_fitted)
    recorder = PoolRecorder(dense()).set_params(**params)
    with pytest.raises(error, match=match):
        recorder.fit(SEED, LABELS[:40], X_unlabeled=POOL)


def test_where_nothing_was_recorded_it_says_what_to_do(recorder, of_texts):
    without = PoolRecorder(dense()).fit(SEED, LABELS[:40])
    assert without.recorded_epochs_.tolist() == []
    with pytest.raises(NotFittedError, match="(?s)without unlabelled.*X_pool=pool"):
        without.epoch_predictions(POOL)
    with pytest.raises(NotFittedError, match="(?s)None of these 40 rows.*X_pool=pool"):
        recorder.epoch_predictions(SEED)
    with pytest.raises(NotFittedError, match="None of these 1 rows"):
        of_texts.epoch_predictions(["never seen"])
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        PoolRecorder(dense()).epoch_predictions(POOL)
