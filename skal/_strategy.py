# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The base of every strategy: a transformer that can also query."""

import functools
import operator
from abc import abstractmethod

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted, validate_data

from skal._pool_memory import PoolMemory
from skal._pool_view import PoolView, Reads
from skal.exceptions import MissingCapabilityError, NotQueryableError
from skal.functional import top_rows
from skal.utils._arrays import check_picks
from skal.utils._capabilities import check_provides, last_step
from skal.utils._random import draw_seed
from skal.utils._rows import (
    is_column,
    is_frame,
    is_sparse_matrix,
    looks_like_vectors,
    num_rows,
    readable_rows,
    take_rows,
)
from skal.utils._validation import (
    check_count,
    check_labels,
    check_not_bare_string,
    check_pool,
    warn_if_more_than_left,
)

# What an unfitted classifier offers.
_BEFORE_FIT = frozenset({"encoding", "surprisal"})
_OF_DENSE_ROWS = frozenset({"embedding", "encoding", "predicted_loss", "surprisal"})


class QueryStrategy(TransformerMixin, BaseEstimator):
    """Base of everything that picks rows: a transformer that can also query.

    A subclass implements `_represent(view)`, the acquisition representation of every
    row, and `_query(view, n_queries)`, the positions picked; it names what it reads of
    the classifier in `reads`. Both are given a :class:`~skal.base.PoolView` and
    are pure functions of it and of the strategy's parameters: a strategy keeps no state
    between queries.

    Inside :class:`~skal.ActiveLearner` the learner builds the view. On its own a
    strategy is fitted with the labelled set and a classifier that is already fitted.

    Notes
    -----
    Scores follow one rule with no exception: larger means label first.
    """

    __metadata_request__fit = {"estimator": UNUSED}
    _parameter_constraints = {}

    #: Whether rows are drawn at random by their positions in the pool, so that another
    #: order of the same rows may give another batch.
    draws_from_pool = False

    #: Whether rows of the pool object that the view leaves out still shape the batch.
    sees_rows_left_out = False

    @property
    def reads(self):
        """What the strategy reads of the classifier, a :class:`Reads`."""
        return functools.reduce(
            operator.or_, (s.reads for s in self._inside()), Reads()
        )

    def fit(self, X, y=None, estimator=None):
        """Remember the labelled set and the classifier.

        Parameters
        ----------
        X : sequence of length n_labeled
            The labelled rows, in any container that the classifier takes.
        y : array-like of shape (n_labeled,), default=None
            Their labels.
        estimator : fitted classifier, default=None
            Not cloned and not refitted. None is enough for a strategy that reads
            nothing of a classifier.

        Returns
        -------
        self : object
            The strategy.
        """
        self._check_parameters()
        _check_rows(self, X, reset=True)
        y = None if y is None else check_labels(y, num_rows(X))
        check_readable(self, estimator, estimator, X)
        self.labeled_ = None if y is None else (X, y, np.zeros(len(y), dtype=np.int64))
        self.estimator_ = estimator
        self.encoder_ = load_encoder(self, estimator, X)
        self._language_model = None
        if needs_language_model(self):
            self._language_model = load_language_model(estimator, X)
        self.seed_ = draw_seed(getattr(self, "random_state", None))
        self._memory = PoolMemory()
        return self

    def transform(self, X):
        """The acquisition representation of every row.

        Parameters
        ----------
        X : sequence of length n
            The pool.

        Returns
        -------
        representation : ndarray of shape (n, k)
            One column of scores for a strategy that scores rows on their own.
        """
        return self._represent(self._view(X))

    def query(self, X, n_queries=1):
        """The rows to label first.

        Parameters
        ----------
        X : sequence of length n
            The pool.
        n_queries : int, default=1
            Rows to pick. More than n: all n, with a warning.

        Returns
        -------
        rows : ndarray of shape (min(n_queries, n),), dtype int64
            Positions in X, no duplicates.
        """
        n_queries = check_count(n_queries, "n_queries")
        view = self._view(X)
        warn_if_more_than_left(n_queries, len(view))
        return query_view(self, view, min(n_queries, len(view)))

    @abstractmethod
    def _represent(self, view):
        """The acquisition representation, (len(view), k)."""

    @abstractmethod
    def _query(self, view, n_queries):
        """Positions in the view; `1 <= n_queries <= len(view)`."""

    def _explain(self, view):
        """What it says of each row, arrays of shape (len(view),): "score", "cluster".

        Empty where what it says is not of single rows.
        """
        return {}

    def _inside(self):
        """The strategies inside, which may themselves have some inside."""
        return ()

    def _check_parameters(self):
        """Validate the parameters, and those of strategies inside."""
        self._validate_params()
        for strategy in self._inside():
            strategy._check_parameters()

    def _check_own_classifiers(self, X):
        """Refuse, before any work, a classifier of its own that lacks what it reads."""
        for strategy in self._inside():
            strategy._check_own_classifiers(X)

    def _view(self, X):
        check_is_fitted(self)
        check_pool(X, name="X")
        _check_rows(self, X, reset=False)
        return PoolView(
            X,
            estimator=self.estimator_,
            classes=getattr(self.estimator_, "classes_", None),
            labeled=self.labeled_,
            encoder=self.encoder_,
            language_model=self._language_model,
            seed=self.seed_,
            memory=self._memory,
            reads=self.reads,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not self.reads.pool & _OF_DENSE_ROWS
        return tags

    def __getstate__(self):
        state = super().__getstate__().copy()
        if "_memory" in state:
            state["_memory"] = PoolMemory()
        return state


def _check_rows(strategy, X, reset):
    """Refuse rows no strategy could read; note or compare the number of features."""
    check_not_bare_string(X, "X")
    as_they_are = is_column(X) or (is_frame(X) and not looks_like_vectors(X))
    if as_they_are:
        validate_data(strategy, X, reset=reset, skip_check_array=True)
    else:
        validate_data(strategy, X, reset=reset, accept_sparse=("csr", "csc"))


def check_readable(strategy, fitted, template, X):
    """Refuse, before any work, a classifier that lacks what the strategy reads.

    `fitted` is None before the first fit; `template` is asked for what a classifier
    offers without being fitted.
    """
    strategy._check_own_classifiers(X)
    name = type(strategy).__name__
    outputs = read_once_fitted(strategy)
    if outputs and fitted is None:
        raise NotQueryableError(
            f"{name} reads {sorted(outputs)} of a fitted classifier and there is none "
            "yet. Fit first, or query with a strategy that needs no model, such as "
            "RandomSampling."
        )
    check_provides(name, fitted, outputs, X)
    if "encoding" in strategy.reads.pool and _neither_texts_nor_vectors(X):
        raise MissingCapabilityError(
            f"{name} compares rows as dense vectors, and encoder='auto' takes texts or "
            f"dense numbers. Got {type(X).__name__}; pass encoder= a transformer that "
            "gives dense vectors, for example TruncatedSVD(100) for sparse rows."
        )
    if needs_encoder(strategy, X):
        check_provides(name, template, {"encoding"}, X)
    if needs_language_model(strategy):
        check_provides(name, template, {"surprisal"}, X)
        if not is_column(X):
            raise MissingCapabilityError(
                f"{name} reads the tokens of texts, before any step of a pipeline. Got "
                f"{type(X).__name__}; pass one column of texts, or use another "
                "strategy."
            )


def read_once_fitted(strategy):
    """What the strategy reads of a classifier that only a fitted one has."""
    return (strategy.reads.pool | strategy.reads.labeled) - _BEFORE_FIT


def _neither_texts_nor_vectors(X):
    return is_sparse_matrix(X) or (is_frame(X) and not looks_like_vectors(X))


def needs_encoder(strategy, X):
    """Whether the strategy will ask for the classifier's own frozen encoder."""
    return "encoding" in strategy.reads.pool and is_column(X)


def load_encoder(strategy, template, X):
    """The frozen encoder that the strategy will ask for, or None."""
    if not needs_encoder(strategy, X):
        return None
    return FrozenEstimator(last_step(template).pretrained_encoder().fit(X))


def needs_language_model(strategy):
    """Whether the strategy will ask the classifier for `token_surprisal`."""
    return "surprisal" in strategy.reads.pool


def load_language_model(template, X):
    """A copy of the classifier that stays unfitted, to be asked for `token_surprisal`.

    It is asked for one row, so that a checkpoint without a head is refused before any
    work.
    """
    language_model = clone(last_step(template))
    if num_rows(X):
        language_model.token_surprisal(readable_rows(take_rows(X, [0])))
    return language_model


def query_view(strategy, view, n_queries):
    """The strategy's picks in a view, held to what a batch must be."""
    n_steps = view.log.n_steps
    picked = strategy._query(view, n_queries)
    name = f"_query of {type(strategy).__name__}"
    picked = check_picks(picked, len(view), n_queries, name)
    if view.log.n_steps == n_steps:  # nothing inside it picked
        view.log.note(strategy, view, n_queries, picked, False)
    return picked


def query_part(strategy, view, rows, n_queries):
    """The strategy's picks among some rows of a view, as positions in the view."""
    if n_queries == 0:
        return np.empty(0, dtype=np.int64)
    if len(rows) == len(view):
        return query_view(strategy, view, n_queries)
    return rows[query_view(strategy, view.take(rows), n_queries)]


def default_strategy():
    """What `strategy=None` means everywhere."""
    from skal.strategies import Entropy

    return Entropy()


class WrapperStrategy(MetaEstimatorMixin, QueryStrategy):
    """Base of the strategies around one other, their parameter `strategy`."""

    @property
    def draws_from_pool(self):
        """Whether the strategy inside draws rows by their positions in the pool."""
        return self._inner().draws_from_pool

    def _inner(self):
        return default_strategy() if self.strategy is None else self.strategy

    def _inside(self):
        return (self._inner(),)

    def _represent(self, view):
        return self._inner()._represent(view)


class ScoreStrategy(QueryStrategy):
    """Base of the strategies that score each row on its own.

    A subclass implements `_score(view)`, shape (len(view),), larger means label first;
    the batch is the rows with the largest scores, ties by lower row.
    """

    @abstractmethod
    def _score(self, view):
        """One score per row of the view."""

    def _represent(self, view):
        return self._score(view)[:, None]

    def _explain(self, view):
        return {"score": np.asarray(self._score(view))}

    def _query(self, view, n_queries):
        scores = np.asarray(self._score(view))
        if scores.shape != (len(view),):
            raise ValueError(
                f"_score of {type(self).__name__} must return one score per row, shape "
                f"({len(view)},). Got {scores.shape}."
            )
        return top_rows(scores, n_queries)
