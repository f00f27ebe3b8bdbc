# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The bases: a strategy picks rows, a filter decides which rows a strategy sees.

:class:`PoolView` is what both are given, :class:`Reads` how they say what they read.
"""

from skal._filter import PoolFilter
from skal._pool_view import PoolView, Reads
from skal._query_pipeline import QueryPipeline, make_query_pipeline
from skal._strategy import QueryStrategy, ScoreStrategy

__all__ = [
    "PoolFilter",
    "PoolView",
    "QueryPipeline",
    "QueryStrategy",
    "Reads",
    "ScoreStrategy",
    "make_query_pipeline",
]
