# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Learners compared on labelled data sets."""

import contextlib
import csv
import io
import os
import tempfile
from numbers import Integral

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.utils import Bunch
from tqdm.auto import tqdm

from skal._learner import ActiveLearner
from skal._simulation_data import check_data
from skal._simulation_run import run_task
from skal._simulation_store import ResultFolder, to_jsonl
from skal._strategy import QueryStrategy
from skal.stopping import Any, StoppingCriterion
from skal.strategies import RandomSampling
from skal.utils._sklearn import Interval, validate_parameter_constraints

_LISTS = ("subpool_counts", "rows")  # columns with several numbers in an entry
_CONSTRAINTS = {
    "learners": [ActiveLearner, dict],
    "datasets": "no_validation",
    "n_rounds": [Interval(Integral, 0, None, closed="left")],
    "n_queries": [Interval(Integral, 1, None, closed="left"), None],
    "initial": [
        Interval(Integral, 1, None, closed="left"),
        dict,
        QueryStrategy,
        None,
    ],
    "seeds": [Interval(Integral, 1, None, closed="left"), "array-like"],
    "scoring": [str, callable, list, tuple, dict, None],
    "oracle": [callable, None],
    "stopping": [StoppingCriterion, dict, None],
    "folder": [str, os.PathLike, None],
    "n_jobs": [Integral, None],
    "verbose": ["verbose"],
}


def simulate(
    learners,
    datasets,
    *,
    n_rounds=10,
    n_queries=None,
    initial=None,
    seeds=5,
    scoring=None,
    oracle=None,
    stopping=None,
    folder=None,
    n_jobs=None,
    verbose=0,
):
    """Compare learners on labelled data sets, as if people labelled them.

    One run is one learner on one data set with one seed: it asks for the initial rows,
    then for a batch in each of `n_rounds` rounds, is told their labels, is refitted and
    scored on test rows of its own. Runs are independent of each other; they are spread
    over processes or a cluster by joblib.

    Read more in :doc:`the page on simulation </simulate>`.

    Parameters
    ----------
    learners : ActiveLearner or dict of str to ActiveLearner
        What is compared, by name. They are cloned and given the seed of the run as
        `random_state`. Their `budget`, `initial`, `stopping` and `keep_estimators` are
        not used: the numbers of this call hold for all of them.
    datasets : data set or dict of str to data set
        A data set is a tuple ``(X, y, X_test, y_test)``; a Bunch with the fields
        `data`, `target`, `data_test` and `target_test`; the path of a folder for
        :func:`~skal.datasets.load_parquet_folder`; or a function without arguments that
        returns one of these. The last two are resolved where the run is done.
    n_rounds : int, default=10
        Rounds after the initial rows. A run ends earlier when its pool does.
    n_queries : int or None, default=None
        Rows per round. None takes each learner's own `n_queries`.
    initial : int, dict, QueryStrategy or None, default=None
        The rows asked first, the same for all learners with one data set and seed: so
        many random rows (None: as many as in a round); a dict ``{class: count}`` of
        random rows of each class, which is the one option that looks at labels before
        they are bought; or a strategy that needs no model, which picks as many rows as
        in a round (one that reads a classifier's pretrained encoder is given that of
        the first learner).
    seeds : int or array-like of int, default=5
        The seeds; an int n means 0 to n - 1.
    scoring : str, callable, list, tuple, dict or None, default=None
        How a learner is scored on the test rows, as in
        :func:`~sklearn.model_selection.cross_validate`. None takes the learner's own
        `score`, accuracy.
    oracle : callable or None, default=None
        Who answers: ``oracle(rows, X, y, seed)`` is given the positions asked for, the
        pool, its true labels and the seed of the run, and returns one label per row, or
        None for a row that is skipped. None answers with the true labels;
        :class:`NoisyOracle` errs and skips.
    stopping : StoppingCriterion or dict of str to StoppingCriterion, default=None
        Criteria of :mod:`skal.stopping` that are told of every round and end none, by
        name; an unnamed one is called "stopping". :func:`~skal.stopping.obey` cuts the
        table where one of them first advised to stop.
    folder : path-like or None, default=None
        Where each run is stored when it is finished. The same call with the same folder
        does only what is missing; learners, data sets and seeds may be added. None
        leaves nothing behind.
    n_jobs : int or None, default=None
        Runs at a time, as joblib understands it; each computes in one thread.
    verbose : int, default=0
        1 shows a progress bar with the time left.

    Returns
    -------
    table : :class:`~sklearn.utils.Bunch`
        One entry per run and round in each of its columns, arrays of one length that
        :class:`pandas.DataFrame` takes as they are:

        learner, dataset : str
            Their names; those of an unnamed one are "learner" and "dataset".
        seed, round : int
            Round 0 is that of the initial rows.
        n_labeled : int
            Rows with a label so far.
        n_subpool : float
            Rows that the strategy saw, nan where there is no filter.
        test_score : float
            The score; with several scorers ``test_<name>`` for each.
        stop_<name> : bool
            Whether the criterion of this name advised to stop after this round.
        value_<name> : float
            Its number in this round, that of its `history_`.
        fit_time, score_time, encode_time, filter_time, look_time, select_time : float
            Seconds of the refit, the scoring, and the parts of the query.
        subpool_counts : object
            How many rows of each class of the data set, sorted, the strategy saw: an
            array of int64, empty where there is no filter.
        rows : object
            The positions that were asked for in this round, an array of int64.

    Raises
    ------
    ValueError, TypeError
        If a parameter is not what is described above, or `folder` holds the runs of
        another configuration or another version of skal.
    OSError
        If `folder` cannot be written to, because the disk is full for example. The runs
        that are finished are kept.

    See Also
    --------
    skal.metrics.learning_curve_auc : The area under a column of scores.
    skal.stopping.obey : The table cut where a criterion advised to stop.
    skal.metrics.make_learning_curve_scorer : The same for a search over parameters.

    Notes
    -----
    A learner knows the label vocabulary from the start, the labels of the rows it has
    asked for, and no others. Random numbers depend on the seed and the round only.
    Except for the seconds, the table is the same whatever `n_jobs` and the backend are,
    on machines of one kind. Runs in threads of one process take turns.

    A folder holds ``simulation.json``, a description of what is compared; ``runs``, one
    file of JSON lines per finished run; and, at the end, ``table.csv`` and
    ``table.jsonl`` with the table. Each file is written under another name, flushed and
    renamed. ``inputs`` holds learners and data sets as pickles: a task is told where
    they lie, not what they are. Do not open a folder that you do not trust.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal import ActiveLearner, simulate
    >>> from skal.strategies import Entropy, RandomSampling
    >>> X, y = make_blobs(300, random_state=0)
    >>> learners = {
    ...     "entropy": ActiveLearner(LogisticRegression(), Entropy()),
    ...     "random": ActiveLearner(LogisticRegression(), RandomSampling()),
    ... }
    >>> data = X[:200], y[:200], X[200:], y[200:]
    >>> table = simulate(learners, data, n_rounds=3, n_queries=5, seeds=2)
    >>> table.n_labeled[table.learner == "entropy"].tolist()
    [5, 10, 15, 20, 5, 10, 15, 20]
    """
    params = {name: value for name, value in locals().items() if name in _CONSTRAINTS}
    validate_parameter_constraints(_CONSTRAINTS, params, "simulate")
    learners = _check_learners(learners)
    datasets = _named(datasets, "datasets")
    datasets = {name: check_data(value, name) for name, value in datasets.items()}
    stopping = _check_stopping(stopping, learners)
    protocol = {
        "n_rounds": n_rounds,
        "n_queries": n_queries,
        "initial": _initial_asker(learners, initial, n_queries),
        "scoring": scoring,
        "oracle": oracle,
        **({} if stopping is None else {"stopping": stopping}),
    }
    seeds = _check_seeds(seeds)
    runs = [
        (lea, data, seed) for lea in learners for data in datasets for seed in seeds
    ]
    with _result_folder(folder) as store:
        store.open(protocol, learners, datasets)
        _do(store, runs, n_jobs, verbose)
        lines = [line for run in runs for line in store.finished(*run)]
        if folder is not None:
            store.put_table("table.csv", _to_csv(lines))
            store.put_table("table.jsonl", to_jsonl(lines))
    return _table(lines)


def _do(store, runs, n_jobs, verbose):
    """Do what is not finished; what the tasks are handed is small."""
    missing = [run for run in runs if store.finished(*run) is None]
    tasks = [delayed(run_task)(str(store.path), *run) for run in missing]
    parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    n_done = len(runs) - len(missing)
    with tqdm(total=len(runs), initial=n_done, desc="runs", disable=not verbose) as bar:
        for _ in parallel(tasks):
            bar.update()


@contextlib.contextmanager
def _result_folder(folder):
    if folder is not None:
        yield ResultFolder(os.path.abspath(folder))
        return
    with tempfile.TemporaryDirectory(
        prefix="skal-", ignore_cleanup_errors=True
    ) as path:
        yield ResultFolder(path)


def _named(values, name, alone=None):
    """A dict of what is compared; one that is given alone is named after its kind."""
    if not isinstance(values, dict) or isinstance(values, Bunch):
        return {alone or name[:-1]: values}
    if not values or not all(isinstance(key, str) for key in values):
        raise ValueError(
            f"{name} must be given under names that are str, at least one. Got "
            f"{list(values)}."
        )
    return values


def _check_learners(learners):
    learners = _named(learners, "learners")
    for name, learner in learners.items():
        if not isinstance(learner, ActiveLearner):
            raise TypeError(
                f"Learners must be of type ActiveLearner. Got learners[{name!r}] of "
                f"type {type(learner).__name__}; wrap a classifier in one: "
                "ActiveLearner(classifier, strategy)."
            )
    return {name: clone(learner) for name, learner in learners.items()}


def _check_stopping(stopping, learners):
    """One criterion that asks all, each under its name; None for None."""
    if stopping is None:
        return None
    watched = Any(list(_named(stopping, "stopping", "stopping").items()))
    watched._check_parameters()
    for learner in learners.values():
        watched._check_readable(learner.estimator, None)
    return clone(watched)


def _initial_asker(learners, initial, n_queries):
    """A learner whose first rows are the initial rows of all."""
    sizes = {learner.n_queries for learner in learners.values()}
    if n_queries is None and len(sizes) == 1:
        n_queries = sizes.pop()
    is_strategy = isinstance(initial, QueryStrategy)
    if n_queries is None and (initial is None or is_strategy):
        raise ValueError(
            "All learners begin with the same rows, as many as in a round, and their "
            f"n_queries differ: {sorted(sizes)}. Give simulate a number: initial= or "
            "n_queries=."
        )
    first = next(iter(learners.values()))
    return ActiveLearner(
        clone(first.estimator) if is_strategy else None,
        clone(initial) if is_strategy else RandomSampling(),
        n_queries=n_queries or 1,
        budget=np.iinfo(np.int64).max,
        initial=clone(initial) if is_strategy else initial,
    )


def _check_seeds(seeds):
    if isinstance(seeds, Integral):
        return list(range(seeds))
    seeds = np.asarray(seeds)
    if seeds.ndim != 1 or seeds.dtype.kind not in "iu" or (seeds < 0).any():
        raise ValueError(
            "seeds must be a number of seeds or a sequence of ints of at least 0. Got "
            f"an array of shape {seeds.shape} and dtype {seeds.dtype}."
        )
    if not len(seeds) or len(np.unique(seeds)) != len(seeds):
        raise ValueError(
            f"seeds must be different, and at least one. Got {seeds.tolist()}."
        )
    return seeds.tolist()


def _table(lines):
    return Bunch(
        **{name: _column(name, [line[name] for line in lines]) for name in lines[0]}
    )


def _column(name, values):
    if name not in _LISTS:
        with_nan = name == "n_subpool" or name.startswith("value_")
        return np.array(values, dtype=np.float64 if with_nan else None)
    column = np.empty(len(values), dtype=object)
    column[:] = [np.array(numbers, dtype=np.int64) for numbers in values]
    return column


def _to_csv(lines):
    """The table as CSV, the numbers of a list with spaces between them."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(lines[0]))
    writer.writeheader()
    for line in lines:
        lists = {name: " ".join(map(str, line[name])) for name in _LISTS}
        writer.writerow(line | lists)
    return text.getvalue().encode()
