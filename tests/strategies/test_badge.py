# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""BADGE with real classifiers: what it reads, what it refuses."""

import tracemalloc

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from skal import ActiveLearner
from skal.exceptions import MissingCapabilityError
from skal.functional import badge
from skal.strategies import BADGE


def test_sparse_embeddings_are_refused_with_the_remedy(toy_texts):
    X, y = toy_texts
    classifier = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(X, y)
    strategy = BADGE(random_state=0).fit(X, y, estimator=classifier)
    for method in (strategy.query, strategy.transform):
        with pytest.raises(TypeError) as caught:
            method(X)
        assert str(caught.value).startswith("The embedding must be dense vectors.")
        assert "TruncatedSVD as the step after the vectorizer" in str(caught.value)


def test_the_remedy_works(toy_texts):
    X, y = toy_texts
    classifier = make_pipeline(
        TfidfVectorizer(), TruncatedSVD(8, random_state=0), LogisticRegression()
    )
    learner = ActiveLearner(classifier, BADGE(), random_state=0).fit(X[:20], y[:20])
    rows = learner.query(X[20:], 15)
    fitted = learner.estimator_
    proba, embedding = fitted.predict_proba(X[20:]), fitted[:-1].transform(X[20:])
    norms = proba.min(axis=1) * np.linalg.norm(embedding, axis=1)
    assert len(set(rows.tolist())) == 15
    assert rows[0] == norms.argmax()


def test_a_classifier_without_an_embedding_is_refused(toy_texts):
    class OnTexts(LogisticRegression):
        def fit(self, X, y):
            return super().fit([[len(text)] for text in X], y)

        def predict_proba(self, X):
            return super().predict_proba([[len(text)] for text in X])

    X, y = toy_texts
    with pytest.raises(MissingCapabilityError, match="BADGE reads 'embedding'"):
        BADGE().fit(X, y, estimator=OnTexts().fit(X, y))


def test_query_is_the_kernel_on_what_the_classifier_says():
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(60, 5)), rng.randint(3, size=60)
    classifier = LogisticRegression().fit(X, y)
    strategy = BADGE(random_state=7).fit(X, y, estimator=classifier)
    view = strategy._view(X)
    expected = badge(classifier.predict_proba(X), X, 10, view.rng(7))
    assert np.array_equal(strategy.query(X, 10), expected)


def test_query_does_not_build_what_transform_builds():
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(4000, 64)), np.arange(4000) % 40
    strategy = BADGE(random_state=0).fit(X, y, estimator=GaussianNB().fit(X, y))
    peaks = []
    for method in (strategy.query, strategy.transform):
        tracemalloc.start()
        method(X)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    query, transform = peaks
    assert transform > 4000 * 40 * 64 * 8
    assert query < transform / 10
