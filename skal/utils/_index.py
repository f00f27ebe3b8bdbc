# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Nearest neighbours by cosine similarity, exact or through a faiss index."""

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils.random import sample_without_replacement

from skal.utils._arrays import check_stored_vectors, check_vectors
from skal.utils._faiss_kinds import FAISS_KINDS, build_faiss, threads
from skal.utils._index_files import read_index, write_index
from skal.utils._nearest import (
    Directions,
    best_of_pairs,
    nearest,
    similarity_of_pairs,
)
from skal.utils._random import draw_seed
from skal.utils._validation import check_count

KINDS = ("auto", "exact", *FAISS_KINDS)

# Up to here no approximate index repays its building within an active-learning loop.
_EXACT_UP_TO = 1_000_000
# Seconds of one core: what an exact search for 20 queries takes per number of the
# matrix, and what building "ivf_pq" takes per row.
_SEARCH_SECONDS, _BUILD_SECONDS = 1.25e-9, 25e-6
# To search so large a share of the rows, or for so large a share, faiss is no faster.
_SHARE_WORTH_IT = 0.1
_NAME = "The indexed vectors"


class NeighborIndex:
    """The rows of a dense matrix, searched by cosine similarity.

    Parameters
    ----------
    vectors : array-like of shape (n, d)
        Finite numbers. A C-contiguous float32 array is used as it is, without a copy. A
        memory-mapped array, of float16 say, stays on disk: it is read some rows at a
        time. A row of zeros has similarity 0 to everything.
    kind : {"auto", "exact", "hnsw", "ivf", "ivf_pq"}, default="auto"
        "exact" compares the queries with every row. The others are faiss indexes, which
        look at some rows only and may miss a neighbour: "hnsw" (a graph), "ivf" (an
        inverted file) and "ivf_pq" (an inverted file of rows quantised to 32 bytes).
        "auto" is exact up to a million rows, and above "ivf_pq" if building it takes
        less time than it saves.
    n_searches : int, default=100
        How often the index will be asked, for some 20 queries each time. Only "auto"
        reads it.
    n_jobs : int or None, default=None
        Threads in building and searching; -1 is one per processor, None leaves it to
        the libraries. What is found is the same.

    Attributes
    ----------
    kind : {"exact", "hnsw", "ivf", "ivf_pq"}
        What "auto" came to.
    n_jobs : int or None
        As above.
    vectors : ndarray of shape (n, d)
        The rows, float32 unless they are memory-mapped.

    Raises
    ------
    ValueError
        If `kind` is none of the above, `n_jobs` is 0, or a number is not finite.
    TypeError
        If the vectors are sparse or not numeric.

    See Also
    --------
    ShardedIndex : Several indexes searched as one.

    Notes
    -----
    *Exact.* Building costs O(n d) time and 12 bytes a row. A search for q queries costs
    O(q n d) time, as blocked matrix products in single precision, and O(32768 d)
    memory; what their rounding leaves open is compared again in double precision. So
    equal rows tie exactly, ties go to the lower row, and blocks do not matter.

    *Approximate.* faiss names candidates, twice the neighbours asked for ("ivf_pq": 20
    times), more where rows are left out; they are ranked exactly, by the vectors
    themselves. With fewer than a tenth of the rows left, and for a query around which
    so many are left out that it comes back short, the search is exact.

    "hnsw" and "ivf" hold a second copy of the vectors. "hnsw" has the settings of the
    AnchorAL paper (``M = 64``, ``ef = 200`` in building and in searching). It is built
    by one thread, since the graph would depend on the order in which several add to it:
    4 s for 10,000 rows of 384 dimensions, 105 s for 100,000. "ivf" has about 4 sqrt(n)
    lists, of which a search reads 128 or more.

    "ivf_pq" holds 40 bytes a row, up to twice that while it is built: the 128 first
    principal components of the rows, in sqrt(n) lists, as the difference to the centre
    of the list in 32 codes. A search reads 64 lists or more. Rows of zeros are not
    looked for. It is trained on at most 131,072 rows.

    All seeds are fixed: the same vectors give the same index.

    *The rule of "auto".* Measured on one core, an exact search for 20 queries takes
    1.25 ns for each of n d numbers (3.5 ns where they are kept in half precision), and
    building "ivf_pq" 18 microseconds a row of a million (53 of ten million, beside
    other work); 25 are assumed. So above a million rows it is chosen if
    ``n_searches * d > 20000``. Vectors on disk that do not fit into memory are in
    favour of "ivf_pq" much earlier: an exact search reads them all.

    References
    ----------
    Y. A. Malkov, D. A. Yashunin. Efficient and robust approximate nearest neighbor
    search using hierarchical navigable small world graphs. IEEE Transactions on Pattern
    Analysis and Machine Intelligence 42(4), 2020.
    :doi:`10.1109/TPAMI.2018.2889473`

    H. Jégou, M. Douze, C. Schmid. Product quantization for nearest neighbor search.
    IEEE Transactions on Pattern Analysis and Machine Intelligence 33(1), 2011.
    :doi:`10.1109/TPAMI.2010.57`

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

    A filter searches in a saved index if its parameter `index` is the folder.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skal.filters import AnchorAL
    >>> with TemporaryDirectory() as folder:
    ...     index.save(folder)
    ...     strategy = AnchorAL(index=Path(folder))
    ...     loaded = NeighborIndex.load(folder)
    ...     neighbors, _ = loaded.search([[3.0, 0.1]], 2, exclude=[0])
    >>> neighbors.tolist()
    [[3, 2]]
    """

    def __init__(self, vectors, kind="auto", *, n_searches=100, n_jobs=None):
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {list(KINDS)}. Got {kind!r}.")
        if n_jobs is not None:
            effective_n_jobs(n_jobs)  # refuses what is none
        points = vectors
        if not isinstance(points, Directions):  # a pool makes them once for all kinds
            vectors = check_stored_vectors(vectors, _NAME)
            points = Directions.of(vectors, name=_NAME)
        if kind == "auto":
            kind = _best_kind(*points.vectors.shape, n_searches)
        self.kind = kind
        self.n_jobs = n_jobs
        self._points = points
        self._faiss = None if kind == "exact" else build_faiss(kind, points, n_jobs)

    @classmethod
    def load(cls, folder, vectors=None, *, mmap=True, n_jobs=None):
        """Load an index that was saved.

        Parameters
        ----------
        folder : path-like
            What `save` was given.
        vectors : array-like of shape (n, d), default=None
            The rows, where they are no longer at the path from which they were
            memory-mapped when the index was saved. None: those at that path, or in
            `folder`.
        mmap : bool, default=True
            Whether to leave everything on disk and read of it what a search needs.
        n_jobs : int or None, default=None
            As in the class.

        Returns
        -------
        index : NeighborIndex
            It finds what the saved one finds.

        Raises
        ------
        FileNotFoundError
            If there is no index in the folder, or a file is missing.
        IndexFilesError
            If a file is damaged, cut short or of another version.
        PoolMismatchError
            If the vectors are of another shape than those that the index was built on,
            or one of 64 sampled rows differs.

        Notes
        -----
        Takes O(n) time for the lengths of the rows, which are read; the vectors
        themselves were looked at when the index was built.
        """
        kind, points, found = read_index(folder, vectors, mmap)
        index = cls(points, "exact", n_jobs=n_jobs)
        index.kind, index._faiss = kind, found
        return index

    def save(self, folder):
        """Write the index to a folder.

        Parameters
        ----------
        folder : path-like
            Made if need be. An earlier index in it is replaced, and stays whole if
            writing fails.

        Notes
        -----
        Vectors that are a memory-mapped ``.npy`` file as a whole stay where they are:
        only the path is written. Others are written too.
        """
        write_index(folder, self.kind, self._points, self._faiss)

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
            If the queries have another number of dimensions than the rows, a number is
            not finite, or `k` is negative.
        TypeError
            If `k` is no int.
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
        k = min(check_count(k, "k", least=0), n_live)
        with threads(self.n_jobs):
            few = k == 0 or n_live < _SHARE_WORTH_IT * len(self)
            if self._faiss is None or few:
                return nearest(self._points, queries, k, live)
            return self._approximate(queries, k, live, n_live)

    def recall(self, n_samples=100, k=50, *, random_state=0):
        """Measure which share of the nearest neighbours the index finds.

        Parameters
        ----------
        n_samples : int, default=100
            Rows, drawn at random, whose neighbours are searched for.
        k : int, default=50
            Neighbours per row, the row itself not counted.
        random_state : int, RandomState instance or None, default=0
            Draws the rows.

        Returns
        -------
        recall : float
            Between 0 and 1. A row that is as near as the k-th neighbour is one.

        Raises
        ------
        ValueError, TypeError
            If `n_samples` or `k` is no int of at least 1.

        Notes
        -----
        Costs an exact search for these rows, O(n_samples n d) time.
        """
        n_samples = min(check_count(n_samples, "n_samples"), len(self))
        k = min(check_count(k, "k"), len(self) - 1)
        if k < 1:
            return 1.0
        rows = sample_without_replacement(
            len(self), n_samples, random_state=draw_seed(random_state)
        )
        queries = self._points.read(rows)
        _, found = _others(rows, *self.search(queries, k + 1))
        with threads(self.n_jobs):
            exact = nearest(self._points, Directions.of(queries), k + 1)
        _, exact = _others(rows, *exact)
        return float(np.mean(found >= exact[:, -1:]))

    def _approximate(self, queries, k, live, n_live):
        """What faiss finds, ranked exactly; searched exactly where that is too little.

        faiss looks at all rows, and those left out are dropped from what it finds: what
        remains is as good as what it finds without them, or it is short.
        """
        neighbors = np.empty((len(queries), k), dtype=np.int64)
        similarity = np.empty((len(queries), k))
        short = np.arange(len(queries))
        for wider in FAISS_KINDS[self.kind].wider:
            wide = wider * k * len(self) // n_live
            if len(short) == 0 or wide > _SHARE_WORTH_IT * len(self):
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
        params = FAISS_KINDS[self.kind].params(wide)
        _, found = self._faiss.search(queries.unit, wide, params=params)
        found[self._points.norms[found] == 0] = -1  # "ivf_pq" takes them for near
        if live is not None:
            found[~live[found]] = -1
        return found

    def _ranked(self, queries, found, k):
        query, column = np.nonzero(found >= 0)
        row = found[query, column]
        similarity = similarity_of_pairs(queries, query, self._points, row)
        return best_of_pairs(query, row, similarity, len(queries), k)


def _best_kind(n_rows, n_features, n_searches):
    """What "auto" comes to."""
    check_count(n_searches, "n_searches")
    saved = n_searches * _SEARCH_SECONDS * n_features
    worth_it = n_rows > _EXACT_UP_TO and saved > _BUILD_SECONDS
    return "ivf_pq" if worth_it else "exact"


def _others(rows, neighbors, similarity):
    """What was found beside the rows themselves, one less for each."""
    others = neighbors != rows[:, None]
    others[others.all(axis=1), -1] = False
    shape = len(rows), -1
    return neighbors[others].reshape(shape), similarity[others].reshape(shape)


def _live(n_rows, rows, exclude):
    """Which rows are searched, a mask; None for all."""
    if rows is None and exclude is None:
        return None
    live = np.full(n_rows, rows is None)
    for positions, alive in ((rows, True), (exclude, False)):
        if positions is not None:
            live[as_positions(positions, n_rows)] = alive
    return live


def as_positions(rows, n_rows):
    """Rows of an index, as integers within it."""
    rows = np.asarray(rows)
    if len(rows) == 0:
        return rows.astype(np.int64)
    if rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= n_rows:
        raise IndexError(
            f"rows and exclude must be integers from 0 to {n_rows - 1}, rows of the "
            f"index. Got {rows.dtype} from {rows.min()} to {rows.max()}."
        )
    return rows
