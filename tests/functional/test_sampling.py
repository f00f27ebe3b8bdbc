# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Random subpools against the authors' own draws."""

from pathlib import Path

import numpy as np
import pytest

from skal.functional import random_rows

CASES = sorted((Path(__file__).parents[1] / "golden" / "randsub").glob("*.npz"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_golden_subpools_of_three_rounds(path):
    """The authors draw all rounds from one generator; so does this test."""
    case = np.load(path)
    rng = np.random.RandomState(int(case["seed"]))
    pool = np.setdiff1d(np.arange(int(case["n"])), case["labelled"])
    for round_ in range(3):
        subpool = pool[random_rows(len(pool), int(case["M"]), rng)]
        assert np.array_equal(subpool, np.sort(case[f"subpool{round_}"]))
        pool = np.setdiff1d(pool, case[f"query{round_}"])


def test_there_are_golden_cases():
    assert len(CASES) == 2


def test_a_pool_that_is_not_larger_is_kept_whole():
    assert random_rows(4, 4, random_state=0).tolist() == [0, 1, 2, 3]
    assert random_rows(4, 9, random_state=0).tolist() == [0, 1, 2, 3]


def test_every_row_is_drawn_equally_often():
    counts = np.zeros(10)
    rng = np.random.RandomState(0)
    for _ in range(3000):
        counts[random_rows(10, 3, rng)] += 1
    # 3000 draws of 3 out of 10: 900 expected each, standard deviation 25.
    assert abs(counts - 900).max() < 5 * 25
