# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""cyclic_cosine against the paper's formula, and numbers of cycles that cannot be."""

from pathlib import Path

import numpy as np
import pytest

from skal.functional import cyclic_cosine

CASES = sorted((Path(__file__).parents[1] / "golden" / "snapshot_lr").glob("*.npz"))


def test_there_are_golden_cases():
    assert len(CASES) == 2


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_golden_rates_and_snapshots(path):
    case = np.load(path)
    factors, ends = cyclic_cosine(int(case["T"]), int(case["M"]))
    np.testing.assert_allclose(case["alpha0"] * factors, case["lr"], rtol=1e-6)
    assert ends.tolist() == case["snapshot_after_iter"].tolist()
    assert (factors.dtype, ends.dtype) == (np.float64, np.int64)


@pytest.mark.parametrize(("n_steps", "n_cycles"), [(7, 1), (7, 2), (7, 7), (1000, 3)])
def test_every_cycle_starts_at_the_top_and_falls(n_steps, n_cycles):
    factors, ends = cyclic_cosine(n_steps, n_cycles)
    assert len(factors) == ends[-1] == n_steps
    assert len(ends) == n_cycles
    for cycle in np.split(factors, ends[:-1]):
        assert cycle[0] == 1
        assert (np.diff(cycle) < 0).all()
        assert cycle.min() > 0


@pytest.mark.parametrize(
    ("n_steps", "n_cycles", "n_made"), [(9, 4, 3), (3, 5, 3), (10, 7, 5)]
)
def test_cycles_that_the_steps_do_not_make(n_steps, n_cycles, n_made):
    with pytest.raises(ValueError, match=f"make {n_made} cycles. Got n_cycles"):
        cyclic_cosine(n_steps, n_cycles)


@pytest.mark.parametrize(("n_steps", "n_cycles"), [(0, 1), (5, 0), (-1, -1)])
def test_numbers_below_one_are_refused(n_steps, n_cycles):
    with pytest.raises(ValueError, match="must be at least 1"):
        cyclic_cosine(n_steps, n_cycles)
