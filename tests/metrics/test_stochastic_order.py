# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Almost stochastic order: deepsig's numbers, and its three faults mended."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from skal.metrics import almost_stochastic_order, pairwise_stochastic_order
from skal.metrics._stochastic_order import _bound, _quantiles, _violation_ratio

FOLDER = Path(__file__).parents[1] / "golden" / "aso"
GOLDEN = [p for p in sorted(FOLDER.glob("*.npz")) if "eps_min_nc1" in np.load(p)]
MULTI = FOLDER / "multi_4models.npz"
golden = pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)


def test_golden_folder_is_there():
    assert len(GOLDEN) == 7
    assert MULTI.exists()


def without_first_point(ratio, a, b, dt):
    """What deepsig makes of a ratio: it leaves a term of the numerator out."""
    lead = _quantiles(b, dt) - _quantiles(a, dt)
    whole = (lead**2).sum(axis=-1)
    first = np.maximum(lead[..., 0], 0) ** 2
    return ratio - np.where(whole > 0, first / np.where(whole > 0, whole, 1), 0)


def deepsig_resamples(a, b, seed, n_resamples):
    """Its resamples: the i-th has the seed plus i, and inverts the distribution."""

    def draw(random, scores):
        index = np.ceil(len(scores) * random.uniform(size=len(scores))).astype(int) - 1
        return np.sort(scores)[np.clip(index, 0, len(scores) - 1)]

    streams = [np.random.RandomState(seed + 1 + i) for i in range(n_resamples)]
    pairs = [(draw(random, a), draw(random, b)) for random in streams]
    return map(np.array, zip(*pairs, strict=True))


@golden
def test_ratios_are_the_golden_ones(path):
    case = np.load(path)
    a, b, dt = case["a"], case["b"], float(case["dt"])
    for scores, key in (((a, b), "ab"), ((b, a), "ba")):
        ratio = _violation_ratio(*scores, dt)
        ours = without_first_point(ratio, *scores, dt)
        expected = case[f"violation_ratio_{key}"]
        np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-12)
    drawn = list(deepsig_resamples(a, b, int(case["seed"]), int(case["B"])))
    ours = without_first_point(_violation_ratio(*drawn, dt), *drawn, dt)
    np.testing.assert_allclose(ours, case["boot"], rtol=1e-9, atol=1e-12)


@golden
def test_bounds_are_the_golden_ones(path):
    """From deepsig's ratios, with the level that each number of comparisons has."""
    case = np.load(path)
    ratio, resampled = float(case["violation_ratio_ab"]), case["boot"]
    sizes = len(case["a"]), len(case["b"])
    bounds = {"eps_min_nc1": 0.95, "eps_min_true_bonferroni_nc6": 1 - 0.05 / 6}
    for key, level in bounds.items():
        if key in case:
            ours = _bound(ratio, resampled, *sizes, level)
            assert ours == pytest.approx(float(case[key]), rel=1e-9, abs=1e-12)
    # What deepsig takes for the correction, to know that these levels matter.
    wrong = [0.95 + 0.05 / k if k > 1 else 0.95 for k in case["num_comparisons"]]
    ours = [_bound(ratio, resampled, *sizes, level) for level in wrong]
    np.testing.assert_allclose(ours, case["eps_min_by_nc"], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "path", [p for p in GOLDEN if len(np.load(p)["a"]) > 1], ids=lambda path: path.stem
)
def test_the_whole_test_is_near_the_golden_one(path):
    """Among those that other draws, as many, give."""
    case = np.load(path)
    bounds = [
        almost_stochastic_order(
            case["a"],
            case["b"],
            n_resamples=int(case["B"]),
            dt=float(case["dt"]),
            random_state=seed,
        ).epsilon
        for seed in range(20)
    ]
    assert min(bounds) - 1e-3 <= case["eps_min_nc1"] <= max(bounds) + 1e-3


def test_pairs_are_ordered_as_the_golden_ones():
    case = np.load(MULTI)
    scores = dict(zip("abcd", case["scores"], strict=True))
    result = pairwise_stochastic_order(scores, n_comparisons=1, random_state=0)
    off = ~np.eye(4, dtype=bool)
    # deepsig's matrix, but for its missing first point and the draws.
    np.testing.assert_allclose(result.epsilon[off], case["eps_nobonf"][off], atol=0.05)
    two = pairwise_stochastic_order(
        {name: scores[name] for name in "ab"}, random_state=0
    )
    # Corrected, deepsig orders no two models: eps is 1 both ways.
    assert (case["eps_two_models_bonferroni"] == 1).all()
    assert two.epsilon[1, 0] < 0.2


def scores_of(seed, n=8, m=10):
    random = np.random.RandomState(seed)
    return random.normal(0.3, 1, n), random.normal(0, 1, m)


@pytest.mark.parametrize("seed", range(5))
def test_both_directions(seed):
    a, b = scores_of(seed)
    result = almost_stochastic_order(a, b, random_state=0)
    assert 0 <= result.violation_ratio <= result.epsilon <= 1
    assert 1 - result.violation_ratio <= result.epsilon_reverse
    assert result.epsilon + result.epsilon_reverse >= 1
    other = almost_stochastic_order(b, a, n_resamples=4000, random_state=0)
    assert other.violation_ratio == pytest.approx(1 - result.violation_ratio)
    assert other.epsilon == pytest.approx(result.epsilon_reverse, abs=0.05)


def test_the_order_does_not_depend_on_unit_or_order_of_the_scores():
    a, b = scores_of(0)
    ratio = almost_stochastic_order(a, b, n_resamples=2).violation_ratio
    moved = almost_stochastic_order(100 * a + 7, 100 * b + 7, n_resamples=2)
    assert moved.violation_ratio == pytest.approx(ratio)
    turned = almost_stochastic_order(a[::-1], b[::-1], n_resamples=2)
    assert turned.violation_ratio == ratio
    mirrored = almost_stochastic_order(-b, -a, n_resamples=2)
    assert mirrored.violation_ratio == pytest.approx(ratio, abs=0.02)


def test_dominance_is_0_and_1():
    low, high = np.arange(5.0), np.arange(10.0, 15.0)
    result = almost_stochastic_order(high, low, random_state=0)
    assert (result.epsilon, result.epsilon_reverse) == (0.0, 1.0)
    result = almost_stochastic_order(low, high, random_state=0)
    # Not 0.995, as without the first grid point.
    assert result.violation_ratio == 1.0


def test_equal_scores_have_no_order():
    scores = np.full(6, 0.5)
    result = almost_stochastic_order(scores, scores, random_state=0)
    assert result == {"epsilon": 0.5, "epsilon_reverse": 0.5, "violation_ratio": 0.5}
    scores = np.arange(6.0)
    result = almost_stochastic_order(scores, scores[::-1], random_state=0)
    assert result.violation_ratio == 0.5
    assert min(result.epsilon, result.epsilon_reverse) > 0.5


def test_a_ratio_by_hand():
    # Quantiles of A: 0 and 3 by halves; of B: 1. Against A speaks 1 of 1 + 4.
    result = almost_stochastic_order([3, 0], [1, 1], dt=0.25, n_resamples=2)
    # The grid has two points in the first half and one in the second.
    assert result.violation_ratio == pytest.approx(2 / (2 + 4))
    fine = almost_stochastic_order([3, 0], [1, 1], dt=0.0005, n_resamples=2)
    assert fine.violation_ratio == pytest.approx(1 / 5, abs=0.001)


def test_more_comparisons_make_the_bound_weaker():
    a, b = scores_of(1, n=30, m=30)
    a += 0.5
    bounds = [
        almost_stochastic_order(a, b, n_comparisons=k, random_state=0).epsilon
        for k in (1, 2, 6, 15, 100)
    ]
    assert bounds[0] > 0
    assert bounds[-1] < 1
    assert (np.diff(bounds) > 0).all()
    # The correction is a smaller level, and nothing else.
    plain = almost_stochastic_order(a, b, confidence_level=1 - 0.05 / 6, random_state=0)
    assert plain.epsilon == pytest.approx(bounds[2])
    # In proportion to the normal quantile of alpha / k.
    ratio = plain.violation_ratio
    steps = (np.array(bounds[:3]) - ratio) / -norm.ppf(0.05 / np.array([1, 2, 6]))
    np.testing.assert_allclose(steps, steps[0])


def test_the_bound_covers_the_true_ratio():
    """In about 95 % of samples; the true ratio of equal distributions is 0.5."""
    random = np.random.RandomState(0)
    n_samples, n_missed = 200, 0
    # Two normal distributions that differ in scale: half of each side, ratio 0.5.
    for seed in range(n_samples):
        a, b = random.normal(0, 1, 60), random.normal(0, 2, 60)
        result = almost_stochastic_order(a, b, n_resamples=100, random_state=seed)
        n_missed += result.epsilon < 0.5
    assert n_missed / n_samples < 0.12


def test_the_seed_decides_and_the_global_generator_is_left_alone():
    a, b = scores_of(1, n=30, m=30)
    a += 0.5
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    first, again, other = (
        almost_stochastic_order(a, b, random_state=seed).epsilon for seed in (0, 0, 1)
    )
    assert first == again != other
    almost_stochastic_order(a, b)
    assert np.array_equal(np.random.get_state()[1], state)


def test_all_pairs_are_those_of_the_single_test():
    scores = {name: scores_of(i)[0] + i for i, name in enumerate("abc")}
    result = pairwise_stochastic_order(scores, random_state=3)
    assert result.names == ["a", "b", "c"]
    seed = np.random.RandomState(3).randint(np.iinfo(np.int32).max)
    pair = almost_stochastic_order(
        scores["a"], scores["c"], n_comparisons=6, random_state=seed
    )
    assert result.epsilon[0, 2] == pair.epsilon
    assert result.epsilon[2, 0] == pair.epsilon_reverse
    assert result.violation_ratio[2, 0] == 1 - pair.violation_ratio
    assert np.isnan(np.diag(result.epsilon)).all()
    # A further method leaves the estimates as they are and weakens the bounds.
    more = pairwise_stochastic_order(scores | {"d": scores["a"] + 9}, random_state=3)
    assert np.array_equal(
        more.violation_ratio[:3, :3], result.violation_ratio, equal_nan=True
    )
    off = ~np.eye(3, dtype=bool)
    assert (more.epsilon[:3, :3][off] >= result.epsilon[off]).all()


@pytest.mark.parametrize("bad", [[0.5], [], 0.5, [[0.5, 0.6]]])
def test_one_seed_is_not_enough(bad):
    with pytest.raises(ValueError, match="b must hold one score per run.*more seeds"):
        almost_stochastic_order([0.5, 0.6], bad)
    with pytest.raises(ValueError, match=r"scores\['x'\] must hold one score per run"):
        pairwise_stochastic_order({"x": bad, "y": [0.5, 0.6]})


def test_bad_input():
    good = [0.5, 0.6]
    with pytest.raises(ValueError, match="a must be finite. Score 1 is nan"):
        almost_stochastic_order([0.5, np.nan], good)
    for name, value in {
        "confidence_level": 1.0,
        "n_comparisons": 0,
        "n_resamples": 1,
        "dt": 0,
        "random_state": "x",
    }.items():
        with pytest.raises(ValueError, match=f"'{name}' parameter"):
            almost_stochastic_order(good, good, **{name: value})
    with pytest.raises(ValueError, match="at least two methods"):
        pairwise_stochastic_order({"a": good})
    with pytest.raises(TypeError, match="must be a dict"):
        pairwise_stochastic_order([good, good])
