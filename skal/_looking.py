# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""How the learner looks at a pool, through its strategy."""

import copy

from sklearn.frozen import FrozenEstimator

from skal._pool_memory import PoolMemory
from skal._pool_view import PoolView
from skal._strategy import (
    default_strategy,
    load_language_model,
    needs_encoder,
    needs_language_model,
    query_view,
)
from skal.utils._capabilities import last_step
from skal.utils._random import draw_seed


class LooksAtPool:
    """The view of a pool that the learner's strategy is given, and what it picks."""

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
