# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""How the learner looks at a pool, through its strategy."""

import copy

from sklearn.frozen import FrozenEstimator

from skal._pool_memory import PoolMemory
from skal._pool_view import PoolView
from skal._strategy import (
    check_readable,
    default_strategy,
    load_language_model,
    needs_encoder,
    needs_language_model,
    query_view,
)
from skal.utils._capabilities import last_step
from skal.utils._random import draw_seed
from skal.utils._validation import check_count, check_pool, warn_if_more_than_left


class LooksAtPool:
    """The view of a pool that the learner's strategy is given, and what it picks."""

    def explain_query(
        self,
        X_pool,
        n_queries=None,
        *,
        rows=None,
        exclude=None,
        ids=None,
        n_neighbors=3,
    ):
        """Say why `query` picks the rows that it picks.

        The query is made again, by the same model: call it before the answers are
        taught. What it picks is what `query` with these arguments returns.

        Parameters
        ----------
        X_pool : sequence of length n
            The pool.
        n_queries : int, default=None
            Rows to pick; None takes the parameter `n_queries`.
        rows : array-like of int, default=None
            Positions in `X_pool` of the rows to explain, picked or not. None: those
            that are picked, in their order.
        exclude : array-like of int, default=None
            Positions in `X_pool` to leave out.
        ids : sequence of length n, default=None
            Names of the pool's rows; those taught or skipped are left out.
        n_neighbors : int, default=3
            How many of the nearest labelled rows to name.

        Returns
        -------
        explanation : :class:`~skal.inspection.QueryExplanation`
            Prints readably; `to_frame` makes a data frame of it.

        Raises
        ------
        ValueError, TypeError
            As `query`; if `rows` are no positions in the pool.

        See Also
        --------
        skal.inspection.SelectionDisplay : The rows picked, in a picture.
        """
        from skal.inspection._explanation import explain

        view, n_queries = self._open_view(X_pool, n_queries, exclude, ids)
        view.log.steps = []
        picked = self._pick(view, n_queries) if n_queries else view.rows
        return explain(view, picked, rows, n_neighbors)

    def _open_view(self, X_pool, n_queries, exclude, ids):
        """The view of the rows that may be asked, and how many of them are due."""
        n_queries = check_count(
            self.n_queries if n_queries is None else n_queries, "n_queries"
        )
        n_rows = check_pool(X_pool, self.estimator)
        rows = self._open_rows(n_rows, exclude, ids)
        strategy = self._checked_strategy()
        check_readable(strategy, self._classifier(), self.estimator, X_pool)
        self._load_pretrained(strategy, X_pool)
        warn_if_more_than_left(n_queries, len(rows))
        view = self._view(X_pool, None if len(rows) == n_rows else rows)
        return view, min(n_queries, len(rows))

    def _checked_strategy(self):
        strategy = self._strategy()
        strategy._check_parameters()
        return strategy

    def _strategy(self):
        """The strategy itself, not a clone: it keeps no state that could change."""
        return default_strategy() if self.strategy is None else self.strategy

    def _load_pretrained(self, strategy, X):
        """Have ready what the strategy will ask of the checkpoint before fine-tuning.

        What was loaded for the same classifier by an earlier `fit` is kept, and so is
        all that was computed with it.
        """
        self._load_encoder(strategy, X)
        if not needs_language_model(strategy):
            return
        kept = getattr(self, "_language_model", None)
        if kept is None or _params(kept) != _params(last_step(self.estimator)):
            self._language_model = load_language_model(self.estimator, X)

    def _load_encoder(self, strategy, X):
        if not needs_encoder(strategy, X):
            return
        encoder = last_step(self.estimator).pretrained_encoder()
        kept = getattr(self, "_encoder", None)
        if kept is None or repr(kept.estimator) != repr(encoder):
            self._encoder = FrozenEstimator(encoder.fit(X))

    def _classifier(self):
        """The fitted classifier, None before the first fit."""
        if hasattr(self, "estimator_"):
            return self.estimator_
        frozen = isinstance(self.estimator, FrozenEstimator)
        return self.estimator if frozen else None

    def _view(self, pool, rows):
        if not hasattr(self, "_seed"):
            self._seed = draw_seed(copy.deepcopy(self.random_state))  # as `fit` will
        if not hasattr(self, "_memory"):
            self._memory = PoolMemory()
        labeled = getattr(self, "_labeled", None)
        classifier = self._classifier()
        return PoolView(
            pool,
            rows,
            estimator=classifier,
            classes=getattr(self, "classes_", getattr(classifier, "classes_", None)),
            labeled=labeled and (labeled.X, labeled.y, labeled.rounds),
            encoder=getattr(self, "_encoder", None),
            language_model=getattr(self, "_language_model", None),
            seed=self._seed,
            round_=getattr(self, "_round", 0),
            memory=self._memory,
            reads=self._strategy().reads,
        )

    def _pick(self, view, n_queries):
        """Positions in the pool of the rows that the strategy picks in the view."""
        with view.log.timed("select"):
            picked = query_view(self._strategy(), view, n_queries)
        return picked if view.rows is None else view.rows[picked]


def _params(estimator):
    """A name for all parameters, whatever their number."""
    return repr(sorted(estimator.get_params().items()))
