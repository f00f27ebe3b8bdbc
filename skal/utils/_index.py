# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Nearest neighbours by cosine similarity, exact or through a faiss index."""

import numpy as np

from skal.utils._arrays import check_vectors
from skal.utils._nearest import (
    Directions,
    best_of_pairs,
    nearest,
    similarity_of_pairs,
)

KINDS = ("auto", "exact", "hnsw", "ivf")

# Up to here no approximate index repays its building within an active-learning loop.
_EXACT_UP_TO = 1_000_000
# To search so large a share of the rows, or for so large a share, faiss is no faster.
_SHARE_WORTH_IT = 0.1
# What is retrieved to be ranked again, per neighbour asked for: at first, and once more
# for a query around which many rows are left out.
_WIDER = (2, 16)
_ADDED_AT_ONCE = 65536
# The settings of the AnchorAL paper, appendix A.1.
_HNSW_M, _HNSW_EF = 64, 200
# Rows that a list of the inverted file is trained on, and lists that are read.
_PER_LIST, _IVF_PROBES = 50, 128


class NeighborIndex:
    """The rows of a dense matrix, searched by cosine similarity.

    Parameters
    ----------
    vectors : array-like of shape (n, d)
        Finite numbers. A C-contiguous float32 array is used as it is, without a copy. A
        row of zeros has similarity 0 to everything.
    kind : {"auto", "exact", "hnsw", "ivf"}, default="auto"
        "exact" compares the queries with every row. "hnsw" (a graph) and "ivf" (an
        inverted file) are faiss indexes, which look at some rows only and may miss a
        neighbour. "auto" is exact up to a million rows and "ivf" above.

    Attributes
    ----------
    kind : {"exact", "hnsw", "ivf"}
        What "auto" came to.
    vectors : ndarray of shape (n, d), dtype float32
        The rows.

    Raises
    ------
    ValueError
        If `kind` is none of the above, or a number is not finite.
    TypeError
        If the vectors are sparse or not numeric.

    Notes
    -----
    *Exact.* Building costs O(n d) time and O(n) memory. A search for q queries costs
    O(q n d) time, as blocked matrix products in single precision, and O(32768 d)
    memory; what their rounding leaves open is compared again in double precision. So
    equal rows tie exactly, ties go to the lower row, and blocks do not matter.

    *Approximate.* A second copy of the vectors is held. Twice the neighbours asked for
    are retrieved, more where rows are left out, and ranked again exactly. With fewer
    than a tenth of the rows left, and for a query around which so many are left out
    that it comes back short, the search is exact.

    "hnsw" has the settings of the AnchorAL paper (``M = 64``, ``ef = 200`` in building
    and in searching). It is built by one thread, since the graph would depend on the
    order in which several add to it: 10 s for 10,000 rows of 384 dimensions. "ivf" has
    about 4 sqrt(n) lists, of which a search reads 128 or more; its k-means has a fixed
    seed. The same vectors give the same index, with the same number of threads.

    References
    ----------
    Y. A. Malkov, D. A. Yashunin. Efficient and robust approximate nearest neighbor
    search using hierarchical navigable small world graphs. IEEE Transactions on Pattern
    Analysis and Machine Intelligence 42(4), 2020.
    :doi:`10.1109/TPAMI.2018.2889473`

    M. Douze et al. The Faiss library. 2024. https://arxiv.org/abs/2401.08281

    Examples
    --------
    >>> from skal.utils import NeighborIndex
    >>> index = NeighborIndex([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 0.0]])
    >>> index.kind
    'exact'
    >>> neighbors, similarity = index.search([[3.0, 0.1]], 2, exclude=[0])
    >>> neighbors.tolist(), similarity.round(2).tolist()
    ([[3, 2]], [[1.0, 0.73]])
    """

    def __init__(self, vectors, kind="auto"):
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {list(KINDS)}. Got {kind!r}.")
        vectors = check_vectors(vectors, "The indexed vectors")
        if kind == "auto":
            kind = "exact" if len(vectors) <= _EXACT_UP_TO else "ivf"
        self.kind = kind
        self._points = Directions.of(vectors)
        exact = kind == "exact" or len(vectors) == 0
        self._faiss = None if exact else _BUILD[kind](self._points)

    @property
    def vectors(self):
        """The rows."""
        return self._points.vectors

    def __len__(self):
        return len(self._points)

    def search(self, queries, k, *, rows=None, exclude=None):
        """Find the k most similar rows for each query.

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
            Rows of the index, most similar first, ties by lower row; m rows are
            searched.
        similarity : ndarray of shape (q, min(k, m)), dtype float64
            Cosine similarities.

        Raises
        ------
        ValueError
            If the queries have another number of dimensions than the rows, or a number
            is not finite.
        IndexError
            If `rows` or `exclude` are not rows of the index.
        """
        queries = check_vectors(queries, "The query vectors")
        d = self.vectors.shape[1]
        if queries.shape[1] != d:
            raise ValueError(
                f"The query vectors have {queries.shape[1]} dimensions, the indexed "
                f"ones {d}; both must come from one encoder."
            )
        queries = Directions.of(queries)
        live = _live(len(self), rows, exclude)
        n_live = len(self) if live is None else int(np.count_nonzero(live))
        k = min(k, n_live)
        if self._faiss is None or n_live < _SHARE_WORTH_IT * len(self):
            return nearest(self._points, queries, k, live)
        return self._approximate(queries, k, live, n_live)

    def _approximate(self, queries, k, live, n_live):
        """What faiss finds, ranked exactly; searched exactly where that is too little.

        faiss looks at all rows, and those left out are dropped from what it finds: what
        remains is as good as what it finds without them, or it is short.
        """
        neighbors = np.empty((len(queries), k), dtype=np.int64)
        similarity = np.empty((len(queries), k))
        short = np.arange(len(queries))
        for wider in _WIDER:
            wide = wider * k * len(self) // n_live
            if wide > _SHARE_WORTH_IT * len(self):
                break
            found = self._find(queries[short], wide, live)
            enough = (found >= 0).sum(axis=1) >= k
            done, short = short[enough], short[~enough]
            neighbors[done], similarity[done] = self._ranked(
                queries[done], found[enough], k
            )
        neighbors[short], similarity[short] = nearest(
            self._points, queries[short], k, live
        )
        return neighbors, similarity

    def _find(self, queries, wide, live):
        """(q, wide) rows of the index, -1 for none."""
        params = _PARAMS[self.kind](wide)
        _, found = self._faiss.search(queries.unit, wide, params=params)
        if live is not None:
            found[~live[found]] = -1
        return found

    def _ranked(self, queries, found, k):
        query, column = np.nonzero(found >= 0)
        row = found[query, column]
        similarity = similarity_of_pairs(queries, query, self._points, row)
        return best_of_pairs(query, row, similarity, len(queries), k)


def _live(n_rows, rows, exclude):
    """Which rows are searched, a mask; None for all."""
    if rows is None and exclude is None:
        return None
    live = np.full(n_rows, rows is None)
    for positions, alive in ((rows, True), (exclude, False)):
        if positions is not None:
            live[_positions(positions, n_rows)] = alive
    return live


def _positions(rows, n_rows):
    rows = np.asarray(rows)
    if len(rows) == 0:
        return rows.astype(np.int64)
    if rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= n_rows:
        raise IndexError(
            f"rows and exclude must be integers from 0 to {n_rows - 1}, rows of the "
            f"index. Got {rows.dtype} from {rows.min()} to {rows.max()}."
        )
    return rows


# The two kinds of faiss index: how they are built, how far they look for `wide` rows.


def _build_hnsw(points):
    import faiss

    d = points.vectors.shape[1]
    graph = faiss.IndexHNSWFlat(d, _HNSW_M, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = _HNSW_EF
    n_threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        _add(graph, points)
    finally:
        faiss.omp_set_num_threads(n_threads)
    return graph


def _hnsw_params(wide):
    import faiss

    return faiss.SearchParametersHNSW(efSearch=max(_HNSW_EF, wide))


def _build_ivf(points):
    import faiss

    n, d = points.vectors.shape
    n_lists = max(1, min(int(4 * np.sqrt(n)), n // _PER_LIST))
    cells = faiss.IndexFlatIP(d)
    lists = faiss.IndexIVFFlat(cells, d, n_lists, faiss.METRIC_INNER_PRODUCT)
    lists.cp.min_points_per_centroid = 1
    sample = np.linspace(0, n - 1, min(n, _PER_LIST * n_lists)).astype(np.int64)
    lists.train(points[sample].unit)
    _add(lists, points)
    return lists


def _ivf_params(wide):
    import faiss

    return faiss.SearchParametersIVF(nprobe=max(_IVF_PROBES, wide // 2))


def _add(index, points):
    for start in range(0, len(points), _ADDED_AT_ONCE):
        index.add(points[start : start + _ADDED_AT_ONCE].unit)


_BUILD = {"hnsw": _build_hnsw, "ivf": _build_ivf}
_PARAMS = {"hnsw": _hnsw_params, "ivf": _ivf_params}
