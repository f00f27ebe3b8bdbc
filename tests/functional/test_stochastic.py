# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Batches drawn by their scores."""

import itertools

import numpy as np
import pytest

from skal.functional import perturbed_scores, top_rows

SCORES = np.array([0.9, 0.0, 0.4, 0.4, 0.1])
LAWS = {
    "power": SCORES**1.5,
    "softmax": np.exp(1.5 * SCORES),
    "softrank": np.array([1, 5, 2, 2, 4.0]) ** -1.5,
}


@pytest.mark.parametrize("kind", LAWS)
def test_the_law_of_pairs(kind):
    """The first two rows, against the probabilities of drawing them one by one."""
    rng, n_draws = np.random.RandomState(0), 20_000
    pairs = list(itertools.permutations(range(5), 2))
    counts = dict.fromkeys(pairs, 0)
    for _ in range(n_draws):
        scores = perturbed_scores(SCORES, kind=kind, beta=1.5, random_state=rng)
        counts[tuple(top_rows(scores, 2).tolist())] += 1
    p = LAWS[kind] / LAWS[kind].sum()
    expected = np.array([p[i] * p[j] / (1 - p[i]) for i, j in pairs])
    possible = expected > 0
    observed = np.array([counts[pair] for pair in pairs])
    assert observed[~possible].sum() == 0
    deviation = observed[possible] - n_draws * expected[possible]
    chi_square = np.sum(deviation**2 / (n_draws * expected[possible]))
    assert chi_square < 55  # 19 degrees of freedom: 1 in 25,000


def test_nothing_weighs_without_beta():
    rng = np.random.RandomState(0)
    first = [
        perturbed_scores(SCORES[:4], beta=0, random_state=rng).argmax()
        for _ in range(4000)
    ]
    assert abs(np.bincount(first) - 1000).max() < 5 * 28


def test_negative_scores_are_shifted():
    a = perturbed_scores([-1.0, -0.4, -0.2], random_state=0)
    b = perturbed_scores([0.0, 0.6, 0.8], random_state=0)
    np.testing.assert_allclose(a, b)


def test_bad_input():
    with pytest.raises(ValueError, match=r"Row 1 is nan"):
        perturbed_scores([0.0, np.nan])
    with pytest.raises(ValueError, match="Got 'max'"):
        perturbed_scores([0.0], kind="max")
    assert len(perturbed_scores([])) == 0
