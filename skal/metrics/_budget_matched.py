# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Learning curves compared after as many rounds as all of them have."""

from collections.abc import Mapping
from numbers import Integral

import numpy as np
from sklearn.utils import Bunch

from skal.metrics._learning_curve import learning_curve_auc


def budget_matched_auc(curves, *, min_runs=None, exclude=(), normalize=False):
    r"""Compare areas under learning curves of different lengths, fairly.

    A slow method may not get through all rounds in the time it has. Its area is then
    small for that reason alone. So areas are given twice: after the last round each
    method reached, and after the last one that all reached, the matched budget.

    Parameters
    ----------
    curves : dict of str to array-like of shape (n_runs, n_rounds + 1)
        The scores of each method, one run per row, padded with nan after a run's last
        round; or a list of runs of different lengths.
    min_runs : int, dict of str to int or None, default=None
        How many runs of a method must have completed a round for it to count as
        reached, for all or by name. None, and a name that is left out: all its runs. A
        smaller number leaves the shorter runs out of the longer areas.
    exclude : sequence of str, default=()
        Names that do not count when the matched budget is worked out, and keep their
        own number of rounds: the paper does so with the unfiltered pool, which gets
        through few.
    normalize : bool, default=False
        Divide areas by the number of rounds, see :func:`learning_curve_auc`.

    Returns
    -------
    table : :class:`~sklearn.utils.Bunch`
        One entry per method in each column, in the order given; for
        :class:`pandas.DataFrame`.

        name : str
            The method.
        n_rounds, matched_n_rounds : int
            Rounds after the initial one: its own, and the matched.
        median, matched_median : float
            Of the areas of the runs that completed so many rounds.
        iqr, matched_iqr : float
            Their interquartile range, quartiles interpolated linearly.

    Raises
    ------
    ValueError
        If a curve is empty, has a hole or an infinite score, a method has fewer than
        `min_runs` runs, or a name is not known; if all are excluded.
    TypeError
        If `curves` is no dict.

    See Also
    --------
    learning_curves : Such a dict from the table of a simulation.

    Notes
    -----
    O(n_runs n_rounds) time per method. The authors ask for 3 of 8 runs, 1 for the
    unfiltered pool, and match over all filters and strategies with one data set and
    model, which is stricter than the paper's footnote 11.

    References
    ----------
    P. Lesci, A. Vlachos. AnchorAL: computationally efficient active learning for large
    and imbalanced datasets. NAACL 2024, Section 5 and Table 2.
    :doi:`10.18653/v1/2024.naacl-long.467`

    Examples
    --------
    >>> from skal.metrics import budget_matched_auc
    >>> fast = [[0.5, 0.7, 0.9], [0.5, 0.5, 0.5]]
    >>> slow = [[0.5, 0.9], [0.5, 0.7]]
    >>> table = budget_matched_auc({"fast": fast, "slow": slow})
    >>> table.n_rounds.tolist(), table.median.round(2).tolist()
    ([2, 1], [1.2, 0.65])
    >>> table.matched_n_rounds.tolist(), table.matched_median.round(2).tolist()
    ([1, 1], [0.55, 0.65])
    """
    if not isinstance(curves, Mapping):
        raise TypeError(
            "curves must be a dict: the curves of each method under its name. Got "
            f"{type(curves).__name__}."
        )
    curves = {name: _check_runs(runs, name) for name, runs in curves.items()}
    exclude = [exclude] if isinstance(exclude, str) else list(exclude)
    _check_names(exclude, curves, "exclude")
    steps = _last_rounds(curves, min_runs)
    matching = [step for name, step in steps.items() if name not in exclude]
    if not matching:
        raise ValueError(
            f"Some method must not be excluded. Got exclude={exclude} and the methods "
            f"{list(curves)}."
        )
    matched = {n: s if n in exclude else min(matching) for n, s in steps.items()}
    return Bunch(
        name=np.array(list(curves)),
        **_columns(curves, steps, normalize),
        **{
            f"matched_{key}": column
            for key, column in _columns(curves, matched, normalize).items()
        },
    )


def _columns(curves, steps, normalize):
    columns = {"n_rounds": np.array([steps[name] for name in curves])}
    areas = [
        [
            learning_curve_auc(run[: steps[name] + 1], normalize=normalize)
            for run in runs
            if len(run) > steps[name]
        ]
        for name, runs in curves.items()
    ]
    quartiles = np.array([np.percentile(of, [25, 50, 75]) for of in areas])
    return columns | {
        "median": quartiles[:, 1],
        "iqr": quartiles[:, 2] - quartiles[:, 0],
    }


def _last_rounds(curves, min_runs):
    """The last round that enough runs of each method reached."""
    if isinstance(min_runs, Mapping):
        _check_names(min_runs, curves, "min_runs")
    steps = {}
    for name, runs in curves.items():
        least = min_runs.get(name) if isinstance(min_runs, Mapping) else min_runs
        least = len(runs) if least is None else least
        if not (isinstance(least, Integral) and 1 <= least <= len(runs)):
            raise ValueError(
                "min_runs must be an int between 1 and the number of runs. Got "
                f"{least!r} for {name!r}, which has {len(runs)}."
            )
        steps[name] = sorted(map(len, runs))[-least] - 1
    return steps


def _check_runs(runs, name):
    """Each run without its padding."""
    runs = [np.asarray(run, dtype=np.float64) for run in runs]
    if not runs or any(run.ndim != 1 for run in runs):
        raise ValueError(
            "The curves of a method must be one sequence of scores per run, at least "
            f"one. Got shapes {[run.shape for run in runs]} for {name!r}; wrap a "
            "single run in a list."
        )
    trimmed = [np.trim_zeros(np.isfinite(run), "b") for run in runs]
    for i, (run, finite) in enumerate(zip(runs, trimmed, strict=True)):
        if not len(finite) or not finite.all() or np.isinf(run).any():
            raise ValueError(
                "A curve must have a finite score for every round up to its last one. "
                f"Got {run} in run {i} of {name!r}."
            )
    return [run[: len(finite)] for run, finite in zip(runs, trimmed, strict=True)]


def _check_names(names, curves, parameter):
    unknown = [name for name in names if name not in curves]
    if unknown:
        raise ValueError(
            f"{parameter} must name methods in curves. Got {unknown[0]!r}; there are "
            f"{list(curves)}."
        )
