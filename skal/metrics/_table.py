# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What the metrics take, out of the table of a simulation."""

import json
import os
from pathlib import Path

import numpy as np

from skal.metrics._checks import check_labels

_KEYS = ("learner", "dataset", "seed", "round")


def learning_curves(table, scoring=None, *, dataset=None, pad=False):
    """Learning curves of each learner in the table of a simulation.

    Parameters
    ----------
    table : Bunch, dict, pandas.DataFrame or path-like
        What :func:`~skal.simulate` returned, or the folder it was given.
    scoring : str, default=None
        The column of scores, such as ``"test_f1_macro"`` or ``"f1_macro"``; any other
        numeric column can be named too. None: the only one of scores.
    dataset : str, default=None
        Which data set. None: the only one.
    pad : bool, default=False
        Whether runs may differ in length: the shorter ones are then padded with nan,
        as :func:`budget_matched_auc` takes them.

    Returns
    -------
    curves : dict of str to ndarray of shape (n_seeds, n_rounds + 1)
        For each learner, in the order of the table, one run per row; rows of the same
        number have the same seed, in increasing order.

    Raises
    ------
    ValueError
        If the table lacks a column, its learners have different seeds, a round is
        there twice or not at all, or curves differ in length without `pad`; if the
        folder holds no finished simulation or one of another version of skal.
    TypeError
        If `table` is something else.

    See Also
    --------
    learning_curve_auc : The area under each.
    pairwise_stochastic_order, paired_permutation_test : Tests of these areas.

    Notes
    -----
    O(n log n) time for n rows of the table.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal import ActiveLearner, simulate
    >>> from skal.metrics import learning_curve_auc, learning_curves
    >>> X, y = make_blobs(300, random_state=0)
    >>> data = X[:200], y[:200], X[200:], y[200:]
    >>> learner = ActiveLearner(LogisticRegression())
    >>> table = simulate(learner, data, n_rounds=3, n_queries=5, seeds=2)
    >>> curves = learning_curves(table)
    >>> curves["learner"].shape
    (2, 4)
    >>> areas = [learning_curve_auc(run) for run in curves["learner"]]
    """
    table = read_table(table)
    name = score_column(table, scoring)
    runs = runs_of(table, name, dataset)
    lengths = {len(run) for of_learner in runs.values() for run in of_learner}
    if len(lengths) > 1 and not pad:
        raise ValueError(
            "Learning curves must be of one length to be compared. Got between "
            f"{min(lengths)} and {max(lengths)} rounds; pass pad=True and compare them "
            "with budget_matched_auc, or leave the short runs out."
        )
    curves = {}
    for learner, of_learner in runs.items():
        curves[learner] = np.full((len(of_learner), max(lengths)), np.nan)
        for curve, run in zip(curves[learner], of_learner, strict=True):
            curve[: len(run)] = run
    return curves


def queried_labels(table, y, *, dataset=None):
    """Labels of the rows that each learner of a simulation asked for.

    Parameters
    ----------
    table : Bunch, dict, pandas.DataFrame or path-like
        What :func:`~skal.simulate` returned, or the folder it was given.
    y : array-like of shape (n,)
        The true labels of the data set's pool.
    dataset : str, default=None
        Which data set. None: the only one.

    Returns
    -------
    labels : dict of str to list of list of ndarray
        For each learner, for each seed in increasing order, for each round the labels
        of the rows asked for: each run is what :func:`minority_discovery` takes.

    Raises
    ------
    ValueError
        As :func:`learning_curves`; if a row is not in `y`.
    TypeError
        If `table` is something else.

    Notes
    -----
    O(n log n) time for n rows of the table. With an oracle that errs or skips rows
    these are the true labels all the same, of all rows asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from skal.metrics import minority_discovery, queried_labels
    >>> table = {
    ...     "learner": ["a", "a"],
    ...     "dataset": ["d", "d"],
    ...     "seed": [0, 0],
    ...     "round": [0, 1],
    ...     "rows": [[3, 1], [0, 2]],
    ... }
    >>> labels = queried_labels(table, [0, 0, 1, 1])
    >>> [run[0].tolist() for run in labels["a"]]
    [[1, 0]]
    >>> minority_discovery(labels["a"][0], 1)[0].tolist()
    [1, 2]
    """
    table, y = read_table(table), check_labels(y)
    return {
        learner: [[_labels(rows, y) for rows in run] for run in of_learner]
        for learner, of_learner in runs_of(table, "rows", dataset).items()
    }


def _labels(rows, y):
    rows = np.asarray(rows)
    if rows.dtype.kind not in "iu" and rows.size:
        raise ValueError(
            f"The column rows must hold positions, integers. Got {rows!r:.60}; read "
            "table.jsonl in place of table.csv."
        )
    if rows.size and (rows.min() < 0 or rows.max() >= len(y)):
        raise ValueError(
            f"y must hold the labels of the whole pool. Got {len(y)} for a row "
            f"{rows.max()}; pass those of the data set that was simulated on."
        )
    return y[rows.astype(np.int64)]


def read_table(table):
    """The columns of a table, those of a folder read from disk."""
    if isinstance(table, (str, os.PathLike)):
        return _read_folder(Path(table))
    if not (hasattr(table, "keys") and hasattr(table, "__getitem__")):
        raise TypeError(
            "table must be what simulate returned, a dict or data frame of its "
            f"columns, or its folder. Got {type(table).__name__}."
        )
    columns = {name: table[name] for name in table.keys()}  # noqa: SIM118
    _check_columns(columns, _KEYS)
    columns |= {name: np.asarray(columns[name]) for name in _KEYS}
    if not len(columns["round"]):
        raise ValueError("table must have rows. Got none.")
    return columns


def _read_folder(folder):
    import skal

    about, lines = folder / "simulation.json", folder / "table.jsonl"
    if not (about.is_file() and lines.is_file()):
        raise ValueError(
            f"A folder must hold a finished simulation. In {folder} there is no "
            "table.jsonl; finish it by the same call of simulate."
        )
    version = json.loads(about.read_text(encoding="utf-8")).get("skal")
    if version != skal.__version__:
        raise ValueError(
            f"Results must be of this version of skal, {skal.__version__}. Those in "
            f"{folder} are of {version}, whose numbers may differ; simulate again in "
            f"another folder, or install skal {version}."
        )
    with lines.open(encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    return read_table(
        {name: [record[name] for record in records] for name in records[0]}
    )


def score_column(table, scoring):
    scores = [name for name in table if name.startswith("test_")]
    if scoring is None:
        if len(scores) != 1:
            raise ValueError(
                f"scoring must say which column of scores is meant. There are {scores}."
            )
        return scores[0]
    name = scoring if scoring in table else f"test_{scoring}"
    if name not in table:
        raise ValueError(
            f"scoring must be a column of the table. Got {scoring!r}; there are "
            f"{scores}."
        )
    if np.asarray(table[name]).dtype.kind not in "iuf":
        raise ValueError(f"Scores must be numbers. The entries of {name!r} are not.")
    return name


def _check_columns(table, names):
    missing = [name for name in names if name not in table]
    if missing:
        raise ValueError(
            "table must have the columns that simulate of this version of skal gives. "
            f"Got none of the name {missing[0]!r}; there are {list(table)}."
        )


def runs_of(table, column, dataset):
    """The entries of a column by learner and, in the order of seeds, by run."""
    _check_columns(table, [column])
    mine = table["dataset"] == _one_dataset(table, dataset)
    values = list(table[column])
    runs, seeds = {}, {}
    for learner in dict.fromkeys(table["learner"][mine].tolist()):
        rows = np.flatnonzero(mine & (table["learner"] == learner))
        rows = rows[np.lexsort((table["round"][rows], table["seed"][rows]))]
        first = np.flatnonzero(table["round"][rows] == 0)
        seeds[learner] = table["seed"][rows][first].tolist()
        _check_rounds(table, rows, first, learner)
        runs[learner] = [
            [values[row] for row in run] for run in np.split(rows, first[1:])
        ]
    _check_seeds(seeds)
    return runs


def _one_dataset(table, dataset):
    known = list(dict.fromkeys(table["dataset"].tolist()))
    if dataset is None and len(known) == 1:
        return known[0]
    if dataset not in known:
        raise ValueError(
            f"dataset must say which data set is meant. Got {dataset!r}; there are "
            f"{known}."
        )
    return dataset


def _check_rounds(table, rows, first, learner):
    """Each run has the rounds 0, 1, 2, ... of one seed."""
    starts = np.zeros(len(rows), dtype=bool)
    starts[first] = True
    right = first[:1].tolist() == [0]
    if right:
        began = np.maximum.accumulate(np.where(starts, np.arange(len(rows)), 0))
        right = np.array_equal(table["round"][rows], np.arange(len(rows)) - began)
        seeds = table["seed"][rows]
        right = right and np.array_equal(seeds, seeds[began])
        right = right and len(np.unique(seeds[first])) == len(first)
    if not right:
        raise ValueError(
            "table must have each round of each run once, from round 0 on. That does "
            f"not hold for {learner!r}; pass all rows of a simulation, of one call."
        )


def _check_seeds(seeds):
    first = next(iter(seeds))
    for learner, its_seeds in seeds.items():
        if its_seeds != seeds[first]:
            raise ValueError(
                "All learners must have been run with the same seeds. Got "
                f"{seeds[first]} for {first!r} and {its_seeds} for {learner!r}; "
                "simulate what is missing in the same folder."
            )
