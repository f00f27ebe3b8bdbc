# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The pool is tokenised once, and looked at once, whatever is read of it."""

import warnings

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skal import ActiveLearner, TransformerClassifier
from skal.base import PoolView, Reads, ScoreStrategy
from skal.exceptions import TruncationWarning
from skal.filters import RandSub
from skal.neural import TokenTable
from skal.strategies import Entropy


@pytest.fixture
def tokenized(monkeypatch):
    """The texts that were tokenised, in order."""
    seen, init = [], TokenTable.__init__

    def spy(self, texts, *args, **kwargs):
        seen.extend(texts)
        init(self, texts, *args, **kwargs)

    monkeypatch.setattr(TokenTable, "__init__", spy)
    return seen


def test_every_round_uses_the_tokens_of_the_first(
    make_classifier, toy_texts, tokenized
):
    X, y = toy_texts
    pool = [f"{text} again" for text in X]
    learner = ActiveLearner(make_classifier(), n_queries=3, random_state=0)
    learner.fit(X[:20], y[:20])
    first = learner.query(pool)
    assert sorted(set(tokenized) & set(pool)) == sorted(set(pool))
    tokenized.clear()
    assert learner.query(pool).tolist() == first.tolist()
    learner.teach([pool[row] for row in first], y[first])
    tokenized.clear()
    learner.query(pool)
    assert tokenized == []


@pytest.mark.parametrize("container", [list, pd.Series, pl.Series])
def test_only_the_subpool_is_tokenised(
    make_classifier, toy_texts, tokenized, container
):
    X, y = toy_texts
    learner = ActiveLearner(
        make_classifier(), RandSub(Entropy(), max_subpool=10), n_queries=3
    )
    learner.fit(X[:20], y[:20])
    tokenized.clear()
    learner.query(container(X))
    assert 1 <= len(tokenized) <= 10


@pytest.mark.parametrize("container", [pd.Series, pl.Series])
def test_of_a_series_the_texts_are_taken_when_they_are_asked_for(
    fitted, toy_texts, container
):
    X, _ = toy_texts
    texts = fitted.keep_tokens(container(X))
    assert isinstance(texts.texts, container)
    assert texts[3] == X[3]
    assert list(texts[5:8]) == X[5:8]
    assert list(texts[[7, 2]][[1]]) == [X[2]]
    part = fitted.predict_proba(texts[np.arange(40)])
    np.testing.assert_allclose(part, fitted.predict_proba(X[:40]), atol=1e-6)
    np.testing.assert_array_equal(fitted.predict_proba(texts), fitted.predict_proba(X))
    with pytest.raises(ValueError, match="Row 1 is"):
        fitted.keep_tokens(container([X[0], None]))


@pytest.mark.parametrize("container", [list, tuple, np.array, pd.Series, pl.Series])
def test_the_view_says_what_the_classifier_says(fitted, toy_texts, container):
    X, _ = toy_texts
    pool = container([*X, *X[:5]])
    view = PoolView(pool, estimator=fitted, classes=fitted.classes_)
    outputs = fitted.predict_outputs(pool, ["proba", "embedding"])
    np.testing.assert_array_equal(view.proba, outputs["proba"])
    rows = np.array([1, 4, 5, 40])
    part = PoolView(
        pool,
        rows,
        estimator=FrozenEstimator(fitted),
        classes=fitted.classes_,
        memory=view.memory,
    )
    alone = fitted.predict_proba([X[row] for row in rows])
    np.testing.assert_array_equal(part.proba, alone)


def test_tokens_of_another_kind_are_not_used(make_classifier, fitted, toy_texts):
    X, y = toy_texts
    short = make_classifier(max_length=4).fit(X, y)
    texts = fitted.keep_tokens(X)
    for clf in (fitted, short, fitted):
        np.testing.assert_array_equal(clf.predict_proba(texts), clf.predict_proba(X))
    part = texts[np.array([7, 2, 2])]
    assert list(part) == [X[7], X[2], X[2]]
    assert list(part[:2]) == [X[7], X[2]]
    assert part[-1] == X[2]
    proba = short.predict_proba(part)
    np.testing.assert_array_equal(proba, short.predict_proba(list(part)))


def test_cut_texts_are_counted_when_they_are_tokenised(fitted):
    long = ["word " * 200, "short", "other " * 300]
    clf = TransformerClassifier(fitted.model, max_length=500)
    vars(clf).update({k: v for k, v in vars(fitted).items() if k.endswith("_")})
    texts = clf.keep_tokens(long)
    with pytest.warns(TruncationWarning, match="2 of 3"):
        clf.predict(texts)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf.predict(texts)


def test_a_pipeline_that_changes_the_texts_is_given_the_pool(fitted, toy_texts):
    X, _ = toy_texts
    upper = FunctionTransformer(lambda X: [text.upper() for text in X])
    pipeline = make_pipeline(upper, fitted)
    view = PoolView(X, estimator=pipeline, classes=fitted.classes_)
    shouted = fitted.predict_proba([text.upper() for text in X])
    np.testing.assert_array_equal(view.proba, shouted)


def test_bad_rows_are_named(fitted):
    with pytest.raises(ValueError, match="Row 1"):
        fitted.keep_tokens(["fine", 3])


def test_a_dump_does_not_hold_the_pool(make_classifier, toy_texts, tmp_path):
    X, y = toy_texts
    learner = ActiveLearner(make_classifier(), n_queries=3, random_state=0)
    learner.fit(X[:20], y[:20])
    pool = [f"a line that only the pool has {row}" for row in range(50)]
    rows = learner.query(pool)
    joblib.dump(learner, tmp_path / "learner.joblib")
    assert b"only the pool has" not in (tmp_path / "learner.joblib").read_bytes()
    loaded = joblib.load(tmp_path / "learner.joblib")
    assert loaded.query(pool).tolist() == rows.tolist()


class ReadsAll(ScoreStrategy):
    """Reads everything at once."""

    reads = Reads(
        pool=frozenset({"proba", "embedding", "samples"}),
        labeled=frozenset({"samples"}),
        n_samples=3,
    )

    def _score(self, view):
        assert view.samples(2).shape[0] == 2
        assert len(view.labeled.samples(3)) == 3
        return view.samples(3).std(axis=0).sum(axis=1) + view.proba[:, 0]


def test_samples_are_drawn_in_the_pass_of_all_else(make_classifier, toy_texts):
    X, y = toy_texts
    learner = ActiveLearner(make_classifier(), ReadsAll(), n_queries=3, random_state=0)
    learner.fit(X[:20], y[:20])
    clf, calls = learner.estimator_, []
    once = clf.predict_outputs
    clf.predict_outputs = lambda X, outputs, **options: (
        calls.append((len(X), list(outputs), options)) or once(X, outputs, **options)
    )
    rows = learner.query(X)
    assert (len(X), ["embedding", "proba", "samples"], {"n_samples": 3}) in calls
    assert (20, ["samples"], {"n_samples": 3}) in calls
    assert len(calls) == 2
    assert len(rows) == 3


def test_a_part_of_a_view_takes_its_samples(fitted, toy_texts):
    X, _ = toy_texts
    reads = Reads(pool=frozenset({"samples"}), n_samples=4)
    view = PoolView(X, estimator=fitted, classes=fitted.classes_, reads=reads)
    whole, rows = view.samples(4), np.array([0, 3, 9])
    np.testing.assert_array_equal(view.take(rows).samples(4), whole[:, rows])
    assert view.take(rows).samples(6).shape[:2] == (6, 3)
    assert (Reads(n_samples=3) | reads).n_samples == 4
