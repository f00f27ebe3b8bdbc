# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""AcTune through the class: the authors' picks, the paper's rules, awkward pools."""

from pathlib import Path

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression

from skal import ActiveLearner
from skal.base import PoolView
from skal.exceptions import MissingCapabilityError, SingleClassWarning
from skal.functional import contrastive_scores, entropy, region_rows, region_scores
from skal.strategies import AcTune, RandomSampling

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "actune").glob("*.npz"))
UNCERTAINTY = {"entropy": "entropy", "cal": "contrastive"}
CASES = [
    pytest.param(path, kind, id=f"{path.stem}-{kind}")
    for path in GOLDEN
    for kind in UNCERTAINTY
    if f"{kind}_code_rank" in np.load(path)
]
# Cases in which equal uncertainties, or scores of regions, leave several right answers.
TIED = {"awk_agree", "awk_onehot"}


class Says:
    """A classifier that says what it was told of each row, given by its number."""

    def __init__(self, proba, embedding):
        self.told = {"proba": proba, "embedding": embedding}
        self.n_passes = 0

    def predict_outputs(self, X, outputs):
        self.n_passes += 1
        rows = np.asarray(X)[:, 0].astype(int)
        return {name: self.told[name][rows] for name in outputs}


def view_of(proba, embedding, labeled_proba=None, labeled_embedding=None, **kwargs):
    proba = np.asarray(proba, dtype=np.float64)
    embedding = np.asarray(embedding, dtype=np.float32)
    rows = np.arange(len(proba))[:, None]
    if labeled_proba is not None:
        n = len(labeled_proba)
        proba = np.concatenate([proba, labeled_proba])
        embedding = np.concatenate([embedding, labeled_embedding]).astype(np.float32)
        numbers = len(rows) + np.arange(n)[:, None]
        kwargs["labeled"] = numbers, np.zeros(n), np.zeros(n, dtype=int)
    classes = np.arange(proba.shape[1])
    says = Says(proba, embedding)
    return PoolView(rows, estimator=says, classes=classes, **kwargs)


def golden_view(case, embedding=None, **kwargs):
    embedding = case["X"] if embedding is None else embedding
    labeled = ()
    if "X_labeled" in case and embedding.shape[1] == case["X_labeled"].shape[1]:
        labeled = case["probs_labeled"], case["X_labeled"]
    return view_of(case["probs"], embedding, *labeled, **kwargs)


class GivenClusters(AcTune):
    """AcTune with the clusters of the golden file, its embedding's one column."""

    def _cluster(self, view, scores):
        clusters = view.embedding[:, 0].astype(np.int64)
        return clusters, int(view.embedding[0, 1])


def clusters_of(case, kind):
    clusters = np.column_stack([case[f"{kind}_cluster_id"], np.zeros(len(case["X"]))])
    clusters[:, 1] = case["K"]
    return clusters


def reference(case, kind, cls=AcTune):
    return cls(
        n_clusters=int(case["K"]),
        uncertainty=UNCERTAINTY[kind],
        max_share=1 / int(case["topK"]),
        compat="reference",
    )


def assert_the_golden_rows(path, kind, rows):
    case = np.load(path)
    expected, u = case[f"{kind}_code_selected"], case[f"{kind}_uncertainty"]
    if path.stem in TIED:
        assert sorted(u[rows].tolist()) == sorted(u[expected].tolist())
    else:
        assert rows.tolist() == expected.tolist()


# The authors' code.

needs_its_clusters = pytest.mark.skipif(
    tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 9),
    reason="MiniBatchKMeans made other clusters before scikit-learn 1.9",
)


@needs_its_clusters
@pytest.mark.parametrize(("path", "kind"), CASES)
def test_reference_picks_are_the_golden_ones(path, kind):
    if path.stem == "awk_agree":  # its weights, all below 1e-17, are rounding noise
        return
    case = np.load(path)
    rows = reference(case, kind)._query(golden_view(case), int(case["b"]))
    assert_the_golden_rows(path, kind, rows)


@needs_its_clusters
@pytest.mark.parametrize(("path", "kind"), CASES)
def test_reference_columns_are_the_golden_ones(path, kind):
    if path.stem == "awk_agree":
        return
    case = np.load(path)
    clusters, u, regions = reference(case, kind)._represent(golden_view(case)).T
    assert np.array_equal(clusters, case[f"{kind}_cluster_id"])
    np.testing.assert_allclose(u, case[f"{kind}_uncertainty"], atol=5e-6)
    expected = case[f"{kind}_code_region_score"][case[f"{kind}_cluster_id"]]
    np.testing.assert_allclose(regions, expected, atol=5e-6)


def test_reference_picks_of_a_sure_classifier_are_the_golden_ones():
    path = next(path for path in GOLDEN if path.stem == "awk_agree")
    case = np.load(path)
    view = golden_view(case, clusters_of(case, "entropy"))
    rows = reference(case, "entropy", GivenClusters)._query(view, int(case["b"]))
    u = case["entropy_uncertainty"]
    expected = case["entropy_code_selected"]
    np.testing.assert_allclose(np.sort(u[rows]), np.sort(u[expected]), rtol=1e-3)


@pytest.mark.parametrize("seed", range(20))
def test_random_picks_in_its_place_would_fail(seed):
    for path in GOLDEN:
        case = np.load(path)
        size = int(case["b"])
        if size == len(case["X"]):
            continue
        rows = RandomSampling(random_state=seed)._query(golden_view(case), size)
        with pytest.raises(AssertionError):
            assert_the_golden_rows(path, "entropy", rows)
        with pytest.raises(AssertionError):
            assert_paper(case, "entropy", rows)


# The paper.


def assert_paper(case, kind, rows, n_per_region=10):
    """Region by region, the least certain rows first, given the golden clusters."""
    u, clusters = case[f"{kind}_uncertainty"], case[f"{kind}_cluster_id"]
    regions = case[f"{kind}_paper_region_score"].astype(float)
    order = iter(sorted(set(clusters.tolist()), key=lambda k: -regions[k]))
    rows = rows.tolist()
    while rows:
        k = next(order)
        own = np.flatnonzero(clusters == k)
        n = min(len(own), n_per_region, len(rows))
        best = own[np.argsort(-u[own], kind="stable")][:n]
        np.testing.assert_allclose(u[rows[:n]], u[best], rtol=1e-4, atol=1e-6)
        assert set(clusters[rows[:n]]) == {k}
        rows = rows[n:]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_picks_follow_the_paper(path):
    case = np.load(path)
    size = min(int(case["b"]), len(case["X"]) // 2)
    view = golden_view(case, clusters_of(case, "entropy"))
    if path.stem == "awk_agree":  # scores that differ by rounding alone
        return
    rows = GivenClusters()._query(view, size)
    assert_paper(case, "entropy", rows)
    columns = GivenClusters()._represent(view)
    expected = case["entropy_paper_region_score"][case["entropy_cluster_id"]]
    np.testing.assert_allclose(columns[:, 2], expected, atol=1e-6)


@pytest.mark.parametrize("uncertainty", ["entropy", "contrastive"])
def test_query_is_the_kernels_on_what_the_classifier_says(uncertainty):
    case = np.load(GOLDEN[-2])
    view = golden_view(case)
    strategy = AcTune(n_clusters=7, uncertainty=uncertainty, beta=2, max_share=0.1)
    clusters, u, regions = strategy._represent(view).T
    clusters = clusters.astype(int)
    labeled = case["probs_labeled"].astype(float), case["X_labeled"]
    by = {
        "entropy": entropy(view.proba),
        "contrastive": contrastive_scores(view.proba, view.embedding, *labeled),
    }
    np.testing.assert_allclose(u, by[uncertainty])
    expected = region_scores(u, view.proba, clusters, beta=2)
    np.testing.assert_allclose(regions, expected[clusters])
    rows = region_rows(u, clusters, expected, 23, max_share=0.1)
    assert strategy._query(view, 23).tolist() == rows.tolist()
    reads_labeled = {"proba", "embedding"} if uncertainty == "contrastive" else set()
    assert strategy.reads.labeled == reads_labeled


def test_regions_of_its_own_are_found_and_weigh_by_uncertainty():
    """Two far blobs, one of them unsure; clusters are made where rows are unsure."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(400, 3)) + 50 * (np.arange(400) < 200)[:, None]
    proba = np.tile([0.999, 0.001], (400, 1))
    proba[:200] = rng.uniform(0.3, 0.7, size=200)[:, None]
    proba[:200, 1] = 1 - proba[:200, 0]
    view = view_of(proba, X)
    clusters, u, _ = AcTune(n_clusters=8, random_state=0)._represent(view).T
    assert len(set(clusters[:200])) > len(set(clusters[200:]))
    assert not set(clusters[:200]) & set(clusters[200:])
    rows = AcTune(n_clusters=8, random_state=0)._query(view, 40)
    assert rows.max() < 200
    assert u[rows].mean() > u[:200].mean()
    assert len(set(clusters[rows])) == 4


def test_every_round_clusters_anew_and_a_query_twice_is_the_same():
    case = np.load(GOLDEN[-1])
    strategy = AcTune(random_state=0)
    rounds = {tuple(strategy._query(golden_view(case, round_=r), 50)) for r in range(5)}
    assert len(rounds) == 5
    view = golden_view(case)
    assert np.array_equal(strategy._query(view, 50), strategy._query(view, 50))
    same = [
        AcTune(compat="reference")._query(golden_view(case, round_=r), 50)
        for r in range(2)
    ]
    assert np.array_equal(*same)


# Awkward pools.


def uncertain(n_rows, n_classes=3):
    return np.random.RandomState(1).dirichlet(np.ones(n_classes), size=n_rows)


def vectors(n_rows, d=4):
    return np.random.RandomState(2).normal(size=(n_rows, d))


AWKWARD = {
    "duplicates": (np.repeat(uncertain(10), 4, axis=0), np.repeat(vectors(10), 4, 0)),
    "one-hot": (np.eye(3)[np.arange(40) % 3], vectors(40)),
    "zero variance": (uncertain(40), np.ones((40, 4))),
    "zero vectors": (uncertain(40), np.zeros((40, 4))),
    "all equal": (np.full((40, 2), 0.5), np.ones((40, 4))),
    "one unsure row": (np.where(np.arange(40)[:, None] == 7, 0.5, [1, 0]), vectors(40)),
    "one class": (np.ones((40, 1)), vectors(40)),
    "one row": (uncertain(1), vectors(1)),
    "huge": (uncertain(40), vectors(40) * 1e30),
    "tiny": (uncertain(40), vectors(40) * 1e-30),
}


@pytest.mark.parametrize("compat", [None, "reference"])
@pytest.mark.parametrize("uncertainty", ["entropy", "contrastive"])
@pytest.mark.parametrize("pool", AWKWARD)
def test_awkward_pools_give_whole_batches(pool, uncertainty, compat):
    proba, embedding = AWKWARD[pool]
    for n_clusters in (1, 5, 1000):
        strategy = AcTune(n_clusters=n_clusters, uncertainty=uncertainty, compat=compat)
        view = view_of(proba, embedding, proba[:4], embedding[:4])
        for n_queries in (1, len(proba) // 3 + 1, len(proba)):
            rows = strategy._query(view, n_queries)
            assert len(np.unique(rows)) == len(rows) == n_queries
            assert 0 <= rows.min() <= rows.max() < len(proba)


@pytest.mark.parametrize("uncertainty", ["entropy", "contrastive"])
def test_a_seed_of_one_class(uncertainty):
    X = vectors(60)
    strategy = AcTune(uncertainty=uncertainty)
    learner = ActiveLearner(LogisticRegression(), strategy, random_state=0)
    with pytest.warns(SingleClassWarning):
        learner.fit(X[:10], ["a"] * 10)
    assert len(learner.query(X, 7)) == 7


def test_a_classifier_without_an_embedding_is_refused_before_any_work():
    learner = ActiveLearner(LogisticRegression(), AcTune())
    with pytest.raises(MissingCapabilityError, match="AcTune reads 'embedding'"):
        learner.fit(["a text", "another"], [0, 1])


@pytest.mark.parametrize(
    "params",
    [
        {"n_clusters": 0},
        {"uncertainty": "cal"},
        {"beta": -1},
        {"n_per_region": 0},
        {"max_share": 0.0},
        {"n_neighbors": 0},
        {"compat": "code"},
    ],
)
def test_parameters_are_checked(params):
    with pytest.raises(ValueError, match=f"The '{next(iter(params))}' parameter"):
        AcTune(**params).fit(vectors(5), [0, 1, 0, 1, 0], estimator=Says(None, None))
