# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""PoolView: each thing looked at once, in one pass, and only where it is needed."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch

from skal.base import PoolView, Reads
from skal.exceptions import MissingCapabilityError
from skal.utils._capabilities import provides

BOTH = Reads(pool={"proba", "embedding"})


class Counts(ClassifierMixin, BaseEstimator):
    """Counts the rows that pass it; says the row's own number."""

    def __init__(self):
        self.classes_ = np.array([0, 1])
        self.passes = []

    def predict_outputs(self, X, outputs):
        self.passes.append((X[:, 0].tolist(), list(outputs)))
        proba = np.column_stack([1 - X[:, 0] / 100, X[:, 0] / 100])
        return {"proba": proba, "embedding": X, "logits": np.log(proba)}

    def predict_proba(self, X):
        raise AssertionError("predict_outputs is there")


@pytest.fixture
def view():
    rows = np.arange(1.0, 11.0)[:, None]
    counts = Counts()
    return PoolView(rows, estimator=counts, classes=counts.classes_, reads=BOTH)


def test_all_that_is_read_comes_from_one_pass(view):
    assert view.proba.shape == (10, 2)
    assert view.embedding.shape == (10, 1)
    assert view.proba is view.proba
    assert [outputs for _, outputs in view.estimator.passes] == [["embedding", "proba"]]


def test_a_part_passes_only_its_own_rows(view):
    part = view.take([2, 5]).take([1])
    assert part.proba[0, 1] == pytest.approx(0.06)
    assert part.rows.tolist() == [5]
    assert [rows for rows, _ in view.estimator.passes] == [[6.0]]


def test_a_part_of_what_was_looked_at_passes_nothing(view):
    whole = view.proba
    part = view.take([1, 3, 5]).take([0, 2])
    assert np.array_equal(part.proba, whole[[1, 5]])
    assert np.array_equal(part.embedding, view.embedding[[1, 5]])
    assert len(view.estimator.passes) == 1


def test_nothing_is_computed_unasked(view):
    view.take([1])
    assert len(view) == 10
    assert view.X is view.pool
    assert view.estimator.passes == []


def test_labelled_rows_are_apart():
    counts = Counts()
    labeled = (np.array([[50.0]]), np.array([1]), np.array([0]))
    reads = Reads(labeled=frozenset({"proba"}))
    view = PoolView(
        np.array([[1.0]]),
        estimator=counts,
        classes=counts.classes_,
        labeled=labeled,
        reads=reads,
    )
    assert view.labeled.proba.tolist() == [[0.5, 0.5]]
    assert counts.passes == [([50.0], ["proba"])]


class Records(LogisticRegression):
    """Keeps what it was fitted on as if it were what training saw."""

    training_dynamics_ = None

    def fit(self, X, y):
        super().fit(X, y)
        one = np.ones((3, len(y)))
        self.training_dynamics_ = Bunch(gold_proba=one / 2, correct=one > 0)
        return self


@pytest.mark.parametrize("wrap", [lambda c: c, FrozenEstimator])
def test_training_dynamics_are_read_of_the_labelled_rows(wrap):
    X = np.random.RandomState(0).normal(size=(6, 2))
    classifier = wrap(make_pipeline(TruncatedSVD(2), Records()).fit(X, LABELS))
    assert provides(classifier, "training_dynamics", X)
    reads = Reads(labeled=frozenset({"training_dynamics"}))
    labeled = (X, np.array(LABELS), np.zeros(6, dtype=np.int64))
    view = PoolView(X, estimator=classifier, labeled=labeled, reads=reads)
    assert view.labeled.training_dynamics.correct.shape == (3, 6)
    assert "look" not in view.log.seconds
    labeled = (X[:4], np.array(LABELS[:4]), np.zeros(4, dtype=np.int64))
    view = PoolView(X, estimator=classifier, labeled=labeled, reads=reads)
    with pytest.raises(ValueError, match="exactly the labelled rows"):
        _ = view.labeled.training_dynamics


def test_before_the_first_fit_the_class_says_whether_training_is_recorded():
    assert provides(make_pipeline(Records()), "training_dynamics", TEXTS)
    assert not provides(LogisticRegression(), "training_dynamics", TEXTS)


def test_what_is_read_is_any_collection_of_names():
    expected = Reads(pool=frozenset({"proba"}), labeled=frozenset({"proba", "samples"}))
    assert Reads(pool="proba", labeled=["samples", "proba"]) == expected
    assert hash(Reads(pool={"proba"})) == hash(Reads(pool=("proba",)))
    with pytest.raises(ValueError, match=r"Got \['probs'\]"):
        Reads(pool="probs")


def test_of_the_pool_there_are_no_training_dynamics():
    with pytest.raises(ValueError, match=r"Got \['training_dynamics'\]"):
        Reads(pool=frozenset({"training_dynamics"}))


def test_the_streams_of_rounds_seeds_and_nested_filters_differ(view):
    def draw(v, random_state=None):
        return v.rng(random_state).randint(2**31)

    same = PoolView(view.pool)
    assert draw(view) == draw(same)
    later = PoolView(view.pool, round_=1)
    other = PoolView(view.pool, seed=1)
    inner = view.take(np.arange(10))
    assert len({draw(view), draw(later), draw(other), draw(inner)}) == 4
    assert draw(view, 7) == draw(inner, 7) != draw(later, 7)


def test_a_random_state_instance_is_not_advanced(view):
    rng = np.random.RandomState(0)
    assert view.rng(rng).randint(2**31) == view.rng(rng).randint(2**31)
    assert rng.randint(2**31) == np.random.RandomState(0).randint(2**31)


TEXTS = ["good film", "bad film", "great plot", "poor plot", "good plot", "bad plot"]
LABELS = ["pos", "neg", "pos", "neg", "pos", "neg"]


def look(classifier, X=TEXTS):
    classifier = classifier.fit(X, LABELS)
    return PoolView(X, estimator=classifier, classes=classifier.classes_, reads=BOTH)


def test_the_embedding_of_a_pipeline_is_what_its_last_step_reads():
    svd = TruncatedSVD(2, random_state=0)
    view = look(make_pipeline(TfidfVectorizer(), svd, LogisticRegression()))
    expected = view.estimator[:-1].transform(TEXTS)
    np.testing.assert_allclose(view.embedding, expected, atol=1e-6)
    assert np.array_equal(view.proba, view.estimator.predict_proba(TEXTS))
    frozen = FrozenEstimator(view.estimator)
    again = PoolView(TEXTS, estimator=frozen, classes=frozen.classes_, reads=BOTH)
    assert np.array_equal(again.embedding, view.embedding)


def test_a_sparse_embedding_names_truncated_svd():
    with pytest.raises(TypeError, match="TruncatedSVD"):
        _ = look(make_pipeline(TfidfVectorizer(), LogisticRegression())).embedding


def test_the_embedding_of_a_bare_classifier_of_vectors_is_the_vectors():
    vectors = np.random.RandomState(0).normal(size=(6, 3))
    view = look(LogisticRegression(), vectors)
    np.testing.assert_allclose(view.embedding, vectors, rtol=1e-6)
    assert provides(view.estimator, "embedding", vectors)
    assert not provides(view.estimator, "embedding", TEXTS)


def test_a_given_encoder_is_fitted_on_the_pool_once():
    class CountingSVD(TruncatedSVD):
        n_fits = 0

        def fit_transform(self, X, y=None):
            CountingSVD.n_fits += 1
            return super().fit_transform(X, y)

    encoder = make_pipeline(TfidfVectorizer(), CountingSVD(3))
    labeled = (TEXTS[:2], np.array(LABELS[:2]), np.zeros(2, dtype=np.int64))
    view = PoolView(TEXTS, labeled=labeled)
    neighbors, similarity = view.nearest_to_labeled([0, 1], 2, encoder)
    assert neighbors[:, 0].tolist() == [0, 1]
    np.testing.assert_allclose(similarity[:, 0], 1, atol=1e-6)
    part = view.take([1, 3, 5])
    neighbors, _ = part.nearest_to_labeled([1], 1, encoder)
    assert neighbors.tolist() == [[0]]
    assert CountingSVD.n_fits == 1


def test_auto_on_texts_without_an_encoder_names_the_remedy():
    labeled = (TEXTS[:2], np.array(LABELS[:2]), np.zeros(2, dtype=np.int64))
    with pytest.raises(MissingCapabilityError, match="TruncatedSVD"):
        PoolView(TEXTS, labeled=labeled).nearest_to_labeled([0], 1)


def test_a_head_of_the_wrong_size_is_reported():
    class Wide(Counts):
        def predict_outputs(self, X, outputs):
            return {"proba": np.full((len(X), 5), 0.2)}

    view = PoolView(np.ones((3, 1)), estimator=Wide(), classes=np.arange(3))
    with pytest.raises(ValueError, match="have 5 columns"):
        _ = view.proba


def test_times_of_nested_work_are_exclusive(view):
    log = view.log
    with log.timed("filter"), log.timed("look"):
        sum(range(200_000))
    assert log.seconds["look"] > 0
    assert log.seconds["filter"] < log.seconds["look"]
