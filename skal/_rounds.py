# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""`fit` with a budget: rounds of asking an oracle that has all the labels."""

import numpy as np
from sklearn.base import clone
from tqdm.auto import tqdm

from skal._labeled_set import LabeledSet
from skal._round_estimator import fit_round
from skal._strategy import check_readable, query_view, read_once_fitted
from skal.stopping import StoppingCriterion
from skal.strategies import RandomSampling
from skal.utils._random import stream
from skal.utils._rows import num_rows, take_rows
from skal.utils._validation import check_count


def run_rounds(learner, X, y, ids, params):
    """Buy labels round by round until the budget, the stopping rule or the pool ends.

    Sets `rounds_`, `n_rounds_` and `termination_condition_` of the learner. No label is
    read before it is bought (but by ``initial={class: count}``).
    """
    still_open = np.ones(len(y), dtype=bool)
    learner.stopping_ = _prepared_stopping(learner, X)
    rows, log = first_rows(learner, X, y)
    learner.rounds_ = []
    with tqdm(total=learner.budget, desc="labels", disable=not learner.verbose) as bar:
        while True:
            still_open[rows] = False
            bought = _buy(X, y, ids, params, rows, learner._round)
            learner._record(bought)
            left = np.flatnonzero(still_open)
            over = _why_over(learner, len(left))
            if over or _reads_its_model(learner):
                with log.timed("fit"):
                    fit_round(learner, X, left)
            view = learner._view(X, left)
            stops = _stops(learner, view, ~still_open, log, over)
            if stops and learner._stale:  # nothing has read the model so far
                with log.timed("fit"):
                    fit_round(learner, X, left)
            learner.termination_condition_ = over or ("stopping" if stops else None)
            learner.rounds_.append(_entry(learner, rows, log))
            bar.update(len(rows))
            if learner.termination_condition_ is not None:
                break
            size = min(learner.n_queries, learner.budget - len(learner._labeled))
            rows, log = learner._pick(view, min(size, len(view))), view.log
    learner.n_rounds_ = len(learner.rounds_) - 1


def check_budget(learner, y):
    """Refuse a budget that does not cover the initial rows."""
    initial = learner.initial
    if isinstance(initial, dict):
        for label, count in initial.items():
            check_count(count, f"initial[{label!r}]")
    size = _initial_size(learner)
    if size == 0:
        raise ValueError("initial must name at least one class. Got an empty dict.")
    if learner.budget < size:
        raise ValueError(
            "budget counts the initial rows, so it must be at least as large as they "
            f"are. Got budget={learner.budget} and {size} initial rows "
            f"(initial={initial!r:.60}); raise budget or lower initial."
        )
    if isinstance(initial, dict):
        for label, count in initial.items():
            available = int(np.sum(y == label))
            if available < count:
                raise ValueError(
                    f"initial asks for {count} rows of class {label!r}; y has "
                    f"{available}. Lower the count or correct the label."
                )


def _initial_size(learner):
    initial = learner.initial
    if isinstance(initial, dict):
        return sum(initial.values())
    if initial is None or hasattr(initial, "_query"):
        return learner.n_queries
    return initial


def first_rows(learner, X, y):
    """The rows that `initial` asks for, and the log of picking them."""
    initial = learner.initial
    strategy = initial if hasattr(initial, "_query") else RandomSampling()
    check_readable(strategy, None, learner.estimator, X)
    learner._load_pretrained(strategy, X)
    view = learner._view(X, None)
    with view.log.timed("select"):
        if isinstance(initial, dict):
            rows = _rows_per_class(initial, y, stream(learner._seed, 0))
        else:
            size = min(_initial_size(learner), num_rows(X))
            rows = query_view(strategy, view, size)
    return rows, view.log


def _rows_per_class(counts, y, rng):
    rows = [
        rng.choice(np.flatnonzero(y == label), count, replace=False)
        for label, count in counts.items()
    ]
    return np.sort(np.concatenate(rows))


def _buy(X, y, ids, params, rows, round_):
    return LabeledSet.of(
        take_rows(X, rows),
        y[rows],
        round_=round_,
        ids=None if ids is None else [ids[row] for row in rows],
        params={name: take_rows(value, rows) for name, value in params.items()},
    )


def _entry(learner, rows, log):
    return {
        "round": len(learner.rounds_),
        "rows": rows,
        "n_labeled": len(learner._labeled),
        "n_subpool": log.n_subpool,
        "seconds": dict(log.seconds),
    }


def _why_over(learner, n_left):
    if len(learner._labeled) >= learner.budget:
        return "budget"
    return None if n_left else "pool"


def _prepared_stopping(learner, X):
    """A clone of the criterion, checked; a callable as it is."""
    stopping = learner.stopping
    if not isinstance(stopping, StoppingCriterion):
        return stopping
    stopping._check_parameters()
    stopping._check_readable(learner.estimator, X)
    return clone(stopping)


def _stops(learner, view, is_bought, log, over):
    """Whether to stop after this round; a criterion is told of the last one too."""
    stopping = learner.stopping_
    if isinstance(stopping, StoppingCriterion):
        with log.timed("stop"):
            bought = set(np.flatnonzero(is_bought).tolist())
            return stopping._follow(learner, view.pool, range(len(is_bought)), bought)
    return not over and stopping is not None and stopping(view)


def _reads_its_model(learner):
    """Whether anything looks at the model of a round that is not the last."""
    stopping = learner.stopping_
    is_criterion = isinstance(stopping, StoppingCriterion)
    return bool(
        read_once_fitted(learner._strategy())
        or (stopping.reads if is_criterion else stopping is not None)
        or learner.keep_estimators
        or getattr(learner.estimator, "warm_start", False)
    )
