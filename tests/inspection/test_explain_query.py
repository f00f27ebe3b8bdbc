# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Why a row was picked: what is said is what decided."""

import importlib.util

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skal import (
    ActiveLearner,
    Committee,
    PoolFilter,
    QueryPipeline,
    make_query_pipeline,
)
from skal.exceptions import NotQueryableError
from skal.filters import SEALS, AnchorAL, KMeansSub, RandSub
from skal.functional import entropy
from skal.inspection import QueryExplanation
from skal.strategies import (
    BADGE,
    REAL,
    AcTune,
    BatchBALD,
    ClassBalanced,
    Combine,
    CoreSet,
    DiverseMiniBatch,
    Entropy,
    Margin,
    PowerSampling,
    RandomSampling,
    SuggestiveAnnotation,
    ViaProxy,
)

X, Y = make_blobs(230, centers=4, cluster_std=3.0, random_state=0)
POOL = X[30:]


def learner_with(strategy, estimator=None):
    estimator = LogisticRegression() if estimator is None else estimator
    learner = ActiveLearner(estimator, strategy, n_queries=6, random_state=0)
    return learner.fit(X[:30], Y[:30])


@pytest.mark.parametrize(
    "strategy",
    [
        Entropy(),
        RandomSampling(),
        BADGE(),
        REAL(n_clusters=5),
        AcTune(n_clusters=5),
        CoreSet(),
        DiverseMiniBatch(),
        SuggestiveAnnotation(),
        PowerSampling(Margin()),
        ClassBalanced(Margin()),
        Combine([Entropy(), Margin(), RandomSampling()]),
        ViaProxy(Margin(), LogisticRegression(C=0.1)),
        RandSub(AnchorAL(Margin(), n_anchors=3), max_subpool=100),
        make_query_pipeline(SEALS(n_neighbors=5), KMeansSub(n_clusters=3), BADGE()),
    ],
    ids=lambda strategy: type(strategy).__name__,
)
def test_explains_what_query_returns(strategy):
    learner = learner_with(strategy)
    rows = learner.query(POOL)
    found = learner.explain_query(POOL).columns
    np.testing.assert_array_equal(found["row"], rows)
    assert found["order"].tolist() == [1, 2, 3, 4, 5, 6]
    assert all(found["strategy"])
    np.testing.assert_array_equal(learner.query(POOL), rows)
    whole = learner.explain_query(POOL, rows=np.arange(len(POOL))).columns
    assert np.flatnonzero(whole["order"]).tolist() == sorted(rows)
    np.testing.assert_array_equal(whole["order"][rows], found["order"])
    np.testing.assert_array_equal(whole["score"][rows], found["score"])
    filters = isinstance(strategy, PoolFilter | QueryPipeline)
    assert all(whole["strategy"]) == (not filters)


@pytest.mark.parametrize("strategy", [Entropy(), Margin(), PowerSampling(Entropy())])
def test_scores_rank_the_rows(strategy):
    learner = learner_with(strategy)
    found = learner.explain_query(POOL, rows=np.arange(200)).columns
    assert sorted(found["rank"]) == list(range(1, 201))
    assert set(found["n_ranked"]) == {200}
    assert (np.diff(found["score"][np.argsort(found["rank"])]) <= 0).all()
    picked = found["order"] > 0
    np.testing.assert_array_equal(found["rank"][picked], found["order"][picked])
    if type(strategy) is Entropy:
        np.testing.assert_allclose(found["score"], entropy(learner.predict_proba(POOL)))


def test_predictions_and_neighbours():
    learner = learner_with(Entropy())
    found = learner.explain_query(POOL, n_neighbors=4).columns
    rows = found["row"]
    np.testing.assert_array_equal(found["predicted"], learner.predict(POOL[rows]))
    proba = np.column_stack([found[f"proba_{label}"] for label in range(4)])
    np.testing.assert_allclose(proba, learner.predict_proba(POOL[rows]))
    similarity = cosine_similarity(POOL[rows], X[:30])
    for i, near in enumerate(found["nearest"]):
        np.testing.assert_array_equal(near, np.argsort(-similarity[i])[:4])
        np.testing.assert_allclose(
            found["nearest_similarity"][i], similarity[i][near], rtol=1e-5
        )
        assert found["nearest_label"][i] == Y[near].tolist()
    assert "nearest_text" not in found
    assert "text" not in found
    assert "anchor" not in found
    assert "cluster" not in found


def test_the_anchor_is_the_labelled_row_that_found_it():
    """All labelled rows are anchors: the most similar of those it is a neighbour of."""
    learner = learner_with(AnchorAL(Entropy(), n_anchors=30, n_neighbors=7))
    found = learner.explain_query(POOL, rows=np.arange(200)).columns
    similarity = cosine_similarity(X[:30], POOL)
    nearest = np.argsort(-similarity, axis=1)[:, :7]
    finds = np.zeros((30, 200), dtype=bool)
    np.put_along_axis(finds, nearest, True, axis=1)
    best = np.where(
        finds.any(axis=0), np.where(finds, similarity, -2).argmax(axis=0), -1
    )
    np.testing.assert_array_equal(found["anchor"], best)
    in_subpool = best >= 0
    assert in_subpool.sum() < 200
    np.testing.assert_array_equal(found["strategy"] != "", in_subpool)
    np.testing.assert_allclose(
        found["anchor_similarity"][in_subpool],
        similarity[best, np.arange(200)][in_subpool],
        rtol=1e-5,
    )
    assert found["anchor_label"][in_subpool].tolist() == Y[best[in_subpool]].tolist()
    assert set(found["anchor_label"][~in_subpool]) <= {None}
    assert set(found["n_ranked"][in_subpool]) == {in_subpool.sum()}
    assert found["n_ranked"][~in_subpool].max() == 0


def test_the_clusters_are_those_that_decided():
    learner = learner_with(REAL(n_clusters=5))
    found = learner.explain_query(POOL, rows=np.arange(200)).columns
    predicted, clusters = found["predicted"], found["cluster"]
    assert set(clusters) == set(range(5))
    picked = np.flatnonzero(found["order"])
    for row in picked:
        mine = predicted[clusters == clusters[row]]
        assert predicted[row] != np.bincount(mine).argmax()  # a pseudo-error
    learner = learner_with(KMeansSub(n_clusters=3, n_per_cluster=10))
    found = learner.explain_query(POOL).columns
    clusters = learner._view(POOL, None).cluster(3)
    np.testing.assert_array_equal(found["cluster"], clusters[found["row"]])


def test_what_is_inside_picks():
    learner = learner_with(Combine([Margin(), RandomSampling()], shares=[4, 2]))
    found = learner.explain_query(POOL).columns
    assert found["strategy"].tolist() == ["Margin"] * 4 + ["RandomSampling"] * 2
    assert found["n_ranked"].tolist() == [200] * 4 + [196] * 2
    learner = learner_with(Combine([Margin(), BADGE()], shares=[4, 2]))
    found = learner.explain_query(POOL).columns
    assert found["strategy"].tolist() == ["Margin"] * 4 + ["BADGE"] * 2
    assert np.isnan(found["score"]).tolist() == [False] * 4 + [True] * 2
    assert found["n_ranked"].tolist() == [200] * 4 + [0] * 2
    committee = Committee(LogisticRegression(), bootstrap=True, n_estimators=3)
    found = learner_with(BatchBALD(), committee).explain_query(POOL).columns
    assert found["rank"][0] == 1
    assert np.isfinite(found["score"]).all()


def test_rows_that_were_not_to_be_picked():
    ids = np.arange(200)
    learner = learner_with(Entropy())
    rows = learner.query(POOL, ids=ids)
    learner.teach(POOL[rows], Y[30:][rows], ids=rows)
    excluded = np.setdiff1d(ids, rows)[:3]
    explained = learner.explain_query(
        POOL, rows=[*rows, *excluded, 99], exclude=excluded, ids=ids
    )
    found = explained.columns
    assert found["strategy"].tolist() == [""] * 9 + ["Entropy"]
    assert np.isnan(found["score"][:9]).all()
    assert found["n_ranked"][9] == 191
    assert "not picked: not among the rows to choose from" in repr(explained)


@pytest.fixture(scope="module")
def of_texts(sentences):
    """A learner on sentences, with anchors, and the sentences it has not seen."""
    texts, y, _, _ = sentences
    encoder = make_pipeline(TfidfVectorizer(), TruncatedSVD(20, random_state=0))
    classifier = make_pipeline(TfidfVectorizer(), LogisticRegression())
    strategy = AnchorAL(Entropy(), encoder=encoder, n_anchors=2)
    learner = ActiveLearner(classifier, strategy, n_queries=12, random_state=0)
    names = np.array(["skorch", "joblib"])
    return learner.fit(texts[:60], names[y[:60]]), texts[60:]


def test_texts(of_texts):
    learner, pool = of_texts
    explanation = learner.explain_query(pool)
    found = explanation.columns
    assert found["text"] == [pool[row] for row in found["row"]]
    known = learner.X_labeled_
    for near, texts in zip(found["nearest"], found["nearest_text"], strict=True):
        assert texts == [known[row] for row in near]
    assert found["anchor_text"].tolist() == [known[row] for row in found["anchor"]]
    vectors = learner.estimator_[0].transform(
        [found["text"][0], *found["nearest_text"][0]]
    )
    similarity = (vectors[1:] @ vectors[0].T).toarray().ravel()
    np.testing.assert_allclose(found["nearest_similarity"][0], similarity)


def test_what_is_printed(of_texts):
    learner, pool = of_texts
    explanation = learner.explain_query(pool)
    found = explanation.columns
    text = repr(explanation)
    assert text.startswith("12 rows, 12 picked\n\nrow ")
    assert text.endswith("\n\n... and 2 more: see to_frame()")
    first = text.split("\n\n")[1].splitlines()
    assert first[0].startswith(f"row {found['row'][0]}: {found['text'][0][:20]!r}"[:-1])
    score, n_ranked = found["score"][0], found["n_ranked"][0]
    line = f"  picked 1st by Entropy: score {score:.4g}, rank 1 of {n_ranked}"
    assert first[1] == line
    assert first[2].startswith(f"  predicted {found['predicted'][0]} 0.")
    assert first[3].startswith(f"  nearest labelled: {found['nearest_label'][0][0]} ")
    assert first[6].startswith(f"  anchor: {found['anchor_label'][0]} ")
    assert max(map(len, text.splitlines())) <= 100
    assert "picked 2nd" in text
    assert "picked 10th" in text


def test_a_frame(of_texts, monkeypatch):
    learner, pool = of_texts
    explanation = learner.explain_query(pool)
    frame = explanation.to_frame()
    assert len(frame) == len(explanation) == 12
    assert frame.columns.tolist() == list(explanation.columns)
    assert frame["score"].is_monotonic_decreasing
    assert frame.loc[0, "nearest_text"] == explanation.columns["nearest_text"][0]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *args: None)
    with pytest.raises(
        ImportError, match=r'to_frame needs pandas.*"skal\[inspection\]"'
    ):
        explanation.to_frame()


def test_before_any_label():
    learner = ActiveLearner(LogisticRegression(), RandomSampling(), random_state=0)
    explanation = learner.explain_query(POOL, 2)
    np.testing.assert_array_equal(explanation.columns["row"], learner.query(POOL, 2))
    assert {"predicted", "nearest"}.isdisjoint(explanation.columns)
    assert "picked 1st by RandomSampling" in repr(explanation)
    with pytest.raises(NotQueryableError):
        ActiveLearner(LogisticRegression()).explain_query(POOL)


def test_a_classifier_without_probabilities():
    learner = learner_with(RandomSampling(), LinearSVC())
    explanation = learner.explain_query(POOL, 1)
    assert not any(name.startswith("proba_") for name in explanation.columns)
    label = learner.predict(POOL[explanation.columns["row"]])[0]
    assert f"\n  predicted {label}\n" in repr(explanation)


def test_a_frozen_classifier():
    frozen = FrozenEstimator(LogisticRegression().fit(X[:30], Y[:30]))
    learner = ActiveLearner(frozen, Entropy(), random_state=0)
    found = learner.explain_query(POOL, 3).columns
    np.testing.assert_array_equal(
        found["predicted"], frozen.predict(POOL[found["row"]])
    )
    assert "nearest" not in found


def test_nothing_is_left_behind():
    learner = learner_with(AnchorAL(Entropy()))
    learner.query(POOL)
    log = learner._log
    assert log.steps is None
    learner.explain_query(POOL)
    assert learner._log is log


def test_a_pool_of_which_all_is_labelled():
    learner = learner_with(Entropy())
    with pytest.warns(match="6 rows were asked for, 0 are left"):
        explanation = learner.explain_query(POOL, exclude=np.arange(200))
    assert len(explanation) == 0
    assert repr(explanation) == "0 rows, 0 picked"
    assert explanation.to_frame().empty


def test_what_is_refused():
    learner = learner_with(Entropy())
    with pytest.raises(ValueError, match="from 0 to 199. Got 200"):
        learner.explain_query(POOL, rows=[200])
    with pytest.raises(ValueError, match="n_neighbors"):
        learner.explain_query(POOL, n_neighbors=0)
    with pytest.raises(ValueError, match="n_queries"):
        learner.explain_query(POOL, 0)


def test_ordinals():
    columns = {"row": [0], "strategy": ["S"], "score": [np.nan]}
    for order, word in [
        (1, "1st"),
        (2, "2nd"),
        (3, "3rd"),
        (11, "11th"),
        (112, "112th"),
    ]:
        text = repr(QueryExplanation(columns | {"order": [order]}))
        assert f"picked {word} by S" in text
