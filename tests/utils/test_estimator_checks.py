# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The public checks find what is wrong with a strategy."""

import numpy as np
import pytest

from skal.base import PoolFilter, QueryStrategy, Reads, ScoreStrategy
from skal.functional import entropy
from skal.strategies import RandomSampling
from skal.utils.estimator_checks import check_query_strategy, query_strategy_checks

PROBA = Reads(pool=frozenset({"proba"}))


class Base(QueryStrategy):
    reads = PROBA

    def _represent(self, view):
        return entropy(view.proba)[:, None]


class Repeats(Base):
    def _query(self, view, n_queries):
        return np.zeros(n_queries, dtype=np.int64)


class TooFew(Base):
    def _query(self, view, n_queries):
        return np.arange(max(1, n_queries - 1))


class Floats(Base):
    def _query(self, view, n_queries):
        return np.arange(n_queries, dtype=float)


class FirstRows(Base):
    """Picks by position: a shuffled pool gives other items."""

    def _query(self, view, n_queries):
        return np.arange(n_queries)


class SmallestFirst(ScoreStrategy):
    reads = PROBA

    def _score(self, view):
        return entropy(view.proba)

    def _query(self, view, n_queries):
        return np.argsort(self._score(view), kind="stable")[:n_queries]


class RelativeScores(ScoreStrategy):
    """A row's score depends on what else is in the pool."""

    reads = PROBA

    def _score(self, view):
        return entropy(view.proba) - entropy(view.proba).mean()


class GlobalNoise(ScoreStrategy):
    def _score(self, view):
        return np.random.random(len(view))


class ChangesThePool(ScoreStrategy):
    def _score(self, view):
        view.X[0] += 1
        return np.arange(len(view), dtype=float)


class DropsAll(PoolFilter):
    def __init__(self, strategy=None):
        self.strategy = strategy

    def _select(self, view, n_queries):
        return np.arange(1)

    def _query(self, view, n_queries):
        return np.arange(n_queries)


class Unsorted(DropsAll):
    def _select(self, view, n_queries):
        return np.arange(len(view))[::-1]

    def _query(self, view, n_queries):
        return RandomSampling(random_state=0)._query(view, n_queries)


@pytest.mark.parametrize(
    ("strategy", "match"),
    [
        (Repeats(), "_query of Repeats must return"),
        (TooFew(), "_query of TooFew must return"),
        (Floats(), "of dtype float64"),
        (FirstRows(), "permutation equivariance.*set draws_from_pool = True"),
        (SmallestFirst(), "best scores are picked"),
        (RelativeScores(), "scores of a part: .* the base is QueryStrategy, not Score"),
        (GlobalNoise(), "query changed NumPy's global random state|nothing is changed"),
        (ChangesThePool(), "query changed the pool"),
        (DropsAll(RandomSampling()), "rows kept for a batch|permutation"),
        (Unsorted(RandomSampling(random_state=0)), "sorted and unique"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_wrong_strategy_is_named_with_what_is_wrong(strategy, match):
    with pytest.raises(AssertionError, match=match) as caught:
        check_query_strategy(strategy)
    assert repr(strategy) in str(caught.value)


def test_a_class_that_cannot_be_loaded_again_is_named():
    class Local(ScoreStrategy):
        reads = PROBA

        def _score(self, view):
            return entropy(view.proba)

    with pytest.raises(AssertionError, match="persistence: .*define it at the top"):
        check_query_strategy(Local())


def test_the_checks_can_be_run_one_by_one():
    checks = query_strategy_checks()
    assert len(checks) == len(set(checks)) == 15


def test_unseeded_strategies_are_checked_as_far_as_they_go():
    check_query_strategy(RandomSampling())
