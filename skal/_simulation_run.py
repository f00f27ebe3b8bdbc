# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""One run of a simulation: a learner, a data set, a seed."""

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import check_scoring
from sklearn.utils.validation import has_fit_parameter

from skal._rounds import check_budget, first_rows
from skal._simulation_data import load_data
from skal._simulation_store import ResultFolder
from skal.utils._random import draw_seed
from skal.utils._rows import take_rows
from skal.utils._threads import one_thread

KINDS = ("fit", "score", "encode", "filter", "look", "select")


def run_task(folder, learner, dataset, seed):
    """Do one run of the simulation in a folder, unless it is finished.

    Parameters
    ----------
    folder : str
        Of a :class:`ResultFolder`, as are the names.
    learner, dataset : str
    seed : int
    """
    store = ResultFolder(folder)
    if store.finished(learner, dataset, seed) is not None:
        return
    try:
        protocol, estimator, data = store.inputs(learner, dataset)
        with one_thread():
            lines = [
                {"learner": learner, "dataset": dataset, "seed": seed, **line}
                for line in rounds(
                    estimator, load_data(data, dataset), seed, **protocol
                )
            ]
    except Exception as error:
        if hasattr(error, "add_note"):  # Python 3.11
            error.add_note(
                f"In the run of learners[{learner!r}] on datasets[{dataset!r}] with "
                f"seed {seed}."
            )
        raise
    store.put(learner, dataset, seed, lines)


def rounds(
    learner, data, seed, *, n_rounds, n_queries, initial, scoring, oracle, stopping=None
):
    """Yield what is noted of each round, beginning with that of the initial rows.

    Parameters
    ----------
    learner : ActiveLearner
    data : tuple (X, y, X_test, y_test)
    seed : int
    n_rounds : int
    n_queries : int or None
    initial : ActiveLearner
        Asks for the initial rows.
    scoring, oracle
        As in :func:`~skal.simulate`.
    stopping : Any or None
        Asks all criteria; each has a name.
    """
    X, y, X_test, y_test = data
    labels = np.concatenate([y, y_test])
    learner = _prepared(learner, labels, seed)
    scorer = check_scoring(learner, scoring=scoring)
    n_queries = learner.n_queries if n_queries is None else n_queries
    ids = range(len(y))
    codes = np.unique(labels, return_inverse=True)[1]
    is_open = np.ones(len(y), dtype=bool)
    stopping = None if stopping is None else clone(stopping)
    rows, log = _initial_rows(initial, X, y, seed)
    for round_ in range(n_rounds + 1):
        if round_:
            if not is_open.any():
                return
            rows = learner.query(X, min(n_queries, int(is_open.sum())), ids=ids)
            log = learner._log
        is_open[rows] = False
        answers = y[rows] if oracle is None else oracle(rows, X, y, seed)
        with log.timed("fit"):
            learner.teach(
                take_rows(X, rows),
                answers,
                ids=rows,
                X_pool=_offered(learner, X, is_open),
            )
        _check_labeled(learner)
        with log.timed("score"):
            scores = _scores(scorer(learner, X_test, y_test))
        advice = _advice(stopping, learner, X, ids)
        seen = _class_counts(codes, log.subpool)
        yield _line(learner, round_, rows, scores | advice, log, seen)


def _prepared(learner, labels, seed):
    """A fresh learner with the seed of the run, which knows every label there is."""
    learner = clone(learner).set_params(random_state=seed, keep_estimators=False)
    is_frozen = isinstance(learner.estimator, FrozenEstimator)
    if learner._fixed_classes() is None and not is_frozen:
        learner.set_params(classes=np.unique(labels))
    return learner


def _initial_rows(asker, X, y, seed):
    """The same rows for every learner: those that its own `fit` would buy first."""
    asker = clone(asker).set_params(random_state=seed)
    check_budget(asker, y)
    asker._seed = draw_seed(seed)
    return first_rows(asker, X, y)


def _offered(learner, X, is_open):
    """The rows not yet asked for, where the classifier's `fit` takes them."""
    if has_fit_parameter(learner.estimator, "X_unlabeled"):
        return take_rows(X, np.flatnonzero(is_open))
    return None


def _check_labeled(learner):
    if not hasattr(learner, "estimator_"):
        raise ValueError(
            "The oracle must answer at least one of the initial rows. It skipped all "
            "of them; ask for more with `initial`, or lower its share of skipped rows."
        )


def _scores(scores):
    """{column: value} of what a scorer returned, named as by `cross_validate`."""
    if not isinstance(scores, dict):
        return {"test_score": float(scores)}
    return {f"test_{name}": float(value) for name, value in scores.items()}


def _advice(stopping, learner, X, ids):
    """{column: value} of what each criterion says of the round; None stands for nan."""
    if stopping is None:
        return {}
    stopping.update(learner, X, ids=ids)
    columns = {}
    for (name, _), criterion in zip(stopping.criteria, stopping.criteria_, strict=True):
        value = criterion.history_[-1]
        columns[f"stop_{name}"] = criterion.advice_[-1]
        columns[f"value_{name}"] = None if np.isnan(value) else value
    return columns


def _class_counts(codes, rows):
    """How many of the rows are of each class; an empty list where rows is None."""
    if rows is None:
        return []
    return np.bincount(codes[rows], minlength=codes.max() + 1).tolist()


def _line(learner, round_, rows, scores, log, class_counts):
    seconds = {f"{kind}_time": log.seconds.get(kind, 0.0) for kind in KINDS}
    return {
        "round": round_,
        "n_labeled": len(learner.y_labeled_),
        "n_subpool": log.n_subpool,
        **scores,
        **seconds,
        "subpool_counts": class_counts,
        "rows": rows.tolist(),
    }
