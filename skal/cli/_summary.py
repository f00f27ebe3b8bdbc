# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What came out of the demo, in numbers and in words."""

from typing import NamedTuple

import numpy as np

from skal.metrics import learning_curve_auc


class Point(NamedTuple):
    """One learner after one round."""

    n_labels: int
    n_found: int
    f1: float
    query_seconds: float
    fit_seconds: float


class Outcome(NamedTuple):
    """One learner after all rounds."""

    n_found: int
    mean_f1: float
    last_f1: float
    seconds_per_round: float


def outcome(curve):
    """The Outcome of a list of Point."""
    return Outcome(
        n_found=curve[-1].n_found,
        mean_f1=learning_curve_auc([point.f1 for point in curve], normalize=True),
        last_f1=curve[-1].f1,
        seconds_per_round=float(np.mean([sum(point[3:]) for point in curve])),
    )


def conclude(curves, rare, n_rare):
    """What came out, whoever won.

    Parameters
    ----------
    curves : dict of str to list of list of Point
        For each strategy, the second one random picking, the curve of each seed.
    rare : str
        What the rare class is called.
    n_rare : int
        How many rows of it the pool has.

    Returns
    -------
    str
        Means, the range over the seeds, and in how many seeds the first one won.
    """
    (active, a), (_, b) = (
        (name, np.array([outcome(curve) for curve in seeds]))
        for name, seeds in curves.items()
    )
    found = [_range(x[:, 0], 0) for x in (a, b)]
    f1 = [_range(x[:, 1], 3) for x in (a, b)]
    wins = np.sum(a > b, axis=0)
    n_seeds = len(a)
    if n_seeds > 1:
        end = (
            f"{active} found more in {wins[0]} of {n_seeds} seeds; its mean F1 was "
            f"higher in {wins[1]} of {n_seeds}.\n"
            "These are means over the seeds, with the lowest and the highest."
        )
    else:
        end = "That is one seed; --seeds 5 tells by how much they differ."
    return (
        f"Of the {n_rare} {rare} sentences in the pool, {active} found {found[0]} and "
        f"random picking {found[1]}.\n"
        f"Mean F1 of {rare} along the curve: {f1[0]} and {f1[1]}.\n{end}"
    )


def _range(values, n_digits):
    """The mean, and how far the values reach if there are several."""
    low, high = (f"{bound:.{n_digits}f}" for bound in (values.min(), values.max()))
    if len(values) == 1:
        return low
    return f"{values.mean():.{max(n_digits, 1)}f} ({low} to {high})"
