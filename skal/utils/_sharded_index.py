# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Several indexes searched as one."""

import numpy as np

from skal.utils._arrays import check_vectors
from skal.utils._index import as_positions


class ShardedIndex:
    """Several indexes, searched as if their rows stood one below the other.

    Parameters
    ----------
    shards : list of NeighborIndex
        One or more, of vectors of one encoder. Row 0 of the second has the number
        ``len(shards[0])``, and so on.

    Attributes
    ----------
    shards : list of NeighborIndex
        As given.

    Raises
    ------
    ValueError
        If there is no shard, or they differ in the number of dimensions.

    See Also
    --------
    NeighborIndex : One index.

    Notes
    -----
    Each shard is asked for as many neighbours as are wanted in all, one shard after the
    other; what they find is merged by similarity, ties by lower row. So exact shards
    find what one exact index of all rows finds.

    Examples
    --------
    >>> from skal.utils import NeighborIndex, ShardedIndex
    >>> shards = [[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [2.0, 0.0]]]
    >>> index = ShardedIndex([NeighborIndex(vectors) for vectors in shards])
    >>> neighbors, similarity = index.search([[3.0, 0.1]], 3)
    >>> neighbors.tolist(), similarity.round(2).tolist()
    ([[0, 3, 2]], [[1.0, 1.0, 0.73]])
    """

    def __init__(self, shards):
        shards = list(shards)
        widths = {shard.vectors.shape[1] for shard in shards}
        if len(widths) != 1:
            raise ValueError(
                "shards must be one or more indexes of vectors of one encoder. Got "
                f"{len(shards)}, with dimensions {sorted(widths)}."
            )
        self.shards = shards
        self._starts = np.cumsum([0, *map(len, shards)])

    def __len__(self):
        return int(self._starts[-1])

    def search(self, queries, k, *, rows=None, exclude=None):
        """Find the k most similar rows of all shards for each query.

        Parameters
        ----------
        queries : array-like of shape (q, d)
            Finite numbers.
        k : int
            Clamped to the number of rows searched.
        rows : array-like of int, default=None
            Search only among these rows; None means all.
        exclude : array-like of int, default=None
            Leave these rows out.

        Returns
        -------
        neighbors : ndarray of shape (q, min(k, m)), dtype int64
            Rows of all shards together, most similar first, ties by lower row; m rows
            are searched.
        similarity : ndarray of shape (q, min(k, m)), dtype float64
            Cosine similarities.

        Raises
        ------
        ValueError
            If the queries have another number of dimensions than the rows, or a number
            is not finite.
        IndexError
            If `rows` or `exclude` are not rows of the shards.
        """
        queries = check_vectors(queries, "The query vectors")
        rows, exclude = (
            None if positions is None else as_positions(positions, len(self))
            for positions in (rows, exclude)
        )
        found, nearness = [], []
        for shard, start in zip(self.shards, self._starts, strict=False):
            inside = {
                "rows": _inside(rows, start, len(shard)),
                "exclude": _inside(exclude, start, len(shard)),
            }
            neighbors, similarity = shard.search(queries, k, **inside)
            found.append(neighbors + start)
            nearness.append(similarity)
        neighbors = np.concatenate(found, axis=1)
        similarity = np.concatenate(nearness, axis=1)
        order = np.lexsort((neighbors, -similarity), axis=1)[:, :k]
        return (
            np.take_along_axis(neighbors, order, axis=1),
            np.take_along_axis(similarity, order, axis=1),
        )


def _inside(positions, start, n_rows):
    """Those of the positions that lie in one shard, counted from its start."""
    if positions is None:
        return None
    return positions[(positions >= start) & (positions < start + n_rows)] - start
