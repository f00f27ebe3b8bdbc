# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""REAL through the class: the authors' picks, the paper's rules, awkward pools."""

from pathlib import Path

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression

from skal import ActiveLearner, TransformerClassifier
from skal.base import PoolView
from skal.exceptions import MissingCapabilityError, SingleClassWarning
from skal.strategies import REAL, CartographyAL, RandomSampling

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "real").glob("*.npz"))
CLUSTERED = [path for path in GOLDEN if "X" in np.load(path)]
VARIANTS = ["real", "pool", "uniform", "cluster", "entropy"]
# Cases in which equal scores leave several right answers.
TIED = {"awk_dup", "awk_onehot", "hand_tie_empty"}


def of(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


class Says:
    """A classifier that says what it was told of each row, given by its number."""

    def __init__(self, proba, embedding):
        self.told = {"proba": proba, "embedding": embedding}
        self.classes_ = np.arange(proba.shape[1])
        self.n_passes = 0

    def predict_outputs(self, X, outputs):
        self.n_passes += 1
        rows = X[:, 0].astype(int)
        return {name: self.told[name][rows] for name in outputs}


class GivenClusters(REAL):
    """REAL with the clusters of the golden file, or of its embedding's one column."""

    def _cluster(self, embedding, rng):
        clusters = embedding[:, 0].astype(np.int64)
        return clusters, np.zeros((int(embedding[0, 1]), 1))


def view_of(proba, embedding, **kwargs):
    proba = np.asarray(proba, dtype=np.float64)
    rows = np.arange(len(proba))[:, None]
    says = Says(proba, np.asarray(embedding, dtype=np.float32))
    reads = REAL().reads
    return PoolView(rows, estimator=says, classes=says.classes_, reads=reads, **kwargs)


def golden_view(case, **kwargs):
    clusters = np.column_stack([case["cluster_id"], np.full(len(case["probs"]), 0)])
    clusters[:, 1] = case["K"]
    return view_of(case["probs"], clusters, **kwargs)


def picks(case, variant, compat=None, **kwargs):
    strategy = GivenClusters(variant=variant, compat=compat)
    rows = strategy._query(golden_view(case, **kwargs), int(case["b"]))
    assert len(np.unique(rows)) == len(rows) == case["b"]
    return rows


# The authors' code.


def deciding(case, variant, rows):
    """What the picks were decided by: equal for batches that differ by ties alone."""
    score = case["entropy" if variant == "entropy" else "code_eps"]
    cluster = np.zeros_like if variant == "pool" else case["cluster_id"].__getitem__
    return sorted(zip(cluster(rows).tolist(), score[rows].tolist(), strict=True))


@of(GOLDEN)
@pytest.mark.parametrize("variant", VARIANTS[1:])
def test_reference_picks_are_the_golden_ones(path, variant):
    case = np.load(path)
    rows = picks(case, variant, "reference")
    golden = case[f"code_{variant}_selected"]
    if path.stem in TIED:
        assert deciding(case, variant, rows) == deciding(case, variant, golden)
    else:
        assert sorted(rows.tolist()) == sorted(golden.tolist())


@of([path for path in GOLDEN if np.load(path)["code_real_is_deterministic"]])
def test_reference_real_is_the_golden_one(path):
    case = np.load(path)
    rows = picks(case, "real", "reference")
    assert rows.tolist() == case["code_real_selected"].tolist()


def assert_reference_real(case, rows):
    """Held to what the draws leave fixed: the budgets, and who may be drawn."""
    clusters, is_error = case["cluster_id"], case["code_is_pseudo_error"] == 1
    golden = case["code_real_selected"]
    assert np.array_equal(np.bincount(clusters[rows]), np.bincount(clusters[golden]))
    for k in np.unique(clusters[rows]):
        own = rows[clusters[rows] == k]
        if is_error[clusters == k].sum() > case["code_budget"][k]:
            assert is_error[own].all()
        else:
            eps = sorted(case["code_eps"][own].tolist())
            theirs = golden[clusters[golden] == k]
            assert eps == sorted(case["code_eps"][theirs].tolist())


@of(GOLDEN)
def test_reference_real_draws_as_the_golden_one(path):
    case = np.load(path)
    for seed in range(10):
        assert_reference_real(case, picks(case, "real", "reference", seed=seed))
    assert_reference_real(case, case["code_real_selected"])


@pytest.mark.skipif(
    tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 9),
    reason="MiniBatchKMeans made other clusters before scikit-learn 1.9",
)
@of(CLUSTERED)
def test_reference_clusters_are_the_golden_ones(path):
    case = np.load(path)
    strategy = REAL(n_clusters=int(case["K"]), compat="reference")
    table = strategy._represent(view_of(case["probs"], case["X"], seed=3))
    assert np.array_equal(table[:, 0], case["cluster_id"])
    assert np.array_equal(table[:, 1], case["code_is_pseudo_error"])
    np.testing.assert_allclose(table[:, 2], case["code_eps"], atol=1e-6)
    density = case["code_density"][case["cluster_id"]]
    np.testing.assert_allclose(table[:, 3], density, rtol=1e-5)


# The paper.


def by_hand(case, variant):
    """Algorithm 1, cluster by cluster: rows to pick from, how many, and in what order.

    None for the order means at random.
    """
    eps, entropy = case["paper_eps"], case["entropy"]
    n_clusters, size = int(case["K"]), int(case["b"])
    budget = case["paper_budget"]
    if variant == "uniform":
        budget = np.full(n_clusters, size // n_clusters)
        if budget[0]:
            budget[: size - budget.sum()] += 1
    if variant == "pool":
        budget = np.zeros(n_clusters, dtype=int)
    order = {"cluster": eps, "entropy": entropy}.get(variant)
    for k in range(n_clusters):
        rows = np.flatnonzero(case["cluster_id"] == k)
        if variant != "cluster":
            rows = rows[case["paper_is_pseudo_error"][rows] == 1]
        yield rows, min(len(rows), budget[k]), order


def assert_paper(case, variant, rows):
    rows, start = rows.tolist(), 0
    for allowed, size, order in by_hand(case, variant):
        own = rows[start : start + size]
        start += size
        assert set(own) <= set(allowed.tolist())
        if order is not None:
            best = sorted(allowed.tolist(), key=lambda row: (-order[row], row))
            np.testing.assert_allclose(order[own], order[best[:size]], rtol=1e-5)
    if variant == "real":
        assert len(rows) - start == case["paper_n_fallback"]
    taken = set(rows[:start])
    rest = [row for row in case["paper_fallback_order"].tolist() if row not in taken]
    assert rows[start:] == rest[: len(rows) - start]


@of(GOLDEN)
@pytest.mark.parametrize("variant", VARIANTS)
def test_picks_follow_the_paper(path, variant):
    case = np.load(path)
    for seed in range(10):
        assert_paper(case, variant, picks(case, variant, seed=seed))


@of(GOLDEN)
def test_columns_are_cluster_error_epsilon_and_density(path):
    case = np.load(path)
    table = GivenClusters()._represent(golden_view(case))
    clusters = case["cluster_id"]
    assert np.array_equal(table[:, 0], clusters)
    assert np.array_equal(table[:, 1], case["paper_is_pseudo_error"])
    np.testing.assert_allclose(table[:, 2], case["paper_eps"], atol=1e-6)
    np.testing.assert_allclose(table[:, 3], case["paper_density"][clusters], rtol=1e-5)


@of(GOLDEN)
@pytest.mark.parametrize("seed", range(5))
def test_random_picks_in_its_place_would_fail(path, seed):
    case = np.load(path)
    rows = RandomSampling(random_state=seed)._query(golden_view(case), int(case["b"]))
    for variant in VARIANTS:
        with pytest.raises(AssertionError):
            assert_paper(case, variant, rows)
    with pytest.raises(AssertionError):
        assert_reference_real(case, rows)
    for variant in VARIANTS[1:]:
        golden = deciding(case, variant, case[f"code_{variant}_selected"])
        assert deciding(case, variant, rows) != golden


@pytest.mark.parametrize("variant", ["real", "uniform"])
def test_every_pseudo_error_of_a_cluster_is_drawn_equally_often(variant):
    proba = np.tile([0.9, 0.1], (30, 1))
    proba[:10] = proba[:10, ::-1]
    view = view_of(proba, np.tile([0, 1], (30, 1)))
    counts = np.zeros(30)
    for seed in range(2000):
        strategy = GivenClusters(variant=variant, random_state=seed)
        counts[strategy._query(view, 3)] += 1
    assert not counts[10:].any()
    # 2000 draws of 3 out of 10: 600 expected each, standard deviation 20.
    assert abs(counts[:10] - 600).max() < 5 * 20


def test_every_round_draws_anew_and_a_query_twice_is_the_same():
    case = np.load(GOLDEN[-1])
    rounds = [tuple(picks(case, "real", round_=r)) for r in range(5)]
    assert len(set(rounds)) == 5
    view = golden_view(case)
    strategy = GivenClusters(random_state=0)
    assert np.array_equal(strategy._query(view, 7), strategy._query(view, 7))


def test_pseudo_errors_are_found_in_clusters_of_its_own():
    """Three blobs; a few rows of each are predicted as the next class."""
    rng = np.random.RandomState(0)
    blob = np.repeat([0, 1, 2], 100)
    X = rng.normal(size=(300, 5)) * 0.1 + 10 * np.eye(3, 5)[blob]
    wrong = np.concatenate([np.arange(3), np.arange(100, 109), np.arange(200, 212)])
    proba = np.full((300, 3), 0.05)
    proba[np.arange(300), blob] = 0.9
    proba[wrong] = np.roll(proba[wrong], 1, axis=1)
    view = view_of(proba, X)
    assert view.estimator.n_passes == 0
    rows = REAL(n_clusters=3, random_state=0)._query(view, 8)
    assert view.estimator.n_passes == 1
    assert set(rows.tolist()) <= set(wrong.tolist())
    # 8 * [3, 9, 12] / 24
    assert np.bincount(blob[rows]).tolist() == [1, 3, 4]
    rows = REAL(n_clusters=3, variant="uniform", random_state=0)._query(view, 9)
    assert np.bincount(blob[rows]).tolist() == [3, 3, 3]


# Awkward pools.


def uncertain(n_rows, n_classes=3):
    return np.random.RandomState(1).dirichlet(np.ones(n_classes), size=n_rows)


def vectors(n_rows, d=4):
    return np.random.RandomState(2).normal(size=(n_rows, d))


AWKWARD = {
    "duplicates": (np.repeat(uncertain(10), 4, axis=0), np.repeat(vectors(10), 4, 0)),
    "one-hot": (np.eye(3)[np.arange(40) % 3], vectors(40)),
    "zero variance": (uncertain(40), np.ones((40, 4))),
    "all equal": (np.full((40, 2), 0.5), np.zeros((40, 4))),
    "no pseudo-error": (np.tile([0.6, 0.4], (40, 1)), vectors(40)),
    "sure and right": (np.tile([1.0, 0.0], (40, 1)), vectors(40)),
    "one pseudo-error": (np.eye(2)[(np.arange(40) == 7).astype(int)], vectors(40)),
    "one class": (np.ones((40, 1)), vectors(40)),
    "one row": (uncertain(1), vectors(1)),
    "fewer rows than clusters": (uncertain(12), vectors(12)),
    "huge": (uncertain(40), vectors(40) * 1e30),
    "tiny": (uncertain(40), vectors(40) * 1e-30),
    "one far row": (uncertain(40), vectors(40) + 1e4 * (np.arange(40) == 3)[:, None]),
}


@pytest.mark.parametrize("compat", [None, "reference"])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("pool", AWKWARD)
def test_awkward_pools_give_whole_batches(pool, variant, compat):
    proba, embedding = AWKWARD[pool]
    for n_clusters in (1, 5, 25, 1000):
        strategy = REAL(n_clusters=n_clusters, variant=variant, compat=compat)
        for n_queries in (1, len(proba) // 3 + 1, len(proba)):
            rows = strategy._query(view_of(proba, embedding), n_queries)
            assert len(np.unique(rows)) == len(rows) == n_queries
            assert 0 <= rows.min() <= rows.max() < len(proba)


@pytest.mark.parametrize("variant", VARIANTS)
def test_without_pseudo_errors_the_largest_epsilon_goes_first(variant):
    confident = np.linspace(0.95, 0.55, 20)
    proba = np.column_stack([confident, 1 - confident])
    rows = REAL(n_clusters=1, variant=variant)._query(view_of(proba, vectors(20)), 4)
    assert rows.tolist() == [19, 18, 17, 16]


def test_a_seed_of_one_class():
    X = vectors(60)
    learner = ActiveLearner(LogisticRegression(), REAL(), random_state=0)
    with pytest.warns(SingleClassWarning):
        learner.fit(X[:10], ["a"] * 10)
    assert len(learner.query(X, 7)) == 7
    learner = ActiveLearner(LogisticRegression(), REAL(), random_state=0)
    assert len(learner.fit(X[:10], ["a", "b"] * 5).query(X, 7)) == 7


@pytest.mark.parametrize("strategy", [REAL(), CartographyAL()], ids=repr)
def test_a_seed_of_texts_of_one_class(strategy, tiny_checkpoint, toy_texts):
    texts, _ = toy_texts
    classifier = TransformerClassifier(tiny_checkpoint)
    learner = ActiveLearner(classifier, strategy, random_state=0)
    with pytest.warns(SingleClassWarning):
        learner.fit(texts[:10], ["a"] * 10)
    assert len(learner.query(texts, 7)) == 7


def test_a_classifier_without_an_embedding_is_refused_before_any_work():
    learner = ActiveLearner(LogisticRegression(), REAL())
    with pytest.raises(MissingCapabilityError, match="REAL reads 'embedding'"):
        learner.fit(["a text", "another"], [0, 1])


@pytest.mark.parametrize(
    "params", [{"n_clusters": 0}, {"variant": "all"}, {"compat": "code"}]
)
def test_parameters_are_checked(params):
    with pytest.raises(ValueError, match=f"The '{next(iter(params))}' parameter"):
        REAL(**params).fit(vectors(5), [0, 1, 0, 1, 0], estimator=Says(np.eye(2), None))
