# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Nearest neighbours, validation, and the public checks for strategies."""

from skal.utils._index import NeighborIndex
from skal.utils._sharded_index import ShardedIndex

__all__ = ["NeighborIndex", "ShardedIndex"]
