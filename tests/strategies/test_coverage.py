# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Diversity, gradient length and contrast through their classes; mutation checks."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import normalize

from skal import ActiveLearner, TransformerClassifier
from skal.base import PoolView, ScoreStrategy
from skal.exceptions import MissingCapabilityError, NotQueryableError
from skal.filters import SEALS, AnchorAL, RandSub
from skal.strategies import (
    PLMKM,
    BertKM,
    CartographyAL,
    ContrastiveAL,
    CoreSet,
    DiverseMiniBatch,
    Entropy,
    ExpectedGradientLength,
    FTBertKM,
    Margin,
    RandomSampling,
    SuggestiveAnnotation,
    _embedding_k_means,
)
from skal.text import SentenceEncoder

GOLDEN = Path(__file__).parents[1] / "golden"


def cases(folder, pattern="*"):
    paths = sorted((GOLDEN / folder).glob(f"{pattern}.npz"))
    assert paths
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


class Says(ClassifierMixin, BaseEstimator):
    """A classifier that says what it was told, row by row."""

    def __init__(self, proba=None, embedding=None):
        self.proba = proba
        self.embedding = embedding

    def predict_proba(self, X):
        return self.proba[np.asarray(X)[:, 0].astype(int)]

    def embed(self, X):
        return self.embedding[np.asarray(X)[:, 0].astype(int)]


def view_of(proba, embedding, labeled=(), **kwargs):
    """A pool of all rows but the labelled ones; and their positions."""
    rows = np.setdiff1d(np.arange(len(embedding)), labeled)
    known = np.asarray(labeled, dtype=np.int64)
    view = PoolView(
        rows[:, None],
        estimator=Says(proba, np.float32(embedding)),
        classes=np.arange(0 if proba is None else proba.shape[1]),
        labeled=(known[:, None], known, np.zeros(len(known), dtype=np.int64)),
        **kwargs,
    )
    return view, rows


def core_set_view(case):
    old = "features" in case
    X = case["features" if old else "X"]
    view, rows = view_of(None, X, case["current" if old else "labeled_idx"])
    picks = case["sel_kcenters" if old else "selected_order"]
    return view, rows, picks


@cases("core_set")
def test_core_set_picks_the_golden_rows(path):
    view, rows, picks = core_set_view(np.load(path))
    picked = rows[CoreSet()._query(view, len(picks))]
    if len(set(picks)) < len(picks):  # where the authors' code repeats itself
        picks = rows[: len(picks)]
    assert picked.tolist() == picks.tolist()
    assert np.array_equal(CoreSet()._represent(view), view.embedding)


@pytest.mark.parametrize("seed", range(20))
@cases("core_set")
def test_random_picks_in_place_of_core_set_would_fail(path, seed):
    view, rows, picks = core_set_view(np.load(path))
    drawn = RandomSampling(random_state=seed)._query(view, len(picks))
    assert rows[drawn].tolist() != picks.tolist()


def k_means_view(strategy, case, **kwargs):
    """The golden vectors as the pool itself, or as what the classifier embeds."""
    if isinstance(strategy, BertKM):
        return PoolView(np.float32(case["X"]), **kwargs)
    return view_of(None, case["X"], **kwargs)[0]


with_k_means = pytest.mark.parametrize(
    ("strategy", "path"),
    [
        pytest.param(strategy, path, id=f"{type(strategy).__name__}-{path.stem}")
        for strategy in (BertKM(random_state=0), FTBertKM(random_state=0), PLMKM())
        for path in sorted((GOLDEN / "bert_km").glob("*.npz"))
        if isinstance(strategy, PLMKM) == path.stem.endswith("plmkm")
    ],
)


def vectors_of(strategy, case):
    X = np.float32(case["X"])
    return X if isinstance(strategy, PLMKM) else normalize(X)


@with_k_means
def test_k_means_picks_the_golden_rows_given_the_centres(strategy, path, monkeypatch):
    case = np.load(path)
    seen = []

    def golden_centers(X, n_clusters, **kwargs):
        seen.append((X, n_clusters))
        distinct = np.unique(case["centers"], axis=0, return_index=True)[1]
        return None, case["centers"][np.sort(distinct)]

    monkeypatch.setattr(_embedding_k_means, "k_means", golden_centers)
    k = int(case["k"])
    rows = strategy._query(k_means_view(strategy, case), k)
    [(clustered, n_clusters)] = seen
    np.testing.assert_allclose(clustered, vectors_of(strategy, case), atol=1e-6)
    assert n_clusters == k
    assert len(set(rows.tolist())) == len(rows) == k
    # All but those between two rows, which are as near as one another.
    assert np.isin(np.unique(case["nearest_idx"]), rows).mean() >= 0.95


@pytest.mark.parametrize(
    ("strategy", "name"),
    [
        (BertKM(random_state=0), "s1_n500_d64_norm"),
        (FTBertKM(random_state=0), "s0_n50_d8_norm"),
        (FTBertKM(random_state=0), "s1_n500_d64_norm"),
        (PLMKM(random_state=0), "s0_n50_d8_raw_plmkm"),
        (PLMKM(random_state=0), "s1_n500_d64_raw_plmkm"),
    ],
)
def test_k_means_stands_for_the_pool_and_random_rows_would_not(strategy, name):
    """The distance of all rows to the nearest one picked."""
    with np.load(GOLDEN / "bert_km" / f"{name}.npz") as case:
        X, k = vectors_of(strategy, case), int(case["k"])
        view = k_means_view(strategy, case)

    def spread(rows):
        return cdist(X, X[rows], "sqeuclidean").min(axis=1).sum()

    own = spread(strategy._query(view, k))
    for seed in range(20):
        assert own < spread(RandomSampling(random_state=seed)._query(view, k))


def test_rows_that_are_missing_are_drawn_at_random():
    X = np.repeat(np.eye(4), 10, axis=0)
    view = view_of(None, X)[0]
    batches = [FTBertKM(random_state=seed)._query(view, 12) for seed in range(30)]
    assert all(set(rows[:4] // 10) == {0, 1, 2, 3} for rows in batches)
    assert all(len(set(rows.tolist())) == 12 for rows in batches)
    others = np.concatenate([rows[4:] for rows in batches])
    assert len(set(others.tolist())) > 35


def test_bert_km_needs_no_labels(toy_texts, tiny_checkpoint):
    X, _ = toy_texts
    classifier = TransformerClassifier(tiny_checkpoint, max_epochs=1, min_steps=1)
    learner = ActiveLearner(classifier, BertKM(), n_queries=7, random_state=0)
    rows = learner.query(X)
    encoder = SentenceEncoder(tiny_checkpoint)
    given = BertKM(encoder=encoder, random_state=0)
    assert not given.reads
    np.testing.assert_allclose(
        given.fit(X).transform(X), encoder.fit().transform(X), atol=1e-6
    )
    assert len(set(rows.tolist())) == 7
    with pytest.raises(NotQueryableError, match="FTBertKM reads"):
        ActiveLearner(classifier, FTBertKM()).query(X)


def test_the_first_batch_of_ft_bert_km_is_drawn_by_bert_km(toy_texts, tiny_checkpoint):
    X, y = toy_texts
    classifier = TransformerClassifier(
        tiny_checkpoint, max_epochs=1, min_steps=1, random_state=0
    )
    start = BertKM(random_state=0)
    learner = ActiveLearner(
        classifier, FTBertKM(), n_queries=9, budget=27, initial=start, random_state=0
    ).fit(X, y)
    alone = ActiveLearner(classifier, start, random_state=0).query(X, 9)
    first, *rest = (entry["rows"].tolist() for entry in learner.rounds_)
    assert sorted(first) == sorted(alone.tolist())
    assert len({row for rows in (first, *rest) for row in rows}) == 27


def test_bert_km_asks_for_an_encoder(toy_texts):
    X, y = toy_texts
    classifier = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(X, y)
    with pytest.raises(MissingCapabilityError, match="BertKM reads 'encoding'"):
        BertKM().fit(X, y, estimator=classifier)
    encoder = make_pipeline(TfidfVectorizer(), TruncatedSVD(8, random_state=0))
    strategy = BertKM(encoder=encoder, random_state=0).fit(X, y, estimator=classifier)
    assert len(set(strategy.query(X, 20).tolist())) == 20


def zhdanov_view(case):
    return view_of(np.float64(case["probs"]), case["X"])[0]


def mini_batch(case):
    return DiverseMiniBatch(prefilter_factor=int(case["beta"]), random_state=0)


@cases("zhdanov")
def test_diverse_mini_batch_picks_the_golden_rows_given_the_centres(path, monkeypatch):
    case = np.load(path)
    view, kept = zhdanov_view(case), case["prefilter_idx"]

    def golden_centers(X, n_clusters, *, sample_weight, random_state):
        assert np.array_equal(X, np.float32(case["X"])[kept])
        np.testing.assert_allclose(sample_weight, case["info_f64"][kept], atol=1e-12)
        return None, case["centers_f64"]

    monkeypatch.setattr(_embedding_k_means, "k_means", golden_centers)
    rows = mini_batch(case)._query(view, int(case["b"]))
    assert rows.tolist() == case["distinct_selected"].tolist()
    scores = mini_batch(case)._represent(view)[:, 0]
    np.testing.assert_allclose(scores, case["info_f64"], atol=1e-12)


@cases("zhdanov")
@pytest.mark.parametrize("weighted", [True, False])
def test_diverse_mini_batch_clusters_the_golden_candidates(path, weighted):
    """Around its picks the candidates lie closer than around random ones of them."""
    case = np.load(path)
    kept, b = case["prefilter_idx"], int(case["b"])
    strategy = mini_batch(case).set_params(weighted=weighted)
    rows = strategy._query(zhdanov_view(case), b)
    assert np.isin(rows, kept).all()
    assert len(set(rows.tolist())) == b
    X, weight = np.float64(case["X"]), np.ones(len(kept))
    if weighted and case["info_f64"][kept].any():
        weight = case["info_f64"][kept]

    def spread(rows):
        return weight @ cdist(X[kept], X[rows], "sqeuclidean").min(axis=1)

    drawn = [
        np.random.RandomState(seed).choice(kept, b, replace=False) for seed in range(20)
    ]
    assert spread(rows) < np.mean([spread(other) for other in drawn])


@pytest.mark.parametrize("seed", range(20))
@cases("zhdanov")
def test_random_picks_in_place_of_the_mini_batch_would_fail(path, seed):
    case = np.load(path)
    rows = RandomSampling(random_state=seed)._query(zhdanov_view(case), int(case["b"]))
    assert set(rows.tolist()) != set(case["distinct_selected"].tolist())


def test_candidates_are_filled_up_with_the_most_informative():
    proba = np.linspace(0.5, 1, 40)
    proba = np.column_stack([proba, 1 - proba])
    view = view_of(proba, np.repeat([[0.0], [9.0]], 20, axis=0))[0]
    rows = DiverseMiniBatch(prefilter_factor=4, random_state=0)._query(view, 6)
    assert len(set(rows.tolist())) == 6
    assert set(rows[2:].tolist()) <= {0, 1, 2, 3, 4}


class Given(ScoreStrategy):
    """Scores by position."""

    def __init__(self, scores=None):
        self.scores = scores

    def _score(self, view):
        return self.scores


def suggestive(case):
    """The strategy, its view and the golden picks."""
    strategy = SuggestiveAnnotation(
        Given(case["uncertainty_f64"]), prefilter_factor=int(case["K"]) / int(case["k"])
    )
    return strategy, view_of(None, case["X"])[0], case["selected_order"]


@cases("suggestive_annotation")
def test_suggestive_annotation_picks_the_golden_rows(path):
    case = np.load(path)
    strategy, view, picks = suggestive(case)
    assert strategy._query(view, len(picks)).tolist() == picks.tolist()
    assert np.array_equal(strategy._represent(view)[:, 0], case["uncertainty_f64"])


@pytest.mark.parametrize("seed", range(20))
@cases("suggestive_annotation")
def test_random_picks_in_place_of_suggestive_annotation_would_fail(path, seed):
    _, view, picks = suggestive(np.load(path))
    drawn = RandomSampling(random_state=seed)._query(view, len(picks))
    assert drawn.tolist() != picks.tolist()


def test_suggestive_annotation_reads_what_its_uncertainty_reads():
    assert SuggestiveAnnotation().reads.pool == {"embedding", "proba"}
    assert SuggestiveAnnotation(RandomSampling()).reads.pool == {"embedding"}
    assert SuggestiveAnnotation(RandomSampling()).draws_from_pool
    assert not SuggestiveAnnotation(Margin()).draws_from_pool
    rng = np.random.RandomState(0)
    view = view_of(rng.dirichlet(np.ones(4), 99), rng.normal(size=(99, 5)))[0]
    by_default = SuggestiveAnnotation()._query(view, 9)
    assert np.array_equal(by_default, SuggestiveAnnotation(Entropy())._query(view, 9))
    with pytest.raises(ValueError, match="uncertainty"):
        SuggestiveAnnotation("entropy").fit([[0.0]], [0])
    with pytest.raises(ValueError, match="t_cor"):
        SuggestiveAnnotation(CartographyAL(t_cor=7)).fit([[0.0]], [0])


@cases("egl", "*")
@pytest.mark.parametrize("bias", [True, False])
def test_gradient_lengths_are_the_golden_ones(path, bias):
    case = np.load(path)
    old = "probs" in case
    proba = case["probs" if old else "probs_f64"]
    key = {
        (False, True): "egl_f64",
        (False, False): "egl_weight_only_f64",
        (True, True): "egl_norm_weight_bias",
        (True, False): "egl_norm_weight_only",
    }[old, bias]
    view = view_of(proba, case["H"])[0]
    strategy = ExpectedGradientLength(bias=bias)
    scores = strategy._represent(view)[:, 0]
    np.testing.assert_allclose(scores, case[key], rtol=1e-6, atol=1e-14)
    best = np.argsort(-case[key], kind="stable")[:10]
    assert strategy._query(view, 10).tolist() == best.tolist()
    for seed in range(20):
        drawn = RandomSampling(random_state=seed)._query(view, 10)
        assert set(drawn.tolist()) != set(best.tolist())


def cal(path):
    """The strategy, its view and the golden case."""
    case = np.load(path)
    logits = np.concatenate([case["logits_unlabeled"], case["logits_labeled"]])
    embedding = np.concatenate([case["emb_unlabeled"], case["emb_labeled"]])
    n = len(case["emb_unlabeled"])
    proba = softmax(np.float64(logits), axis=1)
    view, _ = view_of(proba, embedding, np.arange(n, len(logits)))
    how = "max" if path.stem.startswith("max") else "mean"
    return ContrastiveAL(n_neighbors=int(case["k"]), aggregate=how), view, case


@cases("contrastive_cal")
def test_cal_picks_the_golden_rows(path):
    strategy, view, case = cal(path)
    scores = strategy._represent(view)[:, 0]
    np.testing.assert_allclose(scores, case["score_f64"], rtol=1e-6, atol=2e-6)
    rows = strategy._query(view, int(case["b"]))
    assert np.sort(rows).tolist() == case["selected_sorted"].tolist()


@pytest.mark.parametrize("seed", range(20))
@cases("contrastive_cal")
def test_random_picks_in_place_of_cal_would_fail(path, seed):
    _, view, case = cal(path)
    rows = RandomSampling(random_state=seed)._query(view, int(case["b"]))
    assert np.sort(rows).tolist() != case["selected_sorted"].tolist()


def test_without_labelled_rows_there_is_nothing_to_contrast_with():
    X, y = [[0.0], [1.0]], [0, 1]
    classifier = LogisticRegression().fit(X, y)
    strategy = ContrastiveAL().fit(X, estimator=classifier)
    with pytest.raises(NotQueryableError, match="there are none"):
        strategy.query(X)
    assert CoreSet().fit(X, estimator=classifier).query(X, 2).tolist() == [0, 1]


ALL = [
    CoreSet(),
    BertKM(random_state=0),
    FTBertKM(random_state=0),
    PLMKM(random_state=0),
    DiverseMiniBatch(random_state=0),
    SuggestiveAnnotation(),
    ExpectedGradientLength(),
    ContrastiveAL(),
]
with_all = pytest.mark.parametrize("strategy", ALL, ids=lambda s: type(s).__name__)


def awkward():
    rng = np.random.RandomState(0)
    proba, X = rng.dirichlet(np.ones(4), 60), rng.normal(size=(60, 6))
    one_hot = np.eye(4)[rng.randint(4, size=60)]
    return {
        "copies": (np.repeat(proba[:6], 10, axis=0), np.repeat(X[:6], 10, axis=0)),
        "one-hot": (one_hot, X),
        "one class": (np.eye(4)[[0] * 60], X),
        "no variance": (np.full((60, 4), 0.25), np.ones((60, 6))),
        "zero vectors": (proba, X * 0),
        "one-hot copies": (one_hot, np.repeat(X[:6], 10, axis=0)),
        "long vectors": (proba, X * 1e25),
    }


AWKWARD = awkward()


@with_all
@pytest.mark.parametrize("name", AWKWARD)
@pytest.mark.parametrize("n_labeled", [1, 3, 30])
def test_awkward_pools_give_valid_batches(strategy, name, n_labeled):
    """Warnings are errors in all tests."""
    proba, X = AWKWARD[name]
    labeled = np.arange(n_labeled)
    view, rows = view_of(proba, X, labeled)
    if isinstance(strategy, BertKM):
        view = PoolView(np.float32(X[rows]))
    for n in (1, 2, 20, len(view)):
        picked = strategy._query(view, n)
        assert picked.dtype == np.int64
        assert picked.shape == (n,)
        assert len(set(picked.tolist())) == n
        assert set(picked.tolist()) <= set(range(len(view)))


@with_all
@pytest.mark.parametrize(
    "pool_filter",
    [RandSub(max_subpool=40), SEALS(n_neighbors=20), AnchorAL(n_anchors=3)],
    ids=lambda f: type(f).__name__,
)
def test_inside_a_filter(strategy, pool_filter):
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(200, 6)), np.arange(200) % 3
    learner = ActiveLearner(
        LogisticRegression(),
        pool_filter.set_params(strategy=strategy),
        budget=45,
        initial=15,
        n_queries=10,
        random_state=0,
    ).fit(X, y)
    rows = np.concatenate([entry["rows"] for entry in learner.rounds_])
    assert len(set(rows.tolist())) == 45


@with_all
def test_memory_beside_what_is_read(strategy):
    """Twice the size of embeddings and probabilities at most, and a few blocks."""
    rng = np.random.RandomState(0)
    n, d, n_classes = 20_000, 96, 20
    X = rng.normal(size=(n, d)).astype(np.float32)
    proba = rng.dirichlet(np.ones(n_classes), n)
    view, rows = view_of(proba, X, np.arange(200))
    if isinstance(strategy, BertKM):
        view = PoolView(X[rows])
    reads = strategy.reads
    for part, names in ((view, reads.pool), (view.labeled, reads.labeled)):
        for name in names - {"encoding"}:
            getattr(part, name)
    size = X.nbytes + proba.nbytes * ("proba" in reads.pool)
    strategy._query(view.take(np.arange(100)), 2)
    tracemalloc.start()
    strategy._query(view, 40)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * size + 8e6
