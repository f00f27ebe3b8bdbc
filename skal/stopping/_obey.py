# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A simulation as it had been, had its runs obeyed a criterion."""

import numpy as np
from sklearn.utils import Bunch


def obey(table, name="stopping"):
    """Cut the runs of a simulation where a criterion first advised to stop.

    Parameters
    ----------
    table : Bunch or dict of str to array
        What :func:`~skal.simulate` returned, given this criterion in `stopping`.
    name : str, default="stopping"
        The name of the criterion; that of an unnamed one is "stopping".

    Returns
    -------
    table : :class:`~sklearn.utils.Bunch`
        The rounds of each run up to the first in which the criterion advised to stop,
        that one included; all rounds of a run in which it never did.

    Raises
    ------
    ValueError
        If the table has no column of this criterion.

    Notes
    -----
    O(n) time and memory. What a learner asks for does not depend on when it is stopped,
    so these are the rounds of a run that had ended there.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal import ActiveLearner, simulate
    >>> from skal.stopping import Budget, obey
    >>> X, y = make_blobs(300, random_state=0)
    >>> table = simulate(
    ...     ActiveLearner(LogisticRegression(), n_queries=5),
    ...     (X[:200], y[:200], X[200:], y[200:]),
    ...     n_rounds=4,
    ...     seeds=2,
    ...     stopping={"budget": Budget(12)},
    ... )
    >>> obey(table, "budget").n_labeled.tolist()
    [5, 10, 15, 5, 10, 15]
    """
    column = f"stop_{name}"
    if column not in table:
        known = [key.removeprefix("stop_") for key in table if key.startswith("stop_")]
        raise ValueError(
            f"name must be that of a criterion given to simulate as `stopping`. Got "
            f"{name!r}; the table has {known}."
        )
    advice = np.asarray(table[column], dtype=bool)
    runs = zip(table["learner"], table["dataset"], table["seed"], strict=True)
    stopped, keep = set(), np.empty(len(advice), dtype=bool)
    for i, run in enumerate(runs):
        keep[i] = run not in stopped
        if advice[i]:
            stopped.add(run)
    return Bunch(**{key: np.asarray(column)[keep] for key, column in table.items()})
