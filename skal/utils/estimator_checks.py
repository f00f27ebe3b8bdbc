# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Checks that every query strategy has to pass, one's own included.

A loop that ends proves nothing about a selection. These checks hold a strategy to what
a batch must be, to what must not be touched, and to the symmetries that a right
selection has; golden vectors of the method itself come on top.
"""

import copy
import io
import pickle
import random
import warnings

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.utils import Bunch

from skal._filter import PoolFilter
from skal._fresh_estimator import offered
from skal._query_pipeline import QueryPipeline
from skal._strategy import ScoreStrategy
from skal.exceptions import PoolExhaustedWarning
from skal.utils._capabilities import last_step
from skal.utils._rows import is_column, take_rows

__all__ = ["check_query_strategy", "query_strategy_checks"]


def check_query_strategy(strategy, *, estimator=None, X=None, y=None):
    """Hold a strategy or filter to what every strategy of this library promises.

    Parameters
    ----------
    strategy : QueryStrategy
        Not fitted. Pass one whose `random_state` is an int if it draws anything.
    estimator : classifier, default=None
        Not fitted; fitted here on part of the data, and offered the rest of it if its
        `fit` takes `X_unlabeled`. None: logistic regression.
    X : sequence of length n >= 40, default=None
        Rows; None: 120 points in the plane, some of them equal. With texts the checks
        of containers go through lists, arrays, Series and Arrow columns of texts.
    y : array-like of shape (n,), default=None
        Labels with at least two classes.

    Raises
    ------
    AssertionError
        Naming the check that failed and what was seen.

    Notes
    -----
    Runs every check of :func:`query_strategy_checks`. About 30 fits and queries of the
    given estimator on n rows.

    Examples
    --------
    >>> from skal.strategies import Entropy
    >>> from skal.utils.estimator_checks import check_query_strategy
    >>> check_query_strategy(Entropy())
    """
    for check in query_strategy_checks():
        try:
            check(strategy, _Case.of(estimator, X, y))
        except (AssertionError, TypeError, ValueError) as error:
            name = check.__name__.removeprefix("_check_").replace("_", " ")
            raise AssertionError(f"{strategy!r}: {name}: {error}") from error


def query_strategy_checks():
    """List the checks one by one.

    Returns
    -------
    checks : list of callable
        Functions of (strategy, case) that raise AssertionError, in the order they run.
    """
    return [
        _check_batch_is_valid,
        _check_asking_for_everything,
        _check_bad_arguments,
        _check_nothing_is_changed,
        _check_same_seed_same_batch,
        _check_permutation_equivariance,
        _check_filter_that_keeps_everything,
        _check_scores_of_a_part,
        _check_best_scores_are_picked,
        _check_containers,
        _check_duplicates,
        _check_one_class_and_string_labels,
        _check_persistence,
        _check_filter_contract,
        _check_inside_a_learner,
    ]


class _Case:
    """Labelled rows, a pool and a classifier fitted on the labelled rows."""

    def __init__(self, estimator, X, y):
        n_labeled = len(y) // 4
        self.X = take_rows(X, np.arange(n_labeled))
        self.y = np.asarray(y)[:n_labeled]
        assert len(np.unique(self.y)) > 1, "the first quarter has one class"
        self.pool = take_rows(X, np.arange(n_labeled, len(y)))
        self.n_pool = len(y) - n_labeled
        self.n = max(2, self.n_pool // 10)
        self.estimator = self.fit(estimator, self.y)

    @classmethod
    def of(cls, estimator, X, y):
        if X is None:
            X, y = make_blobs(120, centers=3, cluster_std=2.0, random_state=0)
            X[60:80] = X[40:60]
        return cls(LogisticRegression() if estimator is None else estimator, X, y)

    def fit(self, estimator, labels):
        """A clone of the classifier, fitted on the labelled rows, offered the pool."""
        estimator = clone(estimator)
        return estimator.fit(self.X, labels, **offered(estimator, self.pool, None, 1))

    def fitted(self, strategy):
        return clone(strategy).fit(self.X, self.y, estimator=self.estimator)

    def query(self, strategy, pool=None):
        pool = self.pool if pool is None else pool
        return self.fitted(strategy).query(pool, n_queries=self.n)


def _assert_valid(rows, n_rows, n):
    assert isinstance(rows, np.ndarray), f"got {type(rows).__name__}, not an ndarray"
    assert rows.dtype == np.int64, f"positions have dtype {rows.dtype}, not int64"
    assert rows.shape == (n,), f"{n} rows were due, got shape {rows.shape}"
    assert len(np.unique(rows)) == n, "a row was picked twice"
    inside = (rows >= 0) & (rows < n_rows)
    assert inside.all(), "a position is outside the pool"


def _assert_same(first, second, what):
    assert np.array_equal(first, second), f"{what}: {first} is not {second}"


def _check_batch_is_valid(strategy, case):
    for n in (1, case.n, case.n_pool):
        rows = case.fitted(strategy).query(case.pool, n_queries=n)
        _assert_valid(rows, case.n_pool, n)
    assert case.fitted(strategy).transform(case.pool).shape[0] == case.n_pool, (
        "transform does not give one row of the representation per row"
    )


def _check_asking_for_everything(strategy, case):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rows = case.fitted(strategy).query(case.pool, n_queries=case.n_pool + 1)
    _assert_valid(rows, case.n_pool, case.n_pool)
    assert any(w.category is PoolExhaustedWarning for w in caught), (
        "asking for more than there is gave no PoolExhaustedWarning"
    )


def _check_bad_arguments(strategy, case):
    fitted = case.fitted(strategy)
    for n_queries in (0, -1, 1.0, True, "all"):
        _assert_refused(fitted, case.pool, n_queries, f"n_queries={n_queries!r}")
    _assert_refused(fitted, take_rows(case.pool, []), 1, "an empty pool")
    _assert_refused(fitted, "one text", 1, "a bare string")


def _assert_refused(fitted, pool, n_queries, what):
    try:
        fitted.query(pool, n_queries=n_queries)
    except (ValueError, TypeError):
        return
    raise AssertionError(f"{what} was accepted")


def _check_nothing_is_changed(strategy, case):
    watched = {
        "the pool": case.pool,
        "the labelled rows": case.X,
        "the labels": case.y,
        "NumPy's global random state": _global_state(),
        "Python's global random state": random.getstate(),
    }
    before = {name: joblib.hash(thing) for name, thing in watched.items()}
    says = case.estimator.predict_proba(case.pool)
    params = repr(strategy.get_params())
    case.query(strategy)
    watched["NumPy's global random state"] = _global_state()
    watched["Python's global random state"] = random.getstate()
    for name, thing in watched.items():
        assert joblib.hash(thing) == before[name], f"query changed {name}"
    _assert_same(says, case.estimator.predict_proba(case.pool), "the classifier")
    assert repr(strategy.get_params()) == params, "query changed a parameter"


def _global_state():
    return np.random.get_state()  # noqa: NPY002, it is the global one that is watched


def _check_same_seed_same_batch(strategy, case):
    fitted = case.fitted(strategy)
    rows = fitted.query(case.pool, n_queries=case.n)
    again = fitted.query(case.pool, n_queries=case.n)
    _assert_same(rows, again, "the second query of one strategy")
    if _seeded(strategy):
        _assert_same(rows, case.query(strategy), "the query of a clone")


def _seeded(strategy):
    params = strategy.get_params(deep=True)
    return all(
        value is not None
        for key, value in params.items()
        if key.rpartition("__")[2] == "random_state"
    )


def _check_permutation_equivariance(strategy, case):
    """The same items come out of a shuffled pool (equal rows count as one item).

    Where rows are picked by their scores, rows with equal scores do, too.
    """
    if strategy.draws_from_pool:
        return
    order = np.random.RandomState(0).permutation(case.n_pool)
    rows = case.query(strategy)
    shuffled = order[case.query(strategy, take_rows(case.pool, order))]
    if isinstance(strategy, ScoreStrategy):
        scores = case.fitted(strategy).transform(case.pool)[:, 0]
        before, after = np.sort(scores[rows]), np.sort(scores[shuffled])
        np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-6)
        return
    what = "items of a shuffled pool (where rows are drawn, set draws_from_pool = True)"
    _assert_same(_items(case, rows), _items(case, shuffled), what)


def _items(case, rows):
    return sorted(repr(item) for item in _as_list(take_rows(case.pool, rows)))


def _as_list(X):
    return X.tolist() if hasattr(X, "tolist") else list(X)


class _KeepAll(PoolFilter):
    """Keeps every row."""

    def __init__(self, strategy=None):
        self.strategy = strategy

    def _select(self, view, n_queries):
        return np.arange(len(view))


def _check_filter_that_keeps_everything(strategy, case):
    if not _seeded(strategy):
        return
    _assert_same(
        case.query(strategy), case.query(_KeepAll(strategy)), "a filter that keeps all"
    )


def _check_scores_of_a_part(strategy, case):
    """A row's score does not depend on what else is in the pool."""
    if not isinstance(strategy, ScoreStrategy) or strategy.draws_from_pool:
        return
    part = np.arange(0, case.n_pool, 3)
    whole = case.fitted(strategy).transform(case.pool)[part]
    alone = case.fitted(strategy).transform(take_rows(case.pool, part))
    assert np.allclose(alone, whole, rtol=1e-5, atol=1e-6), (
        "a row's score changes with the rest of the pool; where it has to, the base is "
        f"QueryStrategy, not ScoreStrategy. Alone: {alone[:3, 0]}, in the whole pool: "
        f"{whole[:3, 0]}..."
    )


def _check_best_scores_are_picked(strategy, case):
    """Larger means label first, ties by lower row."""
    if not isinstance(strategy, ScoreStrategy):
        return
    fitted = case.fitted(strategy)
    scores = fitted.transform(case.pool)[:, 0]
    best = np.argsort(-scores, kind="stable")[: case.n]
    _assert_same(fitted.query(case.pool, n_queries=case.n), best, "rows by score")


def _check_containers(strategy, case):
    if not _seeded(strategy):
        return
    expected = case.query(strategy)
    for name, pool in _containers(case.pool):
        got = case.query(strategy, pool)
        _assert_same(expected, got, f"a pool in a {name}")


def _containers(pool):
    if not is_column(pool):
        return [("Fortran-ordered array", np.asfortranarray(pool))]
    texts = _as_list(pool)
    containers = [
        ("list", texts),
        ("tuple", tuple(texts)),
        ("object array", np.array(texts, dtype=object)),
        ("str array", np.array(texts)),
    ]
    return containers + _optional_containers(texts)


def _optional_containers(texts):
    """Columns of the data-frame libraries that are installed."""
    found = []
    try:
        import pandas as pd
    except ImportError:
        pass
    else:
        index = np.random.RandomState(0).permutation(len(texts))
        found.append(("pandas Series", pd.Series(texts, index=index)))
    try:
        import polars as pl
    except ImportError:
        pass
    else:
        found.append(("polars Series", pl.Series(texts)))
    try:
        import pyarrow as pa
    except ImportError:
        pass
    else:
        found.append(("Arrow column", pa.chunked_array([texts[:3], texts[3:]])))
    return found


def _check_duplicates(strategy, case):
    """A pool in which every row occurs three times gives a valid batch."""
    rows = np.repeat(np.arange(case.n_pool), 3)
    pool = take_rows(case.pool, rows)
    picked = case.query(strategy, pool)
    _assert_valid(picked, len(rows), case.n)
    same = take_rows(case.pool, np.zeros(case.n_pool, dtype=np.int64))
    _assert_valid(case.query(strategy, same), case.n_pool, case.n)


def _check_one_class_and_string_labels(strategy, case):
    one = np.flatnonzero(case.y == case.y[0])
    labels = case.y
    if labels.dtype.kind not in "OSU":
        codes = np.unique(labels, return_inverse=True)[1]
        labels = np.array([f"class {code:06}" for code in codes])
    estimator = case.fit(case.estimator, labels)
    one_class = clone(strategy).fit(
        take_rows(case.X, one), labels[one], estimator=_recorded(estimator, one)
    )
    rows = one_class.query(case.pool, n_queries=case.n)
    _assert_valid(rows, case.n_pool, case.n)
    if _seeded(strategy):
        named = clone(strategy).fit(case.X, labels, estimator=estimator)
        rows = named.query(case.pool, n_queries=case.n)
        _assert_same(rows, case.query(strategy), "labels given as strings")


def _recorded(estimator, rows):
    """The classifier, as if only some of its training rows had been there to record."""
    estimator = copy.deepcopy(estimator)
    classifier = last_step(estimator)
    dynamics = getattr(classifier, "training_dynamics_", None)
    if dynamics is not None:
        cut = {name: values[:, rows] for name, values in dynamics.items()}
        classifier.training_dynamics_ = Bunch(**cut)
    return estimator


def _check_persistence(strategy, case):
    fitted = case.fitted(strategy)
    rows = fitted.query(case.pool, n_queries=case.n)
    file = io.BytesIO()
    try:
        joblib.dump(fitted, file)
    except (pickle.PicklingError, AttributeError) as error:
        raise AssertionError(
            f"{error}; a class that is defined inside a function cannot be found again "
            "when it is loaded: define it at the top of a module or a notebook"
        ) from error
    file.seek(0)
    loaded = joblib.load(file)
    _assert_same(rows, loaded.query(case.pool, n_queries=case.n), "after joblib")
    copied = copy.deepcopy(fitted)
    _assert_same(rows, copied.query(case.pool, n_queries=case.n), "after deepcopy")


def _check_filter_contract(strategy, case):
    """What a filter keeps is sorted, unique and enough for the batch."""
    if isinstance(strategy, QueryPipeline):
        filters = strategy._filters()
    else:
        filters = [strategy] if isinstance(strategy, PoolFilter) else []
    view = case.fitted(strategy)._view(case.pool)
    for pool_filter in filters:
        for n in (1, case.n, case.n_pool):
            kept = pool_filter._select(view, n)
            assert len(kept) >= n, f"{len(kept)} rows kept for a batch of {n}"
            assert np.all(np.diff(kept) > 0), "the rows kept are not sorted and unique"
            _assert_valid(kept, case.n_pool, len(kept))


def _check_inside_a_learner(strategy, case):
    """Rows left out by the learner are as if they had never been in the pool."""
    from skal._learner import ActiveLearner

    frozen = FrozenEstimator(case.estimator)
    learner = ActiveLearner(frozen, strategy, random_state=0).fit(case.X, case.y)
    excluded = np.arange(0, case.n_pool, 4)
    still_open = np.setdiff1d(np.arange(case.n_pool), excluded)
    rows = learner.query(case.pool, case.n, exclude=excluded)
    _assert_valid(rows, case.n_pool, case.n)
    assert set(rows.tolist()) <= set(still_open.tolist()), "an excluded row was picked"
    if not _sees_rows_left_out(strategy):
        shorter = learner.query(take_rows(case.pool, still_open), case.n)
        _assert_same(rows, still_open[shorter], "a pool without the excluded rows")


def _sees_rows_left_out(strategy):
    parts = [strategy, *strategy.get_params(deep=True).values()]
    return any(getattr(part, "sees_rows_left_out", False) for part in parts)
