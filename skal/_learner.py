# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The learner: a labelled set, a classifier fitted on it, a strategy that asks."""

import copy
from numbers import Integral

from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from skal._delegation import PredictsInStages, PredictsThroughEstimator
from skal._labeled_set import LabeledSet, split_params
from skal._labeling import KeepsLabeledSet
from skal._looking import LooksAtPool
from skal._round_estimator import fit_round
from skal._rounds import check_budget, run_rounds
from skal._strategy import QueryStrategy, check_readable
from skal.exceptions import FrozenEstimatorWarning
from skal.stopping import StoppingCriterion
from skal.utils._random import draw_seed
from skal.utils._rollback import as_before_on_error
from skal.utils._rows import is_column, num_rows
from skal.utils._sklearn import HasMethods, Interval, fit_context
from skal.utils._validation import (
    check_answers,
    check_ids,
    check_labels,
    check_new_rows,
    check_not_bare_string,
    check_pool_ids,
)
from skal.utils._warnings import warn


class ActiveLearner(
    KeepsLabeledSet,
    LooksAtPool,
    PredictsThroughEstimator,
    PredictsInStages,
    ClassifierMixin,
    MetaEstimatorMixin,
    BaseEstimator,
):
    """A classifier that says which rows it wants labelled next.

    Read more in :doc:`the life of a query </life_of_a_query>`.

    Parameters
    ----------
    estimator : classifier
        Cloned and fitted on the labelled set in every round. Any scikit-learn
        classifier, skorch net or pipeline that offers what the strategy reads.
        A :class:`~sklearn.frozen.FrozenEstimator` is queried but never refitted. One
        with ``warm_start=True`` goes on from the previous round's model.
    strategy : QueryStrategy or None, default=None
        Which rows to label next; a filter counts as a strategy. None means
        :class:`~skal.strategies.Entropy`.
    n_queries : int, default=10
        Rows per batch.
    budget : int or None, default=None
        None: `fit` fits on all rows given. An int: `fit` treats y as an oracle, buys
        this many labels (the initial ones included) in rounds and fits on those.
    initial : int, dict, QueryStrategy or None, default=None
        The rows bought first when `budget` is set. An int: so many random rows (None:
        `n_queries`). A strategy that needs no model: `n_queries` rows of its choice. A
        dict ``{class: count}``: so many random rows of each class, as in the papers'
        protocol; this is the one option that looks at labels before they are bought.
    classes : array-like of shape (n_classes,) or None, default=None
        The label vocabulary, fixed. None: the labels seen, which may grow.
    stopping : StoppingCriterion, callable or None, default=None
        Ends the rounds before the budget is spent. A criterion of
        :mod:`skal.stopping` is told of every round and obeyed. A callable is given
        the :class:`~skal.base.PoolView` of the rows not yet bought, after every fit.
    keep_estimators : bool, default=False
        Keep the model of every round in `estimators_`; needed by `staged_predict`.
    verbose : int, default=0
        1 shows a progress bar while a budget is spent.
    random_state : int, RandomState instance or None, default=None
        `fit` draws one seed from it; every round has a stream of its own. Nested
        estimators whose own `random_state` is None are seeded from it.

    Attributes
    ----------
    estimator_ : classifier
        Fitted on the labelled set.
    classes_ : ndarray of shape (n_classes,)
        The label vocabulary, sorted.
    X_labeled_ : sequence of length n_labeled
        The labelled rows, in the order in which they were given.
    y_labeled_ : ndarray of shape (n_labeled,)
        Their labels.
    ids_labeled_ : list of length n_labeled
        Their ids, None where none was given.
    rounds_labeled_ : ndarray of shape (n_labeled,), dtype int64
        The round in which each label was given; 0 for those of `fit` or the first
        `teach`.
    ids_skipped_ : frozenset
        Ids that were taught with the answer None.
    estimators_ : list of classifiers
        One per round, with ``keep_estimators=True``.
    rounds_ : list of dict
        One per round while a budget is spent: "round", "rows" (positions bought), their
        running total "n_labeled", "n_subpool" (rows the strategy saw; None without a
        filter) and "seconds" by kind of work ("encode", "filter", "look", "select",
        "fit", "stop").
    stopping_ : StoppingCriterion, callable or None
        What said whether to stop while a budget was spent; of a criterion a clone, with
        its history.
    n_rounds_ : int
        Queries made while a budget was spent.
    termination_condition_ : {"budget", "pool", "stopping"}
        Why buying ended.
    n_features_in_ : int
        Number of features seen in `fit`, where the classifier counts them.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where the classifier notes them.

    See Also
    --------
    skal.strategies : What decides which rows.
    skal.filters : What decides which rows the strategy sees.
    skal.stopping : When to stop.

    Notes
    -----
    A query is a pure function of the parameters, the seed, the round, the labelled set,
    the classifier and the pool: asking twice gives the same batch.

    With `budget` set, each candidate of a search is scored on the rows it chose. The
    search as a whole uses every label of y: tune on a labelled benchmark, then label.

    A joblib dump holds the models and the labelled set, not the pool and its index.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skal import ActiveLearner
    >>> learner = ActiveLearner(make_pipeline(TfidfVectorizer(), LogisticRegression()))
    >>> learner = learner.fit(["good film", "bad film"], ["pos", "neg"])
    >>> pool = ["a good one", "a bad one", "a film"]
    >>> rows = learner.query(pool, n_queries=1)
    >>> rows.tolist()
    [2]
    >>> learner.teach([pool[row] for row in rows], ["neg"]).y_labeled_.tolist()
    ['pos', 'neg', 'neg']
    """

    __metadata_request__fit = {"ids": UNUSED, "X_pool": UNUSED, "pool_ids": UNUSED}

    _parameter_constraints = {
        "estimator": [HasMethods(["fit"])],
        "strategy": [QueryStrategy, None],
        "n_queries": [Interval(Integral, 1, None, closed="left")],
        "budget": [Interval(Integral, 1, None, closed="left"), None],
        "initial": [
            Interval(Integral, 1, None, closed="left"),
            dict,
            QueryStrategy,
            None,
        ],
        "classes": ["array-like", None],
        "stopping": [StoppingCriterion, callable, None],
        "keep_estimators": ["boolean"],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator,
        strategy=None,
        *,
        n_queries=10,
        budget=None,
        initial=None,
        classes=None,
        stopping=None,
        keep_estimators=False,
        verbose=0,
        random_state=None,
    ):
        self.estimator = estimator
        self.strategy = strategy
        self.n_queries = n_queries
        self.budget = budget
        self.initial = initial
        self.classes = classes
        self.stopping = stopping
        self.keep_estimators = keep_estimators
        self.verbose = verbose
        self.random_state = random_state

    # scikit-learn's own hint for meta-estimators: nested parameters are validated by
    # the nested estimators.
    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, ids=None, X_pool=None, pool_ids=None, **fit_params):
        """Start over: fit on all rows, or buy labels from y until the budget is spent.

        Parameters
        ----------
        X : sequence of length n
            Rows in any container that the classifier takes.
        y : array-like of shape (n,)
            Labels. With `budget` set, y is an oracle: it is read whole to validate it
            and to learn the label vocabulary; no decision depends on a label that was
            not bought.
        ids : sequence of length n, default=None
            Unique, hashable names of the rows.
        X_pool : sequence, default=None
            Unlabelled rows, offered to a classifier whose `fit` takes `X_unlabeled`.
            With `budget` set these are the rows not yet bought.
        pool_ids : sequence of the length of `X_pool`, default=None
            Names of its rows, as `query` takes them; the labelled ones are left out.
        **fit_params : dict
            Passed to the classifier's `fit` (by metadata routing where that is
            enabled). Values with one entry per row are kept with the labelled set.

        Returns
        -------
        self : object
            The fitted learner.

        Raises
        ------
        ValueError
            If X and y differ in length, a label is not in `classes`, ids repeat, or the
            budget does not cover the initial rows. The learner is left as it was.
        MissingCapabilityError
            If the classifier lacks what the strategy reads.
        """
        check_not_bare_string(X)
        y = check_labels(y, num_rows(X))
        if self.budget is not None or is_column(X):
            check_new_rows(X, self.estimator)
        ids = None if ids is None else check_ids(ids, len(y))
        pool_ids = check_pool_ids(pool_ids, X_pool)
        params, constant = split_params(self._routed("fit", fit_params), len(y))
        if self.budget is not None:
            check_budget(self, y)
        with as_before_on_error(self):
            self._start(X, y, constant)
            if self.budget is None:
                new = LabeledSet.of(X, y, round_=0, ids=ids, params=params)
                self._record(new)
                fit_round(self, X_pool, self._unlabeled_rows(pool_ids))
            else:
                run_rounds(self, X, y, ids, params)
        return self

    def teach(self, X, y, *, ids=None, X_pool=None, pool_ids=None, **fit_params):
        """Add answers to the labelled set and refit the classifier.

        The answers are recorded before the refit: should that fail or be interrupted,
        none is lost and the previous model stays; ``teach([], [])`` tries again. Before
        `fit`, `teach` starts the labelled set.

        Parameters
        ----------
        X : sequence of length n
            The rows that were answered, usually those that `query` returned.
        y : sequence of length n
            Labels; None (or NaN) means that the annotator skipped the row.
        ids : sequence of length n, default=None
            Names of the rows, as given to `query`. A known id replaces its label; a
            skipped id is not asked again. Without ids every row is a new one.
        X_pool : sequence, default=None
            Unlabelled rows for a classifier whose `fit` takes `X_unlabeled`.
        pool_ids : sequence of the length of `X_pool`, default=None
            Names of its rows, as `query` takes them; the labelled ones are left out, so
            that one pool object can be passed in all rounds.
        **fit_params : dict
            As in `fit`; values with one entry per row belong to the new rows.

        Returns
        -------
        self : object
            The learner, refitted.

        Raises
        ------
        ValueError, TypeError
            If lengths differ, a label is not in `classes`, ids repeat or cannot be
            hashed. Nothing is recorded then.
        """
        self._validate_params()
        check_not_bare_string(X)
        n_rows = num_rows(X)
        y, answered = check_answers(y, n_rows)
        if n_rows:
            check_new_rows(X, self.estimator)
        ids = None if ids is None else check_ids(ids, n_rows)
        pool_ids = check_pool_ids(pool_ids, X_pool)
        params, constant = split_params(self._routed("fit", fit_params), n_rows)
        with as_before_on_error(self):
            if not hasattr(self, "_labeled"):
                self._start(X, y, constant)
            self._constant_params = {**self._constant_params, **constant}
            self._record_answers(X, y, answered, ids, params)
        if isinstance(self.estimator, FrozenEstimator):
            warn(
                "The answers were recorded; a FrozenEstimator is not refitted.",
                FrozenEstimatorWarning,
            )
        if self._stale:
            with as_before_on_error(self):
                fit_round(self, X_pool, self._unlabeled_rows(pool_ids))
        return self

    def query(self, X_pool, n_queries=None, *, exclude=None, ids=None):
        """The rows to label next.

        Parameters
        ----------
        X_pool : sequence of length n
            The pool, in memory or not: see :doc:`/big_pools`. Pass one unchanged
            object in all rounds: what is computed once for it (vectors, index) is kept
            with it.
        n_queries : int, default=None
            Rows to pick; None takes the parameter `n_queries`.
        exclude : array-like of int, default=None
            Positions in `X_pool` to leave out.
        ids : sequence of length n, default=None
            Unique, hashable names of the pool's rows. Rows taught or skipped under
            their id are left out.

        Returns
        -------
        rows : ndarray of shape (m,), dtype int64
            Positions in `X_pool`, no duplicates. All that is left, with a warning, if
            that is fewer than asked for.

        Raises
        ------
        NotQueryableError
            Before `fit`, with a strategy that reads a fitted classifier.
        PoolChangedError
            If the pool object was changed in place after it had been indexed.
        ValueError, TypeError
            If the pool is empty, one bare string or nothing that can be read by
            position, if a text is missing (its position is named), or if `n_queries`,
            `exclude` or `ids` are not what is described above.
        """
        view, n_queries = self._open_view(X_pool, n_queries, exclude, ids)
        if n_queries == 0:
            return view.rows
        self._log = view.log
        return self._pick(view, n_queries)

    # What the public methods share.

    def _start(self, X, y, constant_params):
        """Forget the earlier fit, draw the seed, check that the strategy can read."""
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)
        self._seed = draw_seed(self.random_state)
        self._round, self._stale = 0, False
        self._labeled, self._skipped = None, frozenset()
        self._constant_params = constant_params
        if isinstance(self.estimator, FrozenEstimator):
            check_is_fitted(self.estimator.estimator)
        self.classes_ = self._vocabulary(y)
        strategy = self._checked_strategy()
        check_readable(strategy, self.estimator, self.estimator, X)
        self._load_pretrained(strategy, X)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = copy.copy(inner.input_tags)
        tags.input_tags.sparse &= get_tags(self._strategy()).input_tags.sparse
        tags.classifier_tags = copy.copy(inner.classifier_tags)
        tags.target_tags = copy.copy(inner.target_tags)
        tags.non_deterministic = inner.non_deterministic
        return tags

    def __getstate__(self):
        state = dict(super().__getstate__())
        for name in ("_memory", "_log"):  # of a query, not of the model
            state.pop(name, None)
        return state
