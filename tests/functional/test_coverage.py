# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""k-center, nearest rows and facility location against plain loops and golden picks."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.preprocessing import normalize

from skal.functional import _coverage as coverage
from skal.functional import _distances as distances
from skal.functional import (
    facility_location,
    k_center_greedy,
    nearest_to_centers,
    random_rows,
)

GOLDEN = Path(__file__).parents[1] / "golden"
CORE_SET = sorted((GOLDEN / "core_set").glob("*.npz"))
K_MEANS = sorted((GOLDEN / "bert_km").glob("*.npz"))
ZHDANOV = sorted((GOLDEN / "zhdanov").glob("*.npz"))
SUGGESTIVE = sorted((GOLDEN / "suggestive_annotation").glob("*.npz"))


def golden(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


def core_set_case(path):
    """Vectors, labelled rows, open rows, the batch size and the golden picks."""
    case = np.load(path)
    if "features" in case:
        X, labeled = case["features"], case["current"]
        b, picks = int(case["budget"]), case["sel_kcenters"]
    else:
        X, labeled = case["X"], case["labeled_idx"]
        b, picks = int(case["b"]), case["selected_order"]
    return X, labeled, np.setdiff1d(np.arange(len(X)), labeled), b, picks


def plain_k_center(X, labeled, n_queries):
    """The loop of the paper, every distance in double precision."""
    X, labeled = np.float64(np.float32(X)), np.float64(np.float32(labeled))
    nearest = np.full(len(X), np.inf)
    for center in labeled:
        nearest = np.minimum(nearest, ((X - center) ** 2).sum(axis=1))
    rows = []
    for _ in range(n_queries):
        rows.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, ((X - X[rows[-1]]) ** 2).sum(axis=1))
        nearest[rows] = -np.inf
    return rows


def distances_to(X, centers):
    X, centers = np.float64(np.float32(X)), np.float64(np.float32(centers))
    return np.sqrt(((X[:, None] - centers[None]) ** 2).sum(axis=2))


@golden(CORE_SET)
def test_golden_k_center(path):
    X, labeled, pool, b, picks = core_set_case(path)
    rows = pool[k_center_greedy(X[pool], X[labeled], b)]
    assert len(set(rows.tolist())) == b
    if len(set(picks.tolist())) == b:
        assert rows.tolist() == picks.tolist()
    else:  # the authors' code returned a row again and again
        assert rows.tolist() == pool[:b].tolist()


@golden([path for path in CORE_SET if not path.stem.startswith("svp")])
def test_golden_radii(path):
    case = np.load(path)
    X, labeled, pool, b, _ = core_set_case(path)
    rows = pool[k_center_greedy(X[pool], X[labeled], b)]
    centers = np.concatenate([labeled, rows])
    left = distances_to(X, X[centers]).min(axis=1)
    np.testing.assert_allclose(left, case["final_min_dist"], atol=1e-4)
    for step, row in enumerate(rows[:-1]):
        known = centers[: len(labeled) + step]
        if len(known) and not case["selected_has_duplicates"]:
            radius = distances_to(X[[row]], X[known]).min()
            assert radius == pytest.approx(case["select_radius"][step], abs=1e-4)


def some_pools():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(700, 20))
    lattice = rng.randint(3, size=(700, 4)).astype(float)
    clouds = rng.normal(size=(7, 20))[rng.randint(7, size=700)] + 0.01 * X
    return {
        "random": (X, X[:9]),
        "far from zero": (X + 1000, X[:9] + 1000),
        "clouds": (clouds, clouds[:3]),
        "nothing labelled": (X, np.empty((0, 20))),
        "lattice with ties": (lattice, lattice[:1]),
        "one-hot": (np.eye(50)[rng.randint(50, size=700)], np.eye(50)[:2]),
        "copies": (np.repeat(X[:30], 20, axis=0), X[:4]),
        "line": (np.arange(700.0)[:, None] ** 2, [[0.0]]),
    }


POOLS = some_pools()


@pytest.mark.parametrize("name", POOLS)
def test_the_picks_are_those_of_the_plain_loop(name):
    X, labeled = POOLS[name]
    expected = plain_k_center(X, labeled, 150)
    assert k_center_greedy(X, labeled, 150).tolist() == expected


@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("limits", [(0, 10**9), (3, 10**9), (10**9, 1)], ids=str)
def test_how_often_distances_are_refreshed_does_not_matter(monkeypatch, name, limits):
    X, labeled = POOLS[name]
    expected = k_center_greedy(X, labeled, 60)
    monkeypatch.setattr(coverage, "_LEAST_CHECKS", limits[0])
    monkeypatch.setattr(coverage, "_ROWS_PER_CHECK", limits[1])
    monkeypatch.setattr(distances, "PRODUCTS_AT_ONCE", 1000)
    assert np.array_equal(k_center_greedy(X, labeled, 60), expected)


def test_random_picks_in_place_of_k_center_would_fail():
    for path in CORE_SET:
        _, _, pool, b, picks = core_set_case(path)
        for seed in range(20):
            drawn = np.random.RandomState(seed).choice(pool, b, replace=False)
            assert drawn.tolist() != picks.tolist()


def test_the_whole_pool_can_be_picked():
    X = np.random.RandomState(0).normal(size=(40, 3))
    assert sorted(k_center_greedy(X, X[:1], 99).tolist()) == list(range(40))


def test_a_pool_without_distances_is_picked_in_its_order():
    X = np.ones((3000, 5))
    assert k_center_greedy(X, X[:2], 100).tolist() == list(range(100))
    assert k_center_greedy(X * 0, [], 100).tolist() == list(range(100))


def test_nothing_to_pick():
    assert k_center_greedy(np.empty((0, 3)), np.ones((2, 3)), 5).shape == (0,)
    assert k_center_greedy(np.ones((2, 3)), np.ones((2, 3)), 0).shape == (0,)


@pytest.mark.parametrize("scale", [2.0**-90, 2.0**-20, 2.0**90])
def test_the_scale_does_not_matter_to_k_center(scale):
    X = np.random.RandomState(0).normal(size=(500, 10))
    rows = k_center_greedy(X * scale, X[:5] * scale, 40)
    assert np.array_equal(rows, k_center_greedy(X, X[:5], 40))


def test_k_center_does_not_depend_on_the_order_of_rows():
    X = np.random.RandomState(0).normal(size=(3000, 64)).astype(np.float32)
    order = np.random.RandomState(1).permutation(3000)
    rows = k_center_greedy(X, X[:20], 100)
    assert np.array_equal(order[k_center_greedy(X[order], X[:20], 100)], rows)


def test_k_center_holds_no_matrix_of_distances():
    X = np.random.RandomState(0).normal(size=(50_000, 16)).astype(np.float32)
    k_center_greedy(X[:100], X[:9], 5)
    tracemalloc.start()
    k_center_greedy(X, X[:400], 50)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The matrix has 80 MB. Bounds take 16 bytes a row, norms and sizes 8; and a block.
    assert peak < 50_000 * 24 + 14e6


@golden(K_MEANS)
def test_golden_nearest_rows(path):
    """Of rows equally near, up to single precision, the authors' is any."""
    case = np.load(path)
    X = np.float32(case["X"])
    X = normalize(X) if case["l2_normalised"] else X
    rows = nearest_to_centers(X, case["centers"])
    assert len(set(rows.tolist())) == len(rows) == case["k"]
    golden, first = np.unique(case["nearest_idx"], return_index=True)
    away = np.linalg.norm(X[rows[first]] - case["centers"][first], axis=1)
    np.testing.assert_allclose(away, case["nearest_dist"][first], atol=2e-6)
    assert np.mean(rows[first] == golden) >= 0.95
    own = np.flatnonzero(np.isin(np.arange(len(rows)), first, invert=True))
    others = np.setdiff1d(np.arange(len(X)), rows[first])
    if len(own):  # the nearest that is left
        left = distances_to(X[others], case["centers"][own[:1]]).min()
        got = distances_to(X[rows[own[:1]]], case["centers"][own[:1]])[0, 0]
        assert got == pytest.approx(left, abs=1e-6)


@golden(ZHDANOV)
def test_golden_distinct_rows(path):
    case = np.load(path)
    kept = case["prefilter_idx"]
    rows = nearest_to_centers(case["X"][kept], case["centers_f64"])
    assert kept[rows].tolist() == case["distinct_selected"].tolist()


@pytest.mark.parametrize("seed", range(20))
def test_random_rows_in_place_of_the_nearest_would_fail(seed):
    for path in ZHDANOV:
        case = np.load(path)
        drawn = random_rows(len(case["X"]), int(case["b"]), seed)
        assert set(drawn.tolist()) != set(case["distinct_selected"].tolist())


@pytest.mark.parametrize("name", POOLS)
def test_nearest_rows_are_those_of_a_plain_search(monkeypatch, name):
    monkeypatch.setattr(distances, "PRODUCTS_AT_ONCE", 1000)
    X, _ = POOLS[name]
    picked = np.random.RandomState(1).choice(len(X), 40)
    centers = X[picked] + 0.01 * np.arange(40)[:, None]
    expected, taken = distances_to(X, centers).argmin(axis=0), set()
    again = []
    for k, row in enumerate(expected):
        again += [k] * (row in taken)
        taken.add(int(row))
    for k in again:
        away = distances_to(X, centers[[k]])[:, 0]
        away[sorted(taken)] = np.inf
        expected[k] = away.argmin()
        taken.add(int(expected[k]))
    assert nearest_to_centers(X, centers).tolist() == expected.tolist()


def test_as_many_centres_as_rows():
    X = np.random.RandomState(0).normal(size=(30, 3))
    assert nearest_to_centers(X, X[::-1]).tolist() == list(range(30))[::-1]
    rows = nearest_to_centers(np.ones((30, 3)), np.ones((30, 3)))
    assert rows.tolist() == list(range(30))
    assert nearest_to_centers(X, np.empty((0, 3))).shape == (0,)


@golden(SUGGESTIVE)
def test_golden_facility_location(path):
    case = np.load(path)
    X = np.float64(case["X"])
    rows = facility_location(X, case["candidates"], int(case["k"]))
    assert rows.tolist() == case["selected_order"].tolist()
    similarity = normalize(X) @ normalize(X).T
    covered = np.maximum.accumulate(similarity[rows], axis=0).sum(axis=1)
    np.testing.assert_allclose(covered, case["F_f64"], rtol=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_random_candidates_in_place_of_facility_location_would_fail(seed):
    for path in SUGGESTIVE:
        case = np.load(path)
        drawn = np.random.RandomState(seed).permutation(case["candidates"])
        assert drawn[: case["k"]].tolist() != case["selected_order"].tolist()


def similarities(X, candidates):
    X = np.float64(np.float32(X))
    norms = np.linalg.norm(X, axis=1)
    unit = X / np.where(norms > 0, norms, 1)[:, None]
    return unit[candidates] @ unit.T


def plain_facility_location(similarity, n_queries):
    covered, picked = np.full(similarity.shape[1], -1.0), []
    for _ in range(n_queries):
        gain = np.maximum(similarity - covered, 0).sum(axis=1)
        gain[picked] = -np.inf
        best = int(np.flatnonzero(gain >= gain.max() - 1e-6 * (1 + gain.max()))[0])
        covered = np.maximum(covered, similarity[best])
        picked.append(best)
    return picked


@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("n_candidates", [5, 15, 90])
def test_facility_location_is_the_plain_greedy(name, n_candidates):
    """With the similarities held, and made anew (more candidates than dimensions)."""
    X, _ = POOLS[name]
    candidates = np.random.RandomState(0).permutation(len(X))[:n_candidates]
    similarity = similarities(X, candidates)
    expected = plain_facility_location(similarity, n_candidates - 2)
    rows = facility_location(X, candidates, n_candidates - 2)
    picked = [candidates.tolist().index(row) for row in rows]
    if name not in ("far from zero", "clouds"):  # similarities all of 1 to 6 digits
        assert picked == expected
    covered, plain = (
        np.maximum.accumulate(similarity[order], axis=0).sum(axis=1)
        for order in (picked, expected)
    )
    np.testing.assert_allclose(covered, plain, rtol=1e-6)


def test_candidates_that_add_nothing_come_in_their_order():
    X = np.repeat(np.eye(3), 5, axis=0)
    candidates = [14, 13, 1, 0, 7, 6, 2]
    assert facility_location(X, candidates, 7).tolist() == [14, 1, 7, 13, 0, 6, 2]
    assert facility_location(X * 0, candidates, 7).tolist() == candidates
    assert facility_location(X, [], 7).shape == (0,)


CALLS = {
    "k_center_greedy": lambda X, Y: k_center_greedy(X, Y, 2),
    "nearest_to_centers": lambda X, Y: nearest_to_centers(X, Y),
    "facility_location": lambda X, _: facility_location(X, [0, 1], 2),
}


@pytest.mark.parametrize("call", CALLS)
def test_vectors_that_cannot_be_used_are_refused(call):
    Y = np.ones((2, 3))
    with pytest.raises(TypeError, match="TruncatedSVD"):
        CALLS[call](sparse.csr_array(np.eye(3)), Y)
    with pytest.raises(ValueError, match="must be finite"):
        CALLS[call](np.full((4, 3), np.nan), Y)
    if call != "facility_location":
        with pytest.raises(ValueError, match="as many dimensions as embedding"):
            CALLS[call](np.ones((4, 2)), Y)


def test_what_else_is_refused():
    with pytest.raises(ValueError, match="no more centers than rows"):
        nearest_to_centers(np.ones((2, 2)), np.ones((3, 2)))
    with pytest.raises(ValueError, match="candidates must return"):
        facility_location(np.ones((2, 2)), [0, 0], 1)


def test_arguments_are_left_alone():
    X, labeled = POOLS["random"]
    X, labeled = np.float32(X), np.float32(labeled)
    before = X.copy(), labeled.copy()
    k_center_greedy(X, labeled, 10)
    nearest_to_centers(X, labeled)
    facility_location(X, np.arange(15), 10)
    assert np.array_equal(X, before[0])
    assert np.array_equal(labeled, before[1])


def test_there_are_golden_cases():
    assert [len(p) for p in (CORE_SET, K_MEANS, ZHDANOV, SUGGESTIVE)] == [9, 8, 5, 4]
