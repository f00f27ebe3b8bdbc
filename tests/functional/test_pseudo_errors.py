# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Pseudo-errors and budgets against the authors' code and the paper's text."""

from pathlib import Path

import numpy as np
import pytest

from skal.functional import allocate_budget, pseudo_errors

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "real").glob("*.npz"))
SOURCES = {"paper": None, "code": "reference"}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_pseudo_errors_are_the_golden_ones(path, source):
    case = np.load(path)
    majority, is_error, epsilon, density = pseudo_errors(
        case["probs"],
        case["cluster_id"],
        n_clusters=int(case["K"]),
        compat=SOURCES[source],
    )
    assert np.array_equal(majority, case[f"{source}_majority"])
    assert np.array_equal(is_error, case[f"{source}_is_pseudo_error"])
    np.testing.assert_allclose(epsilon, case[f"{source}_eps"], atol=1e-6)
    np.testing.assert_allclose(density, case[f"{source}_density"], rtol=1e-5)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_budgets_are_the_golden_ones(path, source):
    case = np.load(path)
    budget = allocate_budget(
        case[f"{source}_density"], int(case["b"]), compat=SOURCES[source]
    )
    assert np.array_equal(budget, case[f"{source}_budget"])


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_shares_before_the_rest_are_the_golden_ones(path):
    case = np.load(path)
    budget = allocate_budget(case["paper_density"], int(case["b"]))
    assert np.all(np.isin(budget - case["paper_base_budget"], [0, 1]))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_random_clustering_in_its_place_would_fail(path):
    case = np.load(path)
    shuffled = np.random.RandomState(0).permutation(case["cluster_id"])
    _, _, _, density = pseudo_errors(case["probs"], shuffled, n_clusters=int(case["K"]))
    assert not np.allclose(density, case["paper_density"], rtol=1e-5)


def test_an_empty_cluster_and_ties():
    proba = np.eye(3)[[2, 1, 1, 2, 0]]
    majority, is_error, epsilon, density = pseudo_errors(proba, [0, 0, 0, 0, 2])
    assert majority.tolist() == [1, -1, 0]
    assert is_error.tolist() == [True, False, False, True, False]
    assert epsilon.tolist() == [1, 0, 0, 1, 0]
    assert density.tolist() == [2, 0, 0]
    # The authors' code: class 1 is first met after class 2.
    assert pseudo_errors(proba, [0, 0, 0, 0, 2], compat="reference")[0].tolist() == [
        1,
        -1,
        0,
    ]
    met_first = [1, 2, 2, 1, 0]
    for compat, expected in ((None, 1), ("reference", 2)):
        found = pseudo_errors(np.eye(3)[met_first], [0, 0, 0, 0, 1], compat=compat)
        assert found[0][0] == expected


def test_one_class_and_one_row_are_no_errors():
    majority, is_error, epsilon, density = pseudo_errors(np.ones((4, 1)), [0, 1, 1, 3])
    assert majority.tolist() == [0, 0, -1, 0]
    assert not is_error.any()
    assert not epsilon.any()
    assert density.tolist() == [0, 0, 0, 0]
    alone = pseudo_errors([[0.4, 0.6]], [0])
    assert [values.tolist() for values in alone] == [[1], [False], [0.4], [0]]


def test_the_order_of_rows_changes_nothing_in_the_paper():
    rng = np.random.RandomState(0)
    proba = rng.dirichlet(np.ones(4), size=300)
    clusters = rng.randint(30, size=300)
    order = rng.permutation(300)
    found = pseudo_errors(proba, clusters)
    shuffled = pseudo_errors(proba[order], clusters[order])
    assert np.array_equal(found[0], shuffled[0])
    assert np.array_equal(found[1][order], shuffled[1])
    np.testing.assert_allclose(found[3], shuffled[3])


@pytest.mark.parametrize(
    ("density", "n_queries", "budget", "reference"),
    [
        ([1, 1, 1], 3, [1, 1, 1], [1, 1, 1]),
        ([1, 1, 1], 5, [2, 2, 1], [1, 2, 2]),
        ([5, 0, 0], 4, [4, 0, 0], [4, 0, 0]),
        ([3, 2, 2], 1, [0, 0, 0], [1, 0, 0]),  # no share above 0: nobody to give to
        ([9, 1, 1], 5, [5, 0, 0], [5, 0, 0]),
        ([8, 2, 2], 5, [4, 0, 0], [4, 0, 1]),
        ([0, 0, 0], 2, [0, 0, 0], [0, 1, 1]),
        ([0, 0, 0], 7, [0, 0, 0], [1, 1, 1]),
        ([], 3, [], []),
    ],
)
def test_budgets_by_hand(density, n_queries, budget, reference):
    assert allocate_budget(density, n_queries).tolist() == budget
    found = allocate_budget(density, n_queries, compat="reference")
    assert found.tolist() == reference
    assert found.dtype == np.int64


def test_shares_that_are_whole_but_for_rounding_are_whole():
    # 0.1 + 0.2 and 0.3 differ in the last bit.
    for density in ([0.1 + 0.2, 0.3, 0.3], [0.3, 0.3, 0.1 + 0.2]):
        assert allocate_budget(density, 9).tolist() == [3, 3, 3]


@pytest.mark.parametrize("compat", [None, "reference"])
@pytest.mark.parametrize("seed", range(20))
def test_never_more_than_the_batch(seed, compat):
    rng = np.random.RandomState(seed)
    density = rng.exponential(size=rng.randint(1, 50)) * (rng.uniform() < 0.9)
    n_queries = rng.randint(1, 200)
    budget = allocate_budget(density, n_queries, compat=compat)
    assert budget.min() >= 0
    assert budget.sum() <= n_queries


@pytest.mark.parametrize(
    ("kernel", "args", "match"),
    [
        (pseudo_errors, ([[2.0, -1.0]], [0]), "probabilities"),
        (pseudo_errors, ([[0.5, 0.5]], [-1]), "clusters must hold"),
        (pseudo_errors, ([[0.5, 0.5]], [0, 1]), "clusters must hold"),
        (allocate_budget, ([1.0, -1.0], 3), "at least 0"),
        (allocate_budget, ([1.0, np.nan], 3), "finite"),
        (allocate_budget, ([[1.0]], 3), "per cluster"),
    ],
)
def test_what_makes_no_sense_is_refused(kernel, args, match):
    with pytest.raises(ValueError, match=match):
        kernel(*args)


def test_compat_is_none_or_reference():
    with pytest.raises(ValueError, match="compat must be None or 'reference'"):
        allocate_budget([1.0], 1, compat="code")
    with pytest.raises(ValueError, match="Got 'code'"):
        pseudo_errors([[1.0]], [0], compat="code")
