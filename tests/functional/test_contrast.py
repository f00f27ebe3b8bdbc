# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Contrastive scores against the authors' own, means of neighbours, plain loops."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from scipy.special import rel_entr, softmax

from skal.functional import _contrast as contrast
from skal.functional import contrastive_scores, mean_of_nearest, top_rows
from skal.utils._nearest import Directions

CASES = sorted((Path(__file__).parents[1] / "golden" / "contrastive_cal").glob("*.npz"))
golden = pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)


def arguments(case):
    return (
        softmax(np.float64(case["logits_unlabeled"]), axis=1),
        np.float32(case["emb_unlabeled"]),
        softmax(np.float64(case["logits_labeled"]), axis=1),
        np.float32(case["emb_labeled"]),
    )


def aggregate_of(path):
    return "max" if path.stem.startswith("max") else "mean"


@golden
def test_golden_scores_and_picks(path):
    case = np.load(path)
    how = aggregate_of(path)
    scores = contrastive_scores(*arguments(case), int(case["k"]), aggregate=how)
    # Theirs are made of logarithms in single precision.
    np.testing.assert_allclose(scores, case["score_f64"], rtol=1e-6, atol=2e-6)
    rows = top_rows(scores, int(case["b"]))
    assert np.sort(rows).tolist() == case["selected_sorted"].tolist()


@golden
def test_golden_neighbours(path):
    case = np.load(path)
    _, points, _, labeled = map(Directions.of, arguments(case))
    nearest = contrast._nearest_labeled(points, labeled, int(case["k"]))
    if "tied" not in path.stem:
        assert np.array_equal(np.sort(nearest), np.sort(case["nn_idx"]))
    exact = normalized(points.vectors) @ normalized(labeled.vectors).T
    got, theirs = (
        np.sort(np.take_along_axis(exact, np.int64(rows), axis=1))
        for rows in (nearest, case["nn_idx"])
    )
    np.testing.assert_allclose(got, theirs, atol=1e-6)


@golden
@pytest.mark.parametrize("seed", range(20))
def test_random_picks_in_place_of_cal_would_fail(path, seed):
    case = np.load(path)
    drawn = np.random.RandomState(seed).choice(len(case["score_f64"]), int(case["b"]))
    assert np.sort(drawn).tolist() != case["selected_sorted"].tolist()


def test_there_are_golden_cases():
    assert len(CASES) == 8


def normalized(X):
    X = np.float64(X)
    norms = np.linalg.norm(X, axis=1)
    return X / np.where(norms > 0, norms, 1)[:, None]


def plain(proba, embedding, labeled_proba, labeled_embedding, k, reduce=np.mean):
    similarity = normalized(embedding) @ normalized(labeled_embedding).T
    # Equal vectors tie up to the rounding of double precision.
    nearest = np.argsort(-similarity.round(12), axis=1, kind="stable")[:, :k]
    scores = [
        reduce([rel_entr(labeled_proba[i], p).sum() for i in rows])
        for p, rows in zip(proba, nearest, strict=True)
    ]
    return np.array(scores)


def data(n_rows=300, n_labeled=40, n_classes=5, n_features=12, seed=0):
    rng = np.random.RandomState(seed)
    return (
        rng.dirichlet(np.ones(n_classes), n_rows),
        rng.normal(size=(n_rows, n_features)),
        rng.dirichlet(np.ones(n_classes), n_labeled),
        rng.normal(size=(n_labeled, n_features)),
    )


@pytest.mark.parametrize("how", ["mean", "max", "median"])
@pytest.mark.parametrize("k", [1, 7, 40, 99])
def test_scores_are_those_of_a_plain_loop(monkeypatch, how, k):
    monkeypatch.setattr(contrast, "_AT_ONCE", 5000)
    case = [np.float32(X) if i % 2 else X for i, X in enumerate(data())]
    scores = contrastive_scores(*case, k, aggregate=how)
    expected = plain(*case, k, reduce=getattr(np, how))
    np.testing.assert_allclose(scores, expected, atol=1e-12)


def test_of_equally_near_labelled_rows_the_first_count():
    proba, embedding, labeled_proba, labeled_embedding = data()
    labeled_embedding = np.repeat(labeled_embedding[:10], 4, axis=0)
    case = proba, np.float32(embedding), labeled_proba, np.float32(labeled_embedding)
    for k in (2, 6, 10):
        np.testing.assert_allclose(
            contrastive_scores(*case, k), plain(*case, k), atol=1e-12
        )


def test_a_row_predicted_as_its_neighbours_scores_nothing():
    _, _, proba, embedding = data()
    scores = contrastive_scores(proba, embedding, proba, embedding, n_neighbors=1)
    np.testing.assert_allclose(scores, 0, atol=1e-14)


def test_certain_rows_have_finite_scores():
    one_hot = np.eye(3)[[0, 1, 2, 0]]
    X = np.ones((4, 2))
    scores = contrastive_scores(one_hot, X, one_hot, X)
    assert np.isfinite(scores).all()
    assert top_rows(scores, 1)[0] == 1
    zeros = contrastive_scores(one_hot, X * 0, one_hot, X * 0, 2)
    np.testing.assert_allclose(zeros, [354.2, 354.2, 708.4, 354.2], atol=0.1)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_the_length_of_vectors_does_not_matter(scale):
    proba, embedding, labeled_proba, labeled_embedding = data()
    expected = contrastive_scores(proba, embedding, labeled_proba, labeled_embedding)
    got = contrastive_scores(
        proba, embedding * scale, labeled_proba, labeled_embedding * scale
    )
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_no_matrix_of_all_pairs_is_held():
    case = data(40_000, 300, 10, 8)
    contrastive_scores(*(X[:200] for X in case))
    tracemalloc.start()
    contrastive_scores(*case)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # All pairs take 96 MB in double precision.
    assert peak < 30e6


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"n_neighbors": 0}, "n_neighbors must be at least 1"),
        ({"aggregate": "sum"}, "aggregate must be one of"),
        ({"labeled_proba": np.ones((0, 5))}, "Got shapes"),
        ({"proba": np.full((300, 4), 0.25)}, "Got shapes"),
        ({"labeled_embedding": np.ones((40, 3))}, "Got shapes"),
        ({"proba": np.full((300, 5), 7.0)}, "between 0 and 1"),
        ({"embedding": np.full((300, 12), np.nan)}, "must be finite"),
    ],
)
def test_what_cannot_be_used_is_refused(change, text):
    names = "proba", "embedding", "labeled_proba", "labeled_embedding"
    with pytest.raises(ValueError, match=text):
        contrastive_scores(**dict(zip(names, data(), strict=True)) | change)


def test_without_labelled_rows_there_is_no_contrast():
    proba, embedding, *_ = data()
    with pytest.raises(ValueError, match="no labelled rows"):
        contrastive_scores(proba, embedding, np.empty((0, 5)), np.empty((0, 12)))


# Means of the nearest.


def mean_by_hand(embedding, labeled, values, k):
    similarity = normalized(np.float64(embedding)) @ normalized(np.float64(labeled)).T
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    return values[nearest].mean(axis=1)


@golden
def test_means_are_those_of_the_golden_neighbours(path):
    case = np.load(path)
    if "tied" in path.stem:
        return
    values = np.random.RandomState(0).randint(9, size=len(case["emb_labeled"]))
    embeddings = np.float32(case["emb_unlabeled"]), np.float32(case["emb_labeled"])
    means = mean_of_nearest(*embeddings, values, int(case["k"]))
    np.testing.assert_allclose(means, values[case["nn_idx"]].mean(axis=1), rtol=1e-12)


@pytest.mark.parametrize("k", [1, 3, 40, 99])
@pytest.mark.parametrize("at_once", [None, 1])
def test_means_by_a_plain_loop(k, at_once, monkeypatch):
    _, embedding, _, labeled = data()
    values = np.random.RandomState(1).normal(size=len(labeled))
    if at_once:
        monkeypatch.setattr(contrast, "_AT_ONCE", at_once)
    means = mean_of_nearest(embedding, labeled, values, k)
    assert means.dtype == np.float64
    expected = mean_by_hand(embedding, labeled, values, min(k, len(labeled)))
    np.testing.assert_allclose(means, expected, atol=1e-12)


def test_equally_near_rows_give_way_to_the_one_labelled_first():
    labeled = np.array([[0.0, 1.0], [1.0, 0.0], [3.0, 0.0], [2.0, 0.0]])
    means = mean_of_nearest([[1.0, 0.1]] * 2, labeled, [9, 1, 2, 4], 2)
    assert means.tolist() == [1.5, 1.5]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"n_neighbors": 0}, "n_neighbors must be at least 1"),
        ({"values": np.ones(3)}, "one number per labelled row"),
        ({"values": np.full(40, np.inf)}, "must be finite"),
        ({"embedding": np.ones((5, 3))}, "as many columns"),
        (
            {"labeled_embedding": np.empty((0, 12)), "values": []},
            "no labelled rows to look at",
        ),
    ],
)
def test_means_of_what_cannot_be_used_are_refused(change, text):
    _, embedding, _, labeled = data()
    given = {"embedding": embedding, "labeled_embedding": labeled}
    given["values"] = np.ones(len(labeled))
    with pytest.raises(ValueError, match=text):
        mean_of_nearest(**given | change)
