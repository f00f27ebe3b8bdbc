# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Committee scores against the published codes' numbers, by hand and in odd cases."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from skal.functional import (
    bald,
    batch_bald,
    consensus_entropy,
    entropy,
    least_confidence,
    max_kl,
    mean_kl,
    mean_std,
    top_rows,
    variation_ratio,
    vote_entropy,
)

GOLDEN = Path(__file__).parents[1] / "golden"
QBC = sorted((GOLDEN / "qbc").glob("*.npz"))
DROPOUT = sorted((GOLDEN / "mc_dropout_modal").glob("*.npz"))
BALD_CASES = sorted((GOLDEN / "bald").glob("*.npz"))
CARTOGRAPHY = sorted((GOLDEN / "cal_acquisition").glob("*.npz"))


def by_mean(samples):
    return variation_ratio(samples, kind="mean")


def mean_entropy(samples):
    return np.mean([entropy(sample) for sample in samples], axis=0)


SCORES = [
    bald,
    consensus_entropy,
    max_kl,
    mean_kl,
    mean_std,
    variation_ratio,
    by_mean,
    vote_entropy,
]
# Golden key, our score of it, absolute tolerance.
OF_QBC = [
    ("vote_entropy_modal", vote_entropy, 1e-12),
    ("vote_entropy_skactiveml", vote_entropy, 1e-12),
    ("consensus_entropy_modal", consensus_entropy, 1e-12),
    ("predictive_entropy_nat", consensus_entropy, 1e-12),
    ("kl_max_modal", max_kl, 1e-12),
    ("kl_mean_exact", mean_kl, 1e-12),
    ("kl_mean_skactiveml", mean_kl, 1e-5),  # clips probabilities to 1e-7
    ("bald_nat", bald, 1e-12),
    ("bald_log2_smalltext", lambda s: bald(s) / np.log(2), 1e-6),  # adds 1e-8
    ("variation_ratios_skactiveml", variation_ratio, 1e-12),
    ("variation_ratio_meanprob", by_mean, 1e-12),
    ("mean_std_gal", mean_std, 1e-7),  # by a difference of squares
]
OF_DROPOUT = [
    ("mean_std", mean_std, 1e-12),
    ("variation_ratios", by_mean, 1e-12),
    ("bald", bald, 1e-12),
]
of = {
    cases[0].parent.name: pytest.mark.parametrize("path", cases, ids=lambda p: p.stem)
    for cases in (QBC, DROPOUT, BALD_CASES, CARTOGRAPHY)
}


def test_there_are_golden_cases():
    cases = [len(paths) for paths in (QBC, DROPOUT, BALD_CASES, CARTOGRAPHY)]
    assert cases == [8, 5, 6, 2]


@of["qbc"]
@pytest.mark.parametrize(
    ("key", "score", "atol"), OF_QBC, ids=[key for key, *_ in OF_QBC]
)
def test_golden_committee_scores(path, key, score, atol):
    case = np.load(path)
    scores = score(case["member_probs"])
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, case[key], rtol=0, atol=atol)


@of["qbc"]
def test_golden_votes_go_to_the_lowest_class(path):
    case = np.load(path)
    members = case["member_probs"]
    expected = 1 - case["vote_counts"].max(axis=1) / len(members)
    np.testing.assert_allclose(variation_ratio(members), expected, atol=1e-12)


@of["mc_dropout_modal"]
@pytest.mark.parametrize(
    ("key", "score", "atol"), OF_DROPOUT, ids=[key for key, *_ in OF_DROPOUT]
)
def test_golden_dropout_scores(path, key, score, atol):
    members = np.load(GOLDEN / "qbc" / path.name)["member_probs"]
    np.testing.assert_allclose(score(members), np.load(path)[key], rtol=0, atol=atol)


@of["mc_dropout_modal"]
def test_modals_max_entropy_is_the_mean_entropy_of_the_samples(path):
    """What the docstring of consensus_entropy says of it."""
    members = np.load(GOLDEN / "qbc" / path.name)["member_probs"]
    factor = len(members) / members.shape[2]
    golden = np.load(path)["entropy_modal"]
    np.testing.assert_allclose(factor * mean_entropy(members), golden, atol=1e-12)


@of["bald"]
def test_golden_bald(path):
    case = np.load(path)
    samples = case["probs"].astype(np.float64).swapaxes(0, 1)
    np.testing.assert_allclose(bald(samples), case["oracle_bald_f64"], atol=2e-6)
    np.testing.assert_allclose(
        consensus_entropy(samples), case["predictive_entropy_f64"], atol=2e-6
    )
    np.testing.assert_allclose(
        mean_entropy(samples), case["expected_entropy_f64"], atol=2e-6
    )
    if "top_b_order" in case:
        golden, rows = case["bald_f64"], top_rows(bald(samples), int(case["b"]))
        np.testing.assert_allclose(golden[rows], golden[case["top_b_order"]], atol=2e-6)


@of["cal_acquisition"]
def test_golden_entropy_and_confidence_of_cartography_al(path):
    case = np.load(path)
    bits = entropy(case["probs"]) / np.log(2)
    np.testing.assert_allclose(bits, case["entropy_log2"], atol=1e-5)
    confidence = least_confidence(case["probs"])
    np.testing.assert_allclose(confidence, case["lc"], atol=1e-6)
    assert top_rows(bits, 50).tolist() == case["entropy_top50"].tolist()
    assert top_rows(confidence, 50).tolist() == case["lc_top50"].tolist()


@pytest.mark.slow
def test_the_whole_of_the_golden_cases_cut_here(shared_dir):
    folder = shared_dir / "golden"
    case = np.load(folder / "b" / "qbc" / "s2_M3_n3000_C10.npz")
    for key, score, atol in OF_QBC:
        np.testing.assert_allclose(score(case["member_probs"]), case[key], atol=atol)
    case = np.load(folder / "b" / "mc_dropout_modal" / "s2_M3_n3000_C10.npz")
    for key, score, atol in OF_DROPOUT:
        np.testing.assert_allclose(score(case["member_probs"]), case[key], atol=atol)
    case = np.load(folder / "a" / "bald" / "s2_n3000_C10_K10.npz")
    scores = bald(case["probs"].swapaxes(0, 1))
    np.testing.assert_allclose(scores, case["oracle_bald_f64"], atol=2e-6)
    assert top_rows(scores, 100).tolist() == case["top_b_order"].tolist()


def draws(n_samples=7, n_rows=50, n_classes=4, seed=0):
    return np.random.RandomState(seed).dirichlet(
        np.ones(n_classes), (n_samples, n_rows)
    )


def test_bald_is_the_mean_divergence():
    samples = draws()
    samples[0, :25] = np.eye(4)[np.arange(25) % 4]
    np.testing.assert_allclose(bald(samples), mean_kl(samples), atol=1e-12)


def test_two_samples_by_hand():
    """Agreed and sure; agreed and unsure; sure of different things."""
    samples = [[[1, 0], [0.5, 0.5], [1, 0]], [[1, 0], [0.5, 0.5], [0, 1]]]
    log2 = np.log(2)
    for score, expected in [
        (vote_entropy, [0, 0, log2]),
        (consensus_entropy, [0, log2, log2]),
        (mean_kl, [0, 0, log2]),
        (max_kl, [0, 0, log2]),
        (bald, [0, 0, log2]),
        (mean_std, [0, 0, 0.5]),
        (variation_ratio, [0, 0, 0.5]),
        (by_mean, [0, 0.5, 0.5]),
    ]:
        np.testing.assert_allclose(score(samples), expected, atol=1e-15)


def test_the_maximum_is_that_of_one_sample():
    samples = np.array([[[1.0, 0.0]], [[0.5, 0.5]], [[0.5, 0.5]]])
    np.testing.assert_allclose(max_kl(samples), [np.log(1 / (2 / 3))])
    others = 0.5 * np.log(0.5 / (2 / 3)) + 0.5 * np.log(0.5 / (1 / 3))
    mean = (np.log(1.5) + 2 * others) / 3
    np.testing.assert_allclose(mean_kl(samples), [mean])


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize(
    "samples",
    [
        np.eye(3)[np.random.RandomState(0).randint(3, size=(5, 20))],
        np.repeat(draws(1), 6, axis=0),
        draws(1),
        np.ones((4, 10, 1)),
        draws(3, 1),
        np.full((3, 10, 4), 0.25),
    ],
    ids=["one-hot", "no variance", "T=1", "one class", "one row", "uniform"],
)
def test_odd_samples_give_numbers_in_their_range(score, samples):
    scores = score(samples)
    assert scores.shape == samples.shape[1:2]
    assert np.isfinite(scores).all()
    assert scores.min() >= -1e-12
    assert scores.max() <= np.log(max(samples.shape[0], samples.shape[2])) + 1e-12


@pytest.mark.parametrize("score", [bald, max_kl, mean_kl, mean_std, vote_entropy])
def test_samples_that_agree_score_nothing(score):
    np.testing.assert_allclose(score(np.repeat(draws(1), 6, axis=0)), 0, atol=1e-12)


@pytest.mark.parametrize("score", SCORES)
def test_an_empty_pool_gives_no_scores(score):
    assert score(np.empty((3, 0, 2))).shape == (0,)


@pytest.mark.parametrize("score", [*SCORES, lambda samples: batch_bald(samples, 2)])
@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([[0.5, 0.5]], r"shape \(n_samples, n_rows, n_classes\)"),
        (np.empty((0, 3, 2)), "at least one sample"),
        ([[[2.0, -1.0]]], "probabilities between 0 and 1"),
        ([[[np.nan, 0.5]]], "probabilities between 0 and 1"),
    ],
    ids=["two dimensions", "no samples", "logits", "NaN"],
)
def test_what_are_no_samples_is_refused(score, samples, message):
    with pytest.raises(ValueError, match=message):
        score(samples)


def test_another_kind_of_variation_ratio_is_refused():
    with pytest.raises(ValueError, match="'votes' or 'mean'. Got 'median'"):
        variation_ratio(draws(), kind="median")


@pytest.mark.parametrize("score", SCORES)
def test_samples_are_left_alone_and_never_copied(score):
    """20 samples of 5,000 rows and 20 classes are 16 MB, a sample is 0.8 MB."""
    samples = draws(20, 5000, 20)
    before = samples.copy()
    tracemalloc.start()
    score(samples)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert np.array_equal(samples, before)
    assert peak < 5e6
