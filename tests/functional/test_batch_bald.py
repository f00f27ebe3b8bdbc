# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""BatchBALD against the authors' picks, a plain greedy search and the law of draws."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from skal.functional import _batch_bald, bald, batch_bald, top_rows
from skal.functional._batch_bald import _Configurations, _thin

CASES = sorted((Path(__file__).parents[1] / "golden" / "batchbald").glob("*.npz"))
golden = pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
# Where two rows are each other's twins the first of them is a matter of taste.
TWINS = {"awk_dup_b6"}


def draws(n_samples=8, n_rows=60, n_classes=3, seed=0, concentration=0.5):
    rng = np.random.RandomState(seed)
    return rng.dirichlet(np.full(n_classes, concentration), (n_samples, n_rows))


def samples_of(case):
    return np.exp(case["log_probs_f64"]).swapaxes(0, 1)


def joint_entropies(samples, rows):
    """Of the rows and each row of all, by summing over every configuration."""
    joint = np.ones((1, len(samples)))
    for row in rows:
        joint = (joint[:, None] * samples[:, row].T).reshape(-1, len(samples))
    joint = np.einsum("mt,tnc->nmc", joint, samples) / len(samples)
    return -(joint * np.log(np.maximum(joint, 1e-300))).sum(axis=(1, 2))


def mutual_information(samples, rows):
    """Of the labels of the rows and the samples, exactly."""
    conditional = -(samples * np.log(np.maximum(samples, 1e-300))).sum(axis=2)
    together = joint_entropies(samples, rows[:-1])[rows[-1]]
    return together - conditional.mean(axis=0)[list(rows)].sum()


def plain_greedy(samples, n_queries):
    conditional = -(samples * np.log(np.maximum(samples, 1e-300))).sum(axis=2)
    rows = []
    while len(rows) < n_queries:
        gains = joint_entropies(samples, rows) - conditional.mean(axis=0)
        gains[rows] = -np.inf
        rows.append(int(np.argmax(gains >= gains.max() - 1e-10)))
    return rows


@golden
def test_golden_picks(path):
    case = np.load(path)
    rows = batch_bald(samples_of(case), int(case["b"]))
    assert rows.dtype == np.int64
    if path.stem not in TWINS:
        assert rows.tolist() == case["selected_order"].tolist()


@golden
def test_golden_values_of_the_growing_batch(path):
    case = np.load(path)
    samples, size = samples_of(case), int(case["b"])
    for rows in (case["selected_order"], batch_bald(samples, size)):
        picked = _Configurations(samples, 10_000, None)
        gains = []
        for row in rows:
            gains += picked.gains([row]).tolist()
            picked.add(row)
        np.testing.assert_allclose(np.cumsum(gains), case["scores_f64"], atol=1e-9)


@golden
@pytest.mark.parametrize("seed", range(20))
def test_random_picks_in_its_place_would_fail(path, seed):
    case = np.load(path)
    order, n_rows = case["selected_order"].tolist(), len(case["log_probs_f64"])
    rows = np.random.RandomState(seed).permutation(n_rows)[: len(order)]
    assert rows.tolist() != order


@golden
def test_the_best_rows_by_bald_in_its_place_would_fail(path):
    case = np.load(path)
    rows = top_rows(bald(samples_of(case)), int(case["b"]))
    assert rows.tolist() != case["selected_order"].tolist()


def test_there_are_golden_cases():
    assert len(CASES) == 5


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("concentration", [0.05, 0.5, 5.0])
def test_lazy_picks_are_those_of_looking_at_every_row(n_classes, seed, concentration):
    samples = draws(6, 150, n_classes, seed, concentration)
    assert batch_bald(samples, 5).tolist() == plain_greedy(samples, 5)


def test_blocks_do_not_matter(monkeypatch):
    samples = draws(6, 150)
    rows = batch_bald(samples, 6).tolist()
    monkeypatch.setattr(_batch_bald, "_ROWS", 7)
    monkeypatch.setattr(_batch_bald, "_BLOCK", 100)
    assert batch_bald(samples, 6).tolist() == rows


def test_most_rows_are_not_looked_at_again(monkeypatch):
    looked_at = []
    gains = _Configurations.gains
    monkeypatch.setattr(
        _Configurations,
        "gains",
        lambda self, rows: looked_at.append(len(rows)) or gains(self, rows),
    )
    rng = np.random.RandomState(0)
    logits = rng.normal(scale=3, size=(5000, 4)) + rng.normal(size=(10, 5000, 4))
    proba = np.exp(logits)
    batch_bald(proba / proba.sum(axis=2, keepdims=True), 6)
    assert sum(looked_at) < 0.3 * 5 * 5000


def test_of_two_like_rows_one_is_picked():
    torn = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    less = np.array([[0.8, 0.2], [0.8, 0.2], [0.3, 0.7], [0.3, 0.7]])
    samples = np.stack([torn, torn, less], axis=1)
    assert top_rows(bald(samples), 2).tolist() == [0, 1]
    assert batch_bald(samples, 2).tolist() == [0, 2]


@pytest.mark.parametrize("size", [1, 2, 50, 10_000])
@pytest.mark.parametrize(
    "samples",
    [
        np.eye(3)[np.random.RandomState(0).randint(3, size=(5, 20))],
        np.repeat(draws(1, 20), 6, axis=0),
        draws(1, 20),
        np.ones((4, 20, 1)),
        np.full((3, 20, 4), 0.25),
        np.repeat(draws(4, 4), 5, axis=1),
        np.repeat(np.eye(2)[None, :1], 3, axis=0).repeat(20, axis=1),
    ],
    ids=["one-hot", "agreed", "T=1", "one class", "uniform", "copies", "certain"],
)
@pytest.mark.parametrize("n_queries", [1, 6, 19, 20, 99])
def test_odd_samples_give_a_valid_batch(samples, n_queries, size):
    rows = batch_bald(samples, n_queries, max_configurations=size, random_state=0)
    assert rows.dtype == np.int64
    assert len(rows) == len(set(rows.tolist())) == min(n_queries, 20)
    assert set(rows.tolist()) <= set(range(20))


def test_ties_go_to_the_lower_row():
    samples = np.repeat(draws(4, 10), 3, axis=1)
    rows = batch_bald(samples, 12).tolist()
    for place, row in enumerate(rows):
        lower_copies = range(row - row % 3, row)
        assert set(lower_copies) <= set(rows[:place])
    assert batch_bald(np.full((3, 20, 4), 0.25), 3).tolist() == [0, 1, 2]


def test_an_empty_pool_and_an_empty_batch():
    assert batch_bald(np.empty((3, 0, 2)), 5).shape == (0,)
    assert batch_bald(draws(), 0).shape == (0,)


def test_sure_samples_stay_exact_for_any_batch():
    """8 one-hot samples know 8 configurations at most, of 2^30."""
    samples = np.eye(2)[np.random.RandomState(0).randint(2, size=(8, 30))]
    few = batch_bald(samples, 30, max_configurations=8).tolist()
    assert few == batch_bald(samples, 30).tolist()


def test_the_seed_is_read_only_once_configurations_are_drawn():
    samples = draws(n_rows=300)
    exact = {tuple(batch_bald(samples, 5, random_state=seed)) for seed in range(5)}
    assert len(exact) == 1
    rows = [
        tuple(batch_bald(samples, 12, max_configurations=20, random_state=seed))
        for seed in (0, 0, 1, 2, 3)
    ]
    assert rows[0] == rows[1]
    assert len(set(rows)) > 1
    # The exact part of the batch does not depend on the seed: 3^2 <= 20 < 3^3.
    assert len({picks[:3] for picks in rows}) == 1


def test_thinning_keeps_the_heavy_and_is_unbiased():
    weights = np.random.RandomState(0).dirichlet(np.full(40, 0.3))
    weights[[3, 7]] = 0
    rng, total, n_runs = np.random.RandomState(1), np.zeros(40), 4000
    heavy = np.argsort(-weights)[:4]
    for _ in range(n_runs):
        kept, thinned = _thin(weights, 12, rng)
        assert len(kept) <= 12
        assert thinned.sum() == pytest.approx(weights.sum())
        assert weights[kept].min() > 0
        assert set(heavy.tolist()) <= set(kept.tolist())
        total[kept] += thinned
    share = (weights.sum() - weights[heavy].sum()) / (12 - len(heavy))
    error = np.sqrt(weights * share / n_runs) + 1e-12
    assert (np.abs(total / n_runs - weights) < 5 * error).all()
    np.testing.assert_allclose((total / n_runs)[heavy], weights[heavy])


def test_thinning_leaves_few_as_they_are():
    kept, weights = _thin(np.array([0.5, 0.0, 0.5]), 2, None)
    assert kept.tolist() == [0, 2]
    assert weights.tolist() == [0.5, 0.5]


def test_drawn_gains_come_near_the_exact_ones():
    samples = draws(8, 30, 3)
    rows = batch_bald(samples, 8)
    errors = []
    for size in (50, 500):
        exact, drawn = (
            _Configurations(samples, size, np.random.RandomState(0))
            for size in (10**6, size)
        )
        for row in rows:
            exact.add(row)
            drawn.add(row)
        everyone = np.arange(30)
        errors.append(np.abs(exact.gains(everyone) - drawn.gains(everyone)).max())
        assert len(drawn.weights) <= size
    assert errors[0] < 0.05
    assert errors[1] < 0.01


def test_the_mean_of_drawn_gains_is_the_exact_gain():
    samples, rows = draws(8, 30, 3), [4, 9, 2, 7, 21]
    exact = _Configurations(samples, 10**6, None)
    for row in rows:
        exact.add(row)
    found = []
    for seed in range(300):
        drawn = _Configurations(samples, 20, np.random.RandomState(seed))
        for row in rows:
            drawn.add(row)
        found.append(drawn.gains([0, 1, 2, 3]))
    error = np.std(found, axis=0) / np.sqrt(len(found))
    expected = exact.gains([0, 1, 2, 3])
    assert (np.abs(np.mean(found, axis=0) - expected) < 5 * error).all()


def test_a_batch_by_draws_is_nearly_as_informative():
    samples = draws(8, 200, 3)
    exact = mutual_information(samples, batch_bald(samples, 8))
    drawn = batch_bald(samples, 8, max_configurations=100, random_state=0)
    separate = top_rows(bald(samples), 8)
    assert mutual_information(samples, drawn) > 0.98 * exact
    assert mutual_information(samples, drawn) > mutual_information(samples, separate)


def test_memory_is_blocked():
    """20 samples of 4,000 rows and 10 classes: 6.4 MB; 1,000 configurations of all of
    these rows would be 320 MB."""
    samples = draws(20, 4000, 10)
    tracemalloc.start()
    batch_bald(samples, 6, max_configurations=1000, random_state=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8e6


def test_arguments_are_left_alone():
    samples = draws()
    before = samples.copy()
    batch_bald(samples, 6)
    assert np.array_equal(samples, before)
