# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Paired tests and the correction of their p-values."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from skal.metrics import bonferroni, paired_bootstrap_test, paired_permutation_test

FOLDER = Path(__file__).parents[1] / "golden" / "aso"
PAIRED = sorted(FOLDER.glob("paired_tests_*.npz"))
BONFERRONI = sorted(FOLDER.glob("bonferroni_*.npz"))
TESTS = [paired_permutation_test, paired_bootstrap_test]


def of(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


def test_golden_folder_is_there():
    assert (len(PAIRED), len(BONFERRONI)) == (3, 4)


@of(PAIRED)
@pytest.mark.parametrize(
    ("test", "key"),
    [(TESTS[0], "permutation_p"), (TESTS[1], "bootstrap_p")],
    ids=["permutation", "bootstrap"],
)
def test_p_values_are_the_golden_ones_within_their_draws(path, test, key):
    """deepsig draws 500 times, and the scores of its bootstrap apart."""
    case = np.load(path)
    ours = test(case["a"], case["b"], alternative="greater", random_state=0).pvalue
    theirs = float(case[key])
    spread = np.sqrt(ours * (1 - ours) / case["num_samples"])
    apart = 0.03 if key == "bootstrap_p" else 0.0
    assert abs(ours - theirs) < 4 * spread + 0.003 + apart


@of(BONFERRONI)
def test_corrected_p_values_are_the_golden_ones(path):
    case = np.load(path)
    corrected = bonferroni(case["p"])
    np.testing.assert_allclose(corrected, case["corrected_plain"], rtol=1e-12)


def test_deepsigs_correction_is_another():
    case = np.load(FOLDER / "bonferroni_p3.npz")
    assert (np.argsort(case["p"]) != np.argsort(case["corrected_ref"])).any()
    assert (case["corrected_ref"] < case["corrected_plain"]).any()


def test_correction_keeps_the_order_and_is_the_identity_for_one():
    p = np.random.RandomState(0).rand(30) ** 6
    corrected = bonferroni(p)
    assert (np.diff(corrected[np.argsort(p)]) >= 0).all()
    assert (corrected >= p).all()
    assert corrected.max() == 1.0
    assert bonferroni([0.3]).tolist() == [0.3]


def pairs(seed, n=8, shift=0.5):
    random = np.random.RandomState(seed)
    b = random.normal(size=n)
    return b + random.normal(shift, 1, n), b


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("seed", range(3))
def test_permutations_are_all_signs(seed, alternative):
    a, b = pairs(seed)
    d = a - b
    means = np.array([np.mean(d * s) for s in itertools.product([1, -1], repeat=8)])
    tail = {
        "greater": np.mean(means >= d.mean() - 1e-12),
        "less": np.mean(means <= d.mean() + 1e-12),
    }
    tail["two-sided"] = min(1, 2 * min(tail.values()))
    result = paired_permutation_test(a, b, alternative=alternative)
    assert result.pvalue == pytest.approx(tail[alternative])
    assert result.difference == pytest.approx(d.mean())


@pytest.mark.parametrize("test", TESTS)
def test_sides(test):
    a, b = pairs(0, n=12)
    both, more, less = (
        test(a, b, alternative=side, random_state=0)
        for side in ("two-sided", "greater", "less")
    )
    assert more.pvalue < both.pvalue < less.pvalue
    # Turned round, "greater" is "less" and the difference has the other sign.
    turned = test(b, a, alternative="less", random_state=0)
    assert turned.pvalue == pytest.approx(more.pvalue)
    assert turned.difference == pytest.approx(-more.difference)


@pytest.mark.parametrize("test", TESTS)
def test_what_both_have_in_common_does_not_matter(test):
    """It would if the pairs were drawn apart, as deepsig's bootstrap does."""
    a, b = pairs(1, n=12)
    hard = np.linspace(-50, 50, 12)
    plain = test(a, b, random_state=0)
    shifted = test(a + hard, b + hard, random_state=0)
    assert shifted.pvalue == pytest.approx(plain.pvalue)


@pytest.mark.parametrize("test", TESTS)
def test_no_difference_is_never_significant(test):
    scores = np.random.RandomState(0).rand(7)
    result = test(scores, scores, random_state=0)
    assert (result.difference, result.pvalue) == (0.0, 1.0)


@pytest.mark.parametrize("test", TESTS)
def test_p_values_of_no_difference_are_uniform(test):
    random = np.random.RandomState(0)
    p = [
        test(*random.normal(size=(2, 40)), n_resamples=199, random_state=i).pvalue
        for i in range(100)
    ]
    assert 0.4 < np.mean(p) < 0.6
    assert np.mean(np.array(p) < 0.1) < 0.2


def test_the_smallest_p_values():
    a, b = np.arange(5) + 1.0, np.zeros(5)
    assert paired_permutation_test(a, b).pvalue == 2 / 2**5
    assert paired_permutation_test(a, b, alternative="greater").pvalue == 1 / 2**5
    result = paired_bootstrap_test(a, b, n_resamples=99, random_state=0)
    assert result.pvalue == 1 / 100


def test_the_interval_belongs_to_the_p_value():
    a, b = pairs(2, n=30, shift=0.35)
    result = paired_bootstrap_test(a, b, alternative="greater", random_state=0)
    level = 1 - 2 * result.pvalue
    edge = paired_bootstrap_test(a, b, confidence_level=level, random_state=0)
    assert edge.low == pytest.approx(0, abs=0.01)
    assert edge.low < result.difference < edge.high
    wide = paired_bootstrap_test(a, b, confidence_level=0.99, random_state=0)
    narrow = paired_bootstrap_test(a, b, confidence_level=0.5, random_state=0)
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize("test", TESTS)
def test_the_seed_decides_and_the_global_generator_is_left_alone(test):
    a, b = pairs(3, n=30)
    a += 0.1
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    first, again, other = (
        test(a, b, n_resamples=997, random_state=seed).pvalue for seed in (0, 0, 1)
    )
    assert first == again != other
    test(a, b)
    assert np.array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize("test", TESTS)
def test_bad_input(test):
    good = [0.5, 0.6, 0.4]
    with pytest.raises(ValueError, match="same seeds in the same order. Got 3 and 2"):
        test(good, good[:2])
    with pytest.raises(ValueError, match="at least two runs.*run more seeds"):
        test([0.5], [0.4])
    with pytest.raises(ValueError, match="b must be finite. Score 2 is inf"):
        test(good, [0.5, 0.6, np.inf])
    with pytest.raises(ValueError, match="'alternative' parameter"):
        test(good, good, alternative="larger")
    with pytest.raises(ValueError, match="'n_resamples' parameter"):
        test(good, good, n_resamples=0)


@pytest.mark.parametrize(
    ("pvalues", "message"),
    [
        ([], "one per test"),
        (0.5, "one per test"),
        ([0.5, 1.5], "between 0 and 1"),
        ([-0.1], "between 0 and 1"),
        ([np.nan], "between 0 and 1"),
    ],
)
def test_bad_p_values(pvalues, message):
    with pytest.raises(ValueError, match=message):
        bonferroni(pvalues)
