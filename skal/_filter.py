# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The base of every filter: which rows the strategy inside gets to see."""

from abc import abstractmethod

import numpy as np

from skal._pool_view import Reads
from skal._strategy import WrapperStrategy, query_view
from skal.utils._arrays import check_picks


class PoolFilter(WrapperStrategy):
    """Base of the filters: which rows the strategy inside gets to see.

    A filter is a strategy itself, so filters nest: the outer one narrows the pool for
    the inner one. A subclass implements `_select(view, n_queries)` and takes the inner
    strategy as its first parameter, `strategy=None` (None means :class:`Entropy`).

    What `_select` returns are sorted positions in the view without duplicates, at
    least ``min(n_queries, len(view))`` of them. The positions that the inner strategy
    picks in the subpool are mapped back, and are returned in its order.
    """

    #: What the filter itself reads of the classifier.
    filter_reads = Reads()

    #: Whether the filter itself draws rows at random by their positions.
    filter_draws = False

    @property
    def reads(self):
        """What the filter and the strategy inside read of the classifier."""
        return self.filter_reads | super().reads

    @property
    def draws_from_pool(self):
        """Whether the filter or the strategy inside draws rows by their positions."""
        return self.filter_draws or super().draws_from_pool

    @abstractmethod
    def _select(self, view, n_queries):
        """Sorted positions of the rows that the inner strategy sees."""

    def _explain_kept(self, view, n_queries):
        """What it says of each row: "cluster", or "anchor" and "anchor_similarity"."""
        return {}

    def _query(self, view, n_queries):
        return query_through([self], self._inner(), view, n_queries)


def query_through(filters, strategy, view, n_queries):
    """Narrow the view by each filter in turn, let the strategy pick, map back."""
    rows = np.arange(len(view))
    for pool_filter in filters:
        with view.log.timed("filter"):
            kept = pool_filter._select(view, n_queries)
        name = f"_select of {type(pool_filter).__name__}"
        kept = np.sort(check_picks(kept, len(view), n_queries, name, exactly=False))
        view.log.note(pool_filter, view, n_queries, kept, True)
        rows, view = rows[kept], view.take(kept)
        view.log.subpool = view.rows
    with view.log.timed("select"):
        return rows[query_view(strategy, view, n_queries)]
