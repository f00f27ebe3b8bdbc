# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""VAAL and MAL through their classes: golden picks, known answers, awkward pools."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import logit
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer

from skal import ActiveLearner
from skal.base import PoolView
from skal.exceptions import MissingCapabilityError
from skal.strategies import MAL, VAAL, RandomSampling

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "vaal").glob("sampler*.npz"))
of_golden = pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
of_both = pytest.mark.parametrize("cls", [VAAL, MAL])
SMALL = {"hidden_layer_sizes": (32,), "n_components": 8, "n_steps": 60, "lr": 2e-3}
SMALL |= {"device": "cpu"}
# What it takes to learn something from few rows.
LEARNS = SMALL | {"hidden_layer_sizes": (64,), "n_components": 32, "n_steps": 120}


class Says:
    """A classifier whose embedding is X."""

    def __init__(self):
        self.n_passes = 0

    def predict_outputs(self, X, outputs):
        self.n_passes += 1
        return dict.fromkeys(outputs, np.asarray(X, dtype=np.float32))


def view_of(labeled, pool, y=None, **kwargs):
    n = len(labeled)
    y = np.arange(n) % 2 if y is None else y
    labeled = labeled, np.asarray(y), np.zeros(n, dtype=int)
    kwargs = {"estimator": Says(), "classes": [0, 1], **kwargs}
    return PoolView(pool, labeled=labeled, **kwargs)


# The authors' picks.


class Told(torch.nn.Module):
    """In place of trained networks: says what stands in the vectors themselves."""

    def __init__(self, n_classes):
        super().__init__()
        self.weights = torch.nn.Parameter(torch.zeros(1))
        self.n_classes = n_classes

    def forward(self, X):
        return {"labeled": X[:, 0], "logits": X[:, 1:]}


def told(cls):
    class WithoutTraining(cls):
        def _train(self, neural, view, seed):
            return Told(2)

    return WithoutTraining()


def assert_the_golden_rows(case, rows):
    assert case["pool_ids"][rows].tolist() == case["selected"].tolist()


def golden_view(case):
    scores = case["disc_score"].astype(np.float64)
    return view_of(np.zeros((1, 1)), logit(scores)[:, None])


@of_golden
def test_vaal_picks_the_golden_rows(path):
    case = np.load(path)
    view = golden_view(case)
    rows = told(VAAL)._query(view, len(case["selected"]))
    assert_the_golden_rows(case, rows)
    scores = told(VAAL)._represent(view)[:, 0]
    np.testing.assert_allclose(scores, 1 - case["disc_score"], atol=1e-6)


@of_golden
@pytest.mark.parametrize("seed", range(20))
def test_random_picks_in_its_place_would_fail(path, seed):
    case = np.load(path)
    rows = RandomSampling(random_state=seed)._query(
        golden_view(case), len(case["selected"])
    )
    with pytest.raises(AssertionError):
        assert_the_golden_rows(case, rows)


def test_mal_picks_rows_that_are_uncertain_and_unlike_the_labeled():
    labeled = np.array([3.0, -1, -1, 2, -9, -2])
    gaps = np.array([0.0, 4, 1, 1.5, 2, 45])  # 45: C is all but sure
    vectors = np.stack([labeled, gaps, np.zeros(6)], axis=1)
    view = view_of(np.zeros((2, 3)), vectors)
    scores = told(MAL)._represent(view)[:, 0]
    by_entropy, by_discriminator = [6, 2, 5, 4, 3, 1], [1, 3.5, 3.5, 2, 6, 5]
    ranks = np.add(by_entropy, by_discriminator)
    np.testing.assert_allclose(scores, ranks / 12)
    assert told(MAL)._query(view, 6).tolist() == [4, 2, 0, 3, 5, 1]


def test_mal_picks_what_is_best_by_neither_rank_alone():
    vectors = np.array([[9.0, 0, 0], [-9, 9, 0], [-1, 1, 0], [8, 8, 0]])
    view = view_of(np.zeros((2, 3)), vectors)
    assert told(MAL)._query(view, 1).tolist() == [2]


def test_mal_of_one_class_picks_by_the_discriminator():
    vectors = np.stack([[3.0, -1, -2, 5], np.zeros(4)], axis=1)
    view = view_of(np.zeros((2, 2)), vectors)
    scores = told(MAL)._represent(view)[:, 0]
    np.testing.assert_allclose(scores, (2.5 + np.array([2, 3, 4, 1])) / 8)
    assert told(MAL)._query(view, 4).tolist() == [2, 1, 0, 3]


# Known answers.


def blobs(seed=0):
    """Labelled rows around one point, pool rows around that point and two others."""
    rng = np.random.RandomState(seed)
    labeled = rng.normal(size=(30, 10))
    centers = np.zeros((180, 10))
    centers[60:120, 0] = centers[120:, 1] = 8
    y = (labeled[:, 2] > 0).astype(int)
    return labeled, rng.normal(size=(180, 10)) + centers, y


def gap(scores):
    return scores[60:].mean() - scores[:60].mean()


def assert_unlike_the_labeled(rows):
    assert (rows >= 60).mean() > 0.85


@of_both
@pytest.mark.parametrize("seed", range(3))
def test_rows_of_the_blobs_without_labels_are_picked(cls, seed):
    view = view_of(*blobs(seed))
    assert view.estimator.n_passes == 0
    strategy = cls(**LEARNS, random_state=seed)
    assert_unlike_the_labeled(strategy._query(view, 30))
    assert view.estimator.n_passes == 2
    assert gap(strategy._represent(view)[:, 0]) > 0.05


@pytest.mark.parametrize("seed", range(20))
def test_random_picks_are_not_from_there(seed):
    rows = RandomSampling(random_state=seed)._query(view_of(*blobs()), 30)
    with pytest.raises(AssertionError):
        assert_unlike_the_labeled(rows)


def test_features_that_share_nothing_need_a_small_beta():
    """With 1 each feature is noise as a whole, and the codes of all rows are one."""
    view = view_of(*blobs())
    gaps = [
        gap(VAAL(**LEARNS, **params, random_state=0)._represent(view)[:, 0])
        for params in ({}, {"beta": 1.0})
    ]
    assert gaps[0] > 4 * abs(gaps[1])


def test_wide_vectors_are_told_apart_with_the_papers_loss_but_not_with_the_codes():
    """The code's weight of the divergence makes all rows the same to VAAL."""
    mix = np.random.RandomState(0).normal(size=(10, 200))
    labeled, pool, y = blobs()
    view = view_of(labeled @ mix, pool @ mix, y)
    gaps = [
        gap(VAAL(**LEARNS, beta=beta, random_state=0)._represent(view)[:, 0])
        for beta in (0.1, 1.0, 30 * 200 / 2)
    ]
    assert min(gaps[:2]) > 0.1
    assert min(gaps[:2]) > 10 * abs(gaps[2])


@of_both
def test_the_scale_of_the_vectors_does_not_matter(cls):
    labeled, pool, y = blobs()
    scales = 10.0 ** np.arange(-5, 5)
    strategy = cls(**SMALL, random_state=0)
    plain = strategy._represent(view_of(labeled, pool, y))
    scaled = strategy._represent(view_of(labeled * scales + 3, pool * scales + 3, y))
    assert np.corrcoef(plain[:, 0], scaled[:, 0])[0, 1] > 0.9


# What every query keeps.


@of_both
def test_the_seed_decides_and_the_global_generators_are_left_alone(cls):
    view = view_of(*blobs())
    states = torch.get_rng_state(), np.random.get_state()[1].tolist()
    strategy = cls(**SMALL, random_state=0)
    rows = strategy._query(view, 20)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.random.get_state()[1].tolist() == states[1]
    assert np.array_equal(rows, strategy._query(view, 20))
    later = strategy._query(view_of(*blobs(), round_=1), 20)
    assert not np.array_equal(rows, later)


def test_vaal_does_not_see_the_labels_and_mal_does():
    labeled, pool, y = blobs()
    for cls, same in [(VAAL, True), (MAL, False)]:
        scores = [
            cls(**SMALL, random_state=0)._represent(view_of(labeled, pool, labels))
            for labels in (y, 1 - y[::-1])
        ]
        assert np.array_equal(*scores) == same


def test_names_of_labels_do_not_matter():
    labeled, pool, y = blobs()
    strategy = MAL(**SMALL, random_state=0)
    scores = strategy._represent(view_of(labeled, pool, y))
    names = np.array(["ham", "spam"], dtype=object)[y]
    assert np.array_equal(scores, strategy._represent(view_of(labeled, pool, names)))


# What the networks read.


@of_both
def test_what_is_read_follows_the_encoder(cls):
    embedding = frozenset({"embedding"})
    assert cls().reads.pool == cls().reads.labeled == embedding
    frozen = cls(encoder="auto").reads
    assert (frozen.pool, frozen.labeled) == ({"encoding"}, frozenset())
    assert not cls(encoder=PCA(2)).reads


@of_both
def test_vectors_are_those_of_the_encoder(cls):
    labeled, pool, y = blobs()
    strategies = [
        cls(encoder=encoder, **SMALL, random_state=0)
        for encoder in (None, "auto", FunctionTransformer(), PCA(2))
    ]
    scores = [s._represent(view_of(labeled, pool, y)) for s in strategies]
    assert np.array_equal(scores[0], scores[1])
    assert np.array_equal(scores[0], scores[2])
    assert not np.array_equal(scores[0], scores[3])
    view = view_of(labeled, pool, y, estimator=None)
    assert np.array_equal(scores[3], strategies[3]._represent(view))


# Awkward pools.

AWKWARD = {
    "duplicates": (np.zeros((5, 2)), np.repeat(np.arange(20.0).reshape(10, 2), 3, 0)),
    "constant": (np.ones((5, 2)), np.ones((30, 2))),
    "one labelled row": (np.zeros((1, 2)), np.arange(60.0).reshape(30, 2)),
    "more labelled than not": (np.zeros((300, 2)), np.arange(60.0).reshape(30, 2)),
    "nothing labelled": (np.zeros((0, 2)), np.arange(60.0).reshape(30, 2)),
    "one row": (np.zeros((5, 2)), np.ones((1, 2))),
    "huge": (np.zeros((5, 2)), np.arange(60.0).reshape(30, 2) * 1e30),
    "tiny": (np.zeros((5, 2)), np.arange(60.0).reshape(30, 2) * 1e-30),
    "one outlier": (np.zeros((5, 2)), np.vstack([np.eye(2)] * 15 + [np.full(2, 1e9)])),
}


@of_both
@pytest.mark.parametrize("pool", AWKWARD)
def test_awkward_pools_give_whole_batches(cls, pool):
    labeled, rows = AWKWARD[pool]
    strategy = cls(**SMALL | {"n_steps": 5}, random_state=0)
    for n_queries in (1, len(rows) // 2 + 1, len(rows)):
        picked = strategy._query(view_of(labeled, rows), n_queries)
        assert len(np.unique(picked)) == len(picked) == n_queries
    scores = strategy._represent(view_of(labeled, rows))
    assert scores.shape == (len(rows), 1)
    assert np.isfinite(scores).all()


@of_both
def test_networks_that_diverge_say_what_to_change(cls):
    strategy = cls(**SMALL | {"lr": 1e30})
    with pytest.raises(FloatingPointError, match="must stay finite.*lower `lr`"):
        strategy._query(view_of(*blobs()), 5)


@of_both
def test_a_classifier_without_an_embedding_is_refused_before_any_work(cls):
    learner = ActiveLearner(LogisticRegression(), cls())
    with pytest.raises(MissingCapabilityError, match="reads 'embedding'"):
        learner.fit(["a text", "another"], [0, 1])
    learner = ActiveLearner(LogisticRegression(), cls(encoder="auto"))
    with pytest.raises(MissingCapabilityError, match="pretrained_encoder"):
        learner.fit(["a text", "another"], [0, 1])


def test_sparse_rows_are_refused_and_an_encoder_of_ones_own_is_the_remedy():
    texts = [f"some words {i} and number {i % 7}" for i in range(40)]
    X, y = CountVectorizer().fit_transform(texts), np.arange(40) % 2
    classifier = LogisticRegression().fit(X, y)
    with pytest.raises((TypeError, ValueError), match="dense"):
        VAAL(encoder="auto").fit(X, y, estimator=classifier)


@pytest.mark.parametrize(
    ("cls", "params"),
    [
        *((VAAL, {name: -1.0}) for name in ("beta", "adversary", "lr")),
        *((MAL, {name: -1.0}) for name in ("temperature", "entropy_weight", "lr")),
        (MAL, {"temperature": 0.0}),
        *((VAAL, {name: 0}) for name in ("n_components", "n_steps", "batch_size")),
        *((MAL, {name: 0}) for name in ("n_components", "n_steps", "batch_size")),
        (VAAL, {"hidden_layer_sizes": 256}),
        (MAL, {"encoder": "bert"}),
        (VAAL, {"device": 0}),
    ],
)
def test_parameters_are_checked(cls, params):
    X = np.zeros((4, 2))
    with pytest.raises(ValueError, match=f"The '{next(iter(params))}' parameter"):
        cls(**params).fit(X, [0, 1, 0, 1], estimator=Says())
