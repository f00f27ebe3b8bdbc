# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Simulated annotators that err and skip."""

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator

from skal.utils._sklearn import Interval, validate_parameter_constraints

_CONSTRAINTS = {
    "noise": [Interval(Real, 0, 1, closed="both")],
    "abstention": [Interval(Real, 0, 1, closed="left")],
}


class NoisyOracle(BaseEstimator):
    """An annotator for :func:`~skal.simulate` that errs and skips at random.

    Parameters
    ----------
    noise : float, default=0.1
        Probability that an answer is wrong: one of the other labels, each alike.
    abstention : float, default=0.0
        Probability that a row is skipped; smaller than 1.

    Notes
    -----
    What it answers for a row depends on the row and the seed alone. So two learners
    that ask for the same row in runs of the same seed are told the same, whenever they
    ask.

    Examples
    --------
    >>> import numpy as np
    >>> from skal import NoisyOracle
    >>> y = np.array(["ham", "spam"] * 50)
    >>> answers = NoisyOracle(noise=0.2, abstention=0.1)(np.arange(100), None, y, 0)
    >>> sum(answer is None for answer in answers)
    12
    >>> answers == NoisyOracle(noise=0.2, abstention=0.1)(np.arange(100), None, y, 0)
    True
    """

    def __init__(self, noise=0.1, abstention=0.0):
        self.noise = noise
        self.abstention = abstention

    def __call__(self, rows, X, y, seed):
        """Answer for some rows.

        Parameters
        ----------
        rows : array-like of shape (m,), dtype int
            The positions that are asked for.
        X : sequence of length n
            The pool. Not read.
        y : ndarray of shape (n,)
            The true labels of the whole pool.
        seed : int
            The seed of the run.

        Returns
        -------
        answers : list of length m
            Labels; None for a row that is skipped.
        """
        params = self.get_params()
        validate_parameter_constraints(_CONSTRAINTS, params, type(self).__name__)
        classes = np.unique(y)
        return [self._answer(y[row], classes, _uniform(seed, row)) for row in rows]

    def _answer(self, label, classes, draws):
        skips, errs, which = draws
        if skips < self.abstention:
            return None
        others = classes[classes != label]
        if errs < self.noise and len(others):
            label = others[int(which * len(others))]
        return label.item() if hasattr(label, "item") else label


def _uniform(seed, row):
    """Three numbers in [0, 1) that belong to the row."""
    return np.random.SeedSequence([seed, int(row)]).generate_state(3) / 2**32
