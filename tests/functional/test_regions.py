# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Region scores and picks: the authors' code, the paper by hand, awkward clusters."""

from pathlib import Path

import numpy as np
import pytest

from skal.functional import region_rows, region_scores

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "actune").glob("*.npz"))
CASES = [
    pytest.param(path, kind, id=f"{path.stem}-{kind}")
    for path in GOLDEN
    for kind in ("entropy", "cal")
    if f"{kind}_code_rank" in np.load(path)
]
PORTED = [path for path in GOLDEN if "realrepo_rank" in np.load(path)]
# Cases in which equal uncertainties, or scores of regions, leave several right answers.
TIED = {"awk_agree", "awk_onehot"}


def golden(path, kind):
    """Uncertainty, clusters and the rest of one case."""
    case = np.load(path)
    return case, case[f"{kind}_uncertainty"], case[f"{kind}_cluster_id"]


@pytest.mark.parametrize(("path", "kind"), CASES)
def test_region_scores_are_the_golden_ones(path, kind):
    case, scores, clusters = golden(path, kind)
    for compat, name in [("reference", "code"), (None, "paper")]:
        found = region_scores(
            scores, case["probs"], clusters, n_clusters=int(case["K"]), compat=compat
        )
        expected = case[f"{kind}_{name}_region_score"]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(("path", "kind"), CASES)
def test_reference_rows_are_the_golden_ones(path, kind):
    case, scores, clusters = golden(path, kind)
    rows = region_rows(
        scores,
        clusters,
        case[f"{kind}_code_region_score"],
        int(case["b"]),
        max_share=1 / int(case["topK"]),
        compat="reference",
    )
    expected = case[f"{kind}_code_selected"]
    if path.stem in TIED:
        assert sorted(scores[rows].tolist()) == sorted(scores[expected].tolist())
    else:
        assert rows.tolist() == expected.tolist()


@pytest.mark.parametrize("path", PORTED, ids=lambda path: path.stem)
def test_the_port_in_reals_repository_is_the_reference_with_beta_1(path):
    case, scores, clusters = golden(path, "realrepo")
    regions = region_scores(
        scores, case["probs"], clusters, beta=1, n_clusters=25, compat="reference"
    )
    expected = case["realrepo_region_score"]
    np.testing.assert_allclose(regions, expected, rtol=1e-5, atol=1e-9)
    if path.stem == "awk_agree":  # the regions' scores are equal but for rounding
        return
    size = int(case["b"])
    rows = region_rows(
        scores, clusters, expected, size, max_share=0.05, compat="reference"
    )
    np.testing.assert_array_equal(scores[rows], scores[case["realrepo_rank"][:size]])


def test_there_are_golden_cases():
    assert (len(GOLDEN), len(CASES), len(PORTED)) == (6, 10, 5)


def test_region_scores_by_hand():
    proba = np.eye(3)[[0, 0, 1, 2, 2, 0, 1, 2]]
    clusters = [0, 0, 0, 0, 2, 3, 3, 3]
    scores = [1, 2, 3, 4, 5, 0, 0, 0]
    found = region_scores(scores, proba, clusters, beta=2, n_clusters=5)
    mixed = -(0.5 * np.log(0.5) + 2 * 0.25 * np.log(0.25))
    expected = [2.5 + 2 * mixed, -np.inf, 5, 2 * np.log(3), -np.inf]
    np.testing.assert_allclose(found, expected)
    found = region_scores(scores, proba, clusters, beta=2, compat="reference")
    # Counts 2, 1, 1 over the largest, 2.
    assert found[0] == pytest.approx(2.5 + 2 * np.log(2))
    assert found[3] == pytest.approx(0)
    assert region_scores([], np.empty((0, 2)), np.empty(0, dtype=int)).shape == (0,)


def by_hand(scores, clusters, region_scores, n_queries, n_per_region, max_share):
    """The regions in turns, in plain Python."""
    order = sorted(range(len(region_scores)), key=lambda k: (-region_scores[k], k))
    regions = {
        k: sorted(np.flatnonzero(clusters == k), key=lambda row: (-scores[row], row))
        for k in order
    }
    at_once = {
        k: max(1, min(n_per_region, int(len(regions[k]) * max_share + 1e-9)))
        for k in order
    }
    picked = []
    while len(picked) < min(n_queries, len(scores)):
        for k in order:
            picked += regions[k][: at_once[k]]
            regions[k] = regions[k][at_once[k] :]
    return picked[:n_queries]


@pytest.mark.parametrize("n_per_region", [1, 3, 10])
@pytest.mark.parametrize("max_share", [0.05, 0.5, 1.0])
def test_rows_follow_the_paper_by_hand(n_per_region, max_share):
    rng = np.random.RandomState(n_per_region)
    clusters = rng.randint(7, size=200) ** 2 // 7
    scores = rng.randint(50, size=200) / 7
    regions = rng.randint(3, size=6).astype(float)
    for n_queries in (1, 9, 60, 200, 300):
        arguments = scores, clusters, regions, n_queries
        rows = region_rows(*arguments, n_per_region=n_per_region, max_share=max_share)
        assert rows.tolist() == by_hand(*arguments, n_per_region, max_share)
        assert rows.dtype == np.int64


@pytest.mark.parametrize("seed", range(20))
def test_random_rows_in_their_place_would_fail(seed):
    for path in GOLDEN[3:]:
        case, scores, _ = golden(path, "entropy")
        size = int(case["b"])
        rows = np.random.RandomState(seed).choice(len(scores), size, replace=False)
        expected = case["entropy_code_selected"]
        assert sorted(scores[rows].tolist()) != sorted(scores[expected].tolist())


@pytest.mark.parametrize("compat", [None, "reference"])
def test_every_row_is_picked_once_where_all_are_due(compat):
    clusters = np.array([0, 0, 3, 1, 1, 1, 3, 0])
    scores, regions = np.arange(8.0)[::-1] % 3, [0.1, 0.7, -np.inf, 0.2]
    for n_per_region in (1, 2, 100):
        for n_queries in range(9):
            rows = region_rows(
                scores,
                clusters,
                regions,
                n_queries,
                n_per_region=n_per_region,
                max_share=0.5,
                compat=compat,
            )
            assert len(set(rows.tolist())) == len(rows) == n_queries


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"scores": [1, 2]}, "one number per row"),
        ({"scores": [1, np.nan, 2]}, "one number per row"),
        ({"clusters": [0, 1, 2]}, "from 0 to 1"),
        ({"compat": "code"}, "compat must be"),
    ],
)
def test_what_does_not_fit_together_is_refused(change, match):
    settings = {"scores": [1, 2, 3], "clusters": [0, 1, 0]} | change
    with pytest.raises(ValueError, match=match):
        region_rows(region_scores=[1, 2], n_queries=1, **settings)
    with pytest.raises(ValueError, match=match):
        region_scores(proba=np.full((3, 2), 0.5), n_clusters=2, **settings)
