# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""BADGE: gradients and distances against golden ones, draws against the law."""

import itertools
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse, stats

from skal.functional import _gradient, badge, gradient_embedding

CASES = sorted((Path(__file__).parents[1] / "golden" / "badge").glob("*.npz"))
golden = pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)


def test_there_are_golden_cases():
    assert len(CASES) == 7
    assert sum("grad_emb" in np.load(path) for path in CASES) == 6


@golden
def test_golden_gradients(path):
    """The authors' sign is the opposite one."""
    case = np.load(path)
    gradients = gradient_embedding(case["probs"], case["emb"])
    assert gradients.dtype == np.float64
    norms = np.linalg.norm(gradients, axis=1)
    np.testing.assert_allclose(norms, case["grad_norm"], rtol=1e-5, atol=1e-6)
    if "grad_emb" in case:
        np.testing.assert_allclose(gradients, -case["grad_emb"], atol=1e-6)


@golden
def test_golden_first_row(path):
    case = np.load(path)
    rows = badge(case["probs"], case["emb"], 1)
    assert rows.tolist() == [case["first_center"]]


@golden
@pytest.mark.parametrize("in_parts_of", [1, 7, 1000])
def test_golden_distances_and_next_probabilities(path, in_parts_of):
    """Given the authors' centres, however many of them are brought in at a time."""
    case = np.load(path)
    gradients = _gradient._Gradients(case["probs"], case["emb"])
    largest = float(case["grad_norm"].max()) ** 2
    for i, step in enumerate(case["steps"]):
        centers = case["centers"][: step - 1].tolist()
        nearest = np.full(len(case["emb"]), np.inf, dtype=np.float32)
        for start in range(0, len(centers), in_parts_of):
            gradients.lower(nearest, centers[start : start + in_parts_of])
        nearest[centers] = 0
        squared = nearest.astype(np.float64) * gradients.unit**2
        expected = case["dist_to_centers"][i].astype(np.float64) ** 2
        np.testing.assert_allclose(squared, expected, rtol=1e-5, atol=1e-5 * largest)
        atol = 1e-4 + 2e-8 * largest / expected.sum()
        np.testing.assert_allclose(
            squared / squared.sum(), case["next_prob_f64"][i], rtol=0, atol=atol
        )


def small_case(n_rows=8, seed=3):
    """Few rows; two of them equal, one without a gradient."""
    rng = np.random.RandomState(seed)
    proba = rng.dirichlet(np.ones(3), n_rows)
    embedding = rng.normal(size=(n_rows, 3))
    proba[1], embedding[1] = proba[4], embedding[4]
    proba[2] = [0.0, 1.0, 0.0]
    return proba, embedding


def probabilities(proba, embedding, n_queries):
    """Every sequence of rows that can be drawn -> its probability, from the law."""
    gradients = gradient_embedding(proba, embedding)
    squared = ((gradients[:, None] - gradients[None]) ** 2).sum(axis=2)
    first = int(np.argmax((gradients**2).sum(axis=1)))
    others = set(range(len(proba))) - {first}
    found = {}
    for rest in itertools.permutations(others, n_queries - 1):
        rows, probability = [first], 1.0
        for row in rest:
            nearest = squared[:, rows].min(axis=1)
            probability *= nearest[row] / nearest.sum()
            rows.append(row)
        if probability > 0:
            found[tuple(rows)] = probability
    return found


def draw_counts(case, n_queries, n_runs, pick=badge):
    rng = np.random.RandomState(0)
    return Counter(tuple(pick(*case, n_queries, rng).tolist()) for _ in range(n_runs))


def p_value(counts, expected):
    """Chi-square against the law; sequences seen less than five times are pooled."""
    n_runs = sum(counts.values())
    assert set(counts) <= set(expected), "a sequence of probability zero was drawn"
    often = [rows for rows, p in expected.items() if p * n_runs >= 5]
    seen = np.array([counts[rows] for rows in often])
    due = np.array([expected[rows] * n_runs for rows in often])
    if n_runs - due.sum() > 1:
        seen, due = (
            np.append(seen, n_runs - seen.sum()),
            np.append(due, n_runs - due.sum()),
        )
    return stats.chisquare(seen, due * seen.sum() / due.sum()).pvalue


# (rows drawn, draws made) before all distances are brought up to date.
PLAIN, SHORT, LAZY = (1, 64), (2, 3), (32, 64)
pace = pytest.mark.parametrize("pace", [PLAIN, SHORT, LAZY], ids=str)


def set_pace(monkeypatch, pace):
    monkeypatch.setattr(_gradient, "_MAX_STALE", pace[0])
    monkeypatch.setattr(_gradient, "_MAX_DRAWS", pace[1])


def test_the_pace_tested_is_the_one_in_use():
    assert LAZY == (_gradient._MAX_STALE, _gradient._MAX_DRAWS)


@pace
def test_the_law_of_three_rows(monkeypatch, pace):
    set_pace(monkeypatch, pace)
    case = small_case()
    expected = probabilities(*case, 3)
    assert sum(expected.values()) == pytest.approx(1)
    assert p_value(draw_counts(case, 3, 2000), expected) > 0.001


@pytest.mark.slow
@pace
@pytest.mark.parametrize("n_queries", [4, 5])
def test_the_law_of_more_rows(monkeypatch, pace, n_queries):
    set_pace(monkeypatch, pace)
    case = small_case()
    counts = draw_counts(case, n_queries, 20_000)
    assert p_value(counts, probabilities(*case, n_queries)) > 0.001


@pytest.mark.parametrize("case", [small_case(), small_case(seed=7)], ids=["3", "7"])
def test_lazy_and_plain_draws_have_one_law(monkeypatch, case):
    counts = []
    for pace in (PLAIN, LAZY):
        set_pace(monkeypatch, pace)
        counts.append(draw_counts(case, 4, 2000))
    often = [rows for rows in counts[0] if counts[0][rows] + counts[1][rows] >= 10]
    table = np.array([[count[rows] for rows in often] for count in counts])
    assert len(often) > 20
    assert stats.chi2_contingency(table).pvalue > 0.001


def test_uniform_draws_would_fail():
    def uniform(proba, embedding, n_queries, rng):
        first = badge(proba, embedding, 1)
        others = np.delete(np.arange(len(proba)), first)
        return np.append(first, rng.choice(others, n_queries - 1, replace=False))

    case = small_case()
    counts = draw_counts(case, 3, 2000, uniform)
    expected = dict.fromkeys(counts, 1e-12) | probabilities(*case, 3)
    assert p_value(counts, expected) < 1e-6


def test_draws_by_old_distances_would_fail(monkeypatch):
    """Keeping every row that is drawn, without a look at the rows drawn since."""
    case = small_case()
    squared = _gradient._Gradients.squared

    def never_closer(self, centers, rows):
        found = squared(self, centers, rows)
        return found if isinstance(rows, slice) else np.full_like(found, np.inf)

    monkeypatch.setattr(_gradient._Gradients, "squared", never_closer)
    counts = draw_counts(case, 3, 2000)
    expected = dict.fromkeys(counts, 1e-12) | probabilities(*case, 3)
    assert p_value(counts, expected) < 1e-6


def assert_valid(rows, n_rows, n_queries):
    assert rows.dtype == np.int64
    assert rows.shape == (n_queries,)
    assert len(set(rows.tolist())) == n_queries
    assert set(rows.tolist()) <= set(range(n_rows))


def data(n_rows=100, n_classes=4, n_features=8, seed=0):
    rng = np.random.RandomState(seed)
    proba = rng.dirichlet(np.ones(n_classes), n_rows)
    return proba, rng.normal(size=(n_rows, n_features)).astype(np.float32)


@golden
@pytest.mark.parametrize("seed", range(3))
def test_every_golden_input_gives_a_valid_batch(path, seed):
    """Also where the authors' code died."""
    case = np.load(path)
    rows = badge(case["probs"], case["emb"], int(case["b"]), seed)
    assert_valid(rows, len(case["emb"]), int(case["b"]))
    assert rows[0] == case["first_center"]


def test_each_distinct_gradient_comes_before_its_copies():
    proba, embedding = (np.repeat(X, 20, axis=0) for X in data(5, n_features=300))
    for seed in range(20):
        rows = badge(proba, embedding, 30, seed)
        assert_valid(rows, 100, 30)
        assert set(rows[:5] // 20) == set(range(5))


def test_copies_are_drawn_uniformly_once_all_is_covered():
    proba, embedding = (np.repeat(X, 5, axis=0) for X in data(2))
    counts = Counter()
    for seed in range(800):
        counts.update(badge(proba, embedding, 5, seed)[2:].tolist())
    first = badge(proba, embedding, 1)[0]
    copies = np.array([counts[row] for row in range(10) if row // 5 == first // 5])
    others = np.array([counts[row] for row in range(10) if row // 5 != first // 5])
    # 3 of the 8 that are left: 4 copies of the first row, and 4 of the 5 others.
    assert counts[first] == 0
    assert stats.chisquare(np.delete(copies, first % 5)).pvalue > 0.001
    assert stats.chisquare(others).pvalue > 0.001
    assert others.sum() == pytest.approx(copies.sum(), rel=0.05)


def test_rows_without_a_gradient_come_last():
    proba, embedding = data()
    proba[10:] = np.eye(4)[np.arange(90) % 4]
    for seed in range(20):
        rows = badge(proba, embedding, 40, seed)
        assert_valid(rows, 100, 40)
        # One of them is as far from the rest as any gradient is, the next is not.
        assert (rows[:11] < 10).sum() == 10


@pytest.mark.parametrize(
    ("proba", "embedding"),
    [
        (np.eye(4)[np.arange(30) % 4], data(30)[1]),
        (data(30)[0], np.zeros((30, 5))),
        (np.full((30, 4), 0.25), np.ones((30, 5))),
        (np.ones((30, 1)), data(30)[1]),
    ],
    ids=["one-hot", "zero embedding", "all equal", "one class"],
)
@pytest.mark.parametrize("n_queries", [1, 2, 29, 30, 99])
def test_a_pool_without_differences_is_drawn_from_uniformly(
    proba, embedding, n_queries
):
    rows = badge(proba, embedding, n_queries, random_state=0)
    assert_valid(rows, 30, min(n_queries, 30))
    assert rows[0] == 0
    if n_queries == 2:
        seconds = {badge(proba, embedding, 2, seed)[1] for seed in range(500)}
        assert seconds == set(range(1, 30))


@pytest.mark.parametrize("n_classes", [2, 3, 50])
@pytest.mark.parametrize("n_rows", [1, 2, 33, 200])
def test_a_batch_as_large_as_the_pool(n_rows, n_classes):
    rows = badge(*data(n_rows, n_classes), n_rows, random_state=0)
    assert_valid(rows, n_rows, n_rows)


def test_an_empty_pool_and_an_empty_batch():
    assert badge(np.empty((0, 3)), np.empty((0, 2)), 5).shape == (0,)
    assert badge(*data(), 0).shape == (0,)


def test_embeddings_of_one_value_leave_the_probabilities_to_decide():
    proba, embedding = data()
    embedding[:] = embedding[0]
    assert_valid(badge(proba, embedding, 50, 0), 100, 50)


def test_one_seed_one_batch_and_another_seed_another():
    case = data(1000)
    rows = badge(*case, 50, random_state=0).tolist()
    assert rows == badge(*case, 50, random_state=0).tolist()
    assert rows != badge(*case, 50, random_state=1).tolist()


@pytest.mark.parametrize("scale", [2.0**-80, 2.0**80])
def test_the_scale_of_the_embedding_does_not_matter(scale):
    """Squares of both would leave single precision."""
    proba, embedding = data(1000)
    rows = badge(proba, embedding, 50, random_state=0)
    scaled = badge(proba, embedding * np.float32(scale), 50, random_state=0)
    assert np.array_equal(rows, scaled)


def test_the_precision_and_the_container_do_not_matter():
    proba, embedding = data()
    proba = proba.astype(np.float32)
    rows = badge(proba, embedding, 20, random_state=0)
    for P, H in [
        (proba.astype(np.float64), embedding.astype(np.float64)),
        (proba.tolist(), embedding.tolist()),
        (np.asfortranarray(proba), np.asfortranarray(embedding)),
    ]:
        assert np.array_equal(rows, badge(P, H, 20, random_state=0))


def test_nearly_certain_rows_keep_their_gradients():
    """1 - 1e-9 is 1 in single precision; the gradient is not 0, nor half of it is."""
    proba = np.array([[1 - 1e-9, 1e-9], [1e-9, 1 - 1e-9], [1 - 1e-5, 1e-5]])
    embedding = [[3.0, 1.0], [1.0, 2.0], [0.5, 0.0]]
    gradients = _gradient._Gradients(proba, embedding)
    expected = (gradient_embedding(proba, embedding) ** 2).sum(axis=1)
    norms = gradients.norms * gradients.unit**2
    np.testing.assert_allclose(norms, expected, rtol=1e-6)


def test_equal_probabilities_mean_the_lowest_class():
    assert gradient_embedding([[0.5, 0.5]], [[2.0]]).tolist() == [[-1.0, 1.0]]


def test_arguments_are_left_alone():
    proba, embedding = data()
    before = proba.copy(), embedding.copy()
    badge(proba, embedding, 20, random_state=0)
    gradient_embedding(proba, embedding)
    assert np.array_equal(proba, before[0])
    assert np.array_equal(embedding, before[1])


@pytest.mark.parametrize("function", [gradient_embedding, lambda *X: badge(*X, 2)])
@pytest.mark.parametrize(
    ("proba", "embedding", "error", "text"),
    [
        (np.full((3, 2), 0.5), np.ones((4, 2)), ValueError, "Got 3 and 4 rows"),
        (np.full((3, 2), 3.0), np.ones((3, 2)), ValueError, "between 0 and 1"),
        (np.full((3, 2), 0.5), np.full((3, 2), np.nan), ValueError, "must be finite"),
        (np.full((3, 2), 0.5), sparse.csr_array(np.eye(3)), TypeError, "TruncatedSVD"),
    ],
    ids=["lengths", "logits", "NaN", "sparse"],
)
def test_what_cannot_be_used_is_refused(function, proba, embedding, error, text):
    with pytest.raises(error, match=text):
        function(proba, embedding)


def test_the_gradients_are_never_built():
    """12,000 rows, 60 classes, 64 dimensions: 184 MB of gradients."""
    proba, embedding = data(12_000, 60, 64)
    tracemalloc.start()
    badge(proba, embedding, 100, random_state=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # One copy of the probabilities in single precision (3 MB), and blocks.
    assert peak < 8e6
