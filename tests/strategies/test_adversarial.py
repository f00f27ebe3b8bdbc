# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""VAAL and MAL through their classes: golden picks, known answers, awkward pools."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit, logit
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer

from skal import ActiveLearner, TransformerClassifier
from skal.base import PoolView
from skal.exceptions import MissingCapabilityError, SingleClassWarning
from skal.filters import AnchorAL
from skal.functional import logit_entropy
from skal.strategies import MAL, VAAL, RandomSampling

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "vaal").glob("sampler*.npz"))
of_golden = pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
of_both = pytest.mark.parametrize("cls", [VAAL, MAL])
SMALL = {"hidden_layer_sizes": (32,), "n_components": 8, "n_steps": 60, "lr": 2e-3}
SMALL |= {"device": "cpu"}


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


def test_mal_picks_uncertain_rows_among_those_taken_for_unlabelled():
    labeled = np.array([3.0, -1, -1, 2, -9, -1])
    gaps = np.array([0.0, 4, 1, 1, 2, 45])
    vectors = np.stack([labeled, gaps, np.zeros(6)], axis=1)
    view = view_of(np.zeros((2, 3)), vectors)
    scores = told(MAL)._represent(view)[:, 0]
    share = logit_entropy(vectors[:, 1:]) / np.log(2)
    np.testing.assert_allclose(scores, share - (labeled > 0), rtol=1e-6)
    assert told(MAL)._query(view, 6).tolist() == [2, 4, 1, 5, 0, 3]
    assert 0 < scores[5] < 1e-16  # nothing is lost where C is all but sure


def test_mal_of_one_class_picks_by_the_discriminator():
    vectors = np.stack([[3.0, -1, -2, 5], np.zeros(4)], axis=1)
    view = view_of(np.zeros((2, 2)), vectors)
    scores = told(MAL)._represent(view)[:, 0]
    np.testing.assert_allclose(scores, expit(-vectors[:, 0]))
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


def assert_unlike_the_labeled(rows):
    assert (rows >= 60).mean() > 0.85


@of_both
@pytest.mark.parametrize("seed", range(3))
def test_rows_of_the_blobs_without_labels_are_picked(cls, seed):
    view = view_of(*blobs(seed))
    assert view.estimator.n_passes == 0
    strategy = cls(**SMALL, random_state=seed)
    assert_unlike_the_labeled(strategy._query(view, 30))
    assert view.estimator.n_passes == 2
    scores = strategy._represent(view)[:, 0]
    assert scores[60:].mean() > scores[:60].mean() + 0.02


@pytest.mark.parametrize("seed", range(20))
def test_random_picks_are_not_from_there(seed):
    rows = RandomSampling(random_state=seed)._query(view_of(*blobs()), 30)
    with pytest.raises(AssertionError):
        assert_unlike_the_labeled(rows)


def test_wide_vectors_are_told_apart_with_the_papers_loss_but_not_with_the_codes():
    """The code's weight of the divergence makes all rows the same to VAAL."""
    rng = np.random.RandomState(0)
    mix = rng.normal(size=(10, 200))
    labeled, pool, y = blobs()
    view = view_of(labeled @ mix, pool @ mix, y)
    shares = []
    for beta in (1.0, 30 * 200 / 2):
        scores = VAAL(**SMALL, beta=beta, random_state=0)._represent(view)[:, 0]
        shares.append(scores[60:].mean() - scores[:60].mean())
    assert shares[0] > 0.02
    assert shares[0] > 3 * abs(shares[1])


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


def test_frozen_texts_before_and_after_the_first_fit(toy_texts):
    X, y = toy_texts
    classifier = TransformerClassifier(
        "skal-tiny", max_epochs=1, min_steps=0, device="cpu"
    )
    strategy = VAAL(encoder="auto", **SMALL)
    learner = ActiveLearner(classifier, strategy, random_state=0)
    assert len(set(learner.query(X, 5).tolist())) == 5
    learner.fit(X[:20], y[:20], ids=range(20))
    rows = learner.query(X, 5, ids=range(80))
    assert rows.min() >= 20


@of_both
def test_rounds_on_texts(cls, toy_texts):
    X, y = toy_texts
    classifier = TransformerClassifier(
        "skal-tiny", max_epochs=1, min_steps=0, device="cpu"
    )
    learner = ActiveLearner(classifier, cls(**SMALL), random_state=0)
    learner.fit(X[:20], y[:20], ids=range(20))
    for _ in range(2):
        rows = learner.query(X, 5, ids=range(80))
        learner.teach([X[row] for row in rows], y[rows], ids=rows)
    assert len(set(learner.ids_labeled_)) == 30


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
def test_a_seed_of_one_class_and_rounds_in_a_learner(cls):
    X = np.random.RandomState(0).normal(size=(60, 4))
    learner = ActiveLearner(LogisticRegression(), cls(**SMALL), random_state=0)
    with pytest.warns(SingleClassWarning):
        learner.fit(X[:10], ["a"] * 10, ids=range(10))
    for _ in range(2):
        rows = learner.query(X, 7, ids=range(60))
        learner.teach(X[rows], np.where(X[rows, 0] > 0, "a", "b"), ids=rows)
    assert len(set(learner.ids_labeled_)) == 24


@of_both
def test_a_class_that_has_no_row_yet(cls):
    X, y = np.random.RandomState(0).normal(size=(60, 4)), np.arange(60) % 2
    learner = ActiveLearner(
        LogisticRegression(), cls(**SMALL), classes=[0, 1, 2], random_state=0
    )
    learner.fit(X[:10], y[:10])
    assert len(learner.query(X[10:], 7)) == 7


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


# Real texts.


@pytest.mark.slow
@of_both
@pytest.mark.parametrize("filtered", [False, True], ids=["alone", "inside AnchorAL"])
def test_three_rounds_on_trec(tiny_bert, trec, cls, filtered):
    X, y, X_test, y_test = trec
    X, y = X[:1500], y[:1500]
    strategy = AnchorAL(cls(), n_neighbors=20) if filtered else cls()
    learner = ActiveLearner(
        TransformerClassifier(
            tiny_bert, lr=5e-4, max_epochs=5, min_steps=60, max_length=32
        ),
        strategy,
        n_queries=20,
        budget=120,
        initial=60,
        classes=range(6),
        random_state=0,
    ).fit(X, y)
    rows = np.concatenate([entry["rows"] for entry in learner.rounds_])
    assert len(learner.rounds_) == 4
    assert len(set(rows.tolist())) == len(rows) == 120
    assert learner.score(X_test, y_test) > 0.35
