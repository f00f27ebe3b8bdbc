# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The kinds of faiss index: how they are built, and how far they look."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from joblib import effective_n_jobs
from threadpoolctl import threadpool_limits

_ADDED_AT_ONCE = 8192
# The settings of the AnchorAL paper, appendix A.1.
_HNSW_M, _HNSW_EF = 64, 200
# Rows that a list of the inverted file is trained on, and lists that are read.
_PER_LIST, _IVF_PROBES = 50, 128
# The same with quantised rows: fewer and longer lists, since a row in them is cheap.
# benchmarks/index.py shows what these settings find.
_PQ_PER_LIST, _PQ_PROBES, _PQ_ROWS_PER_PROBE = 40, 64, 16
_PQ_LEAST, _PQ_SAMPLE = 256, 131_072
_PQ_WIDTH, _PQ_CODES = 128, 32


@dataclass(frozen=True)
class FaissKind:
    """One kind of faiss index.

    Parameters
    ----------
    build : callable
        ``build(points) -> index`` of rows at unit length.
    params : callable
        ``params(wide) -> SearchParameters`` to find that many rows.
    wider : tuple of int
        What is retrieved to be ranked again, per neighbour asked for: at first, and
        once more for a query around which many rows are left out.
    least : int, default=1
        With fewer rows there is nothing to train.
    """

    build: Callable
    params: Callable
    wider: tuple = (2, 16)
    least: int = 1


def _build_hnsw(points):
    """By one thread: the graph depends on the order in which rows are added."""
    import faiss

    d = points.vectors.shape[1]
    graph = faiss.IndexHNSWFlat(d, _HNSW_M, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = _HNSW_EF
    with threadpool_limits(1):
        _add(graph, points)
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
    lists.train(_sample(points, _PER_LIST * n_lists))
    _add(lists, points)
    return lists


def _ivf_params(wide):
    import faiss

    return faiss.SearchParametersIVF(nprobe=max(_IVF_PROBES, wide // 2))


def _build_ivf_pq(points):
    """Trained by one thread: its sums depend on how they are shared out."""
    import faiss

    n, d = points.vectors.shape
    n_codes = max(1, min(d // 2, _PQ_CODES))
    width = min(d, _PQ_WIDTH) // n_codes * n_codes
    n_lists = max(1, min(int(np.sqrt(n)), n // _PQ_PER_LIST))
    # Squared distances: the principal components are those of rows around their mean,
    # which inner products would not survive. At unit length both rank alike.
    cells = faiss.IndexFlatL2(width)
    lists = faiss.IndexIVFPQ(cells, width, n_lists, n_codes, 8)
    lists.use_precomputed_table = -1  # it would take more memory than the rows
    lists.cp.min_points_per_centroid = lists.pq.cp.min_points_per_centroid = 1
    lists.pq.cp.niter, lists.pq.cp.max_points_per_centroid = 10, 64
    # With a random rotation, each code gets its share of what the rows differ in.
    index = faiss.IndexPreTransform(faiss.PCAMatrix(d, width, 0, True), lists)
    with threadpool_limits(1):
        n_rows = min(_PQ_SAMPLE, max(_PQ_PER_LIST * n_lists, 64 * 256))
        index.train(_sample(points, n_rows))
    _add(index, points)
    return index


def _ivf_pq_params(wide):
    import faiss

    probes = max(_PQ_PROBES, wide // _PQ_ROWS_PER_PROBE)
    lists = faiss.SearchParametersIVF(nprobe=probes)
    return faiss.SearchParametersPreTransform(index_params=lists)


def _sample(points, n_rows):
    """Rows at even distances, at unit length."""
    n, d = points.vectors.shape
    rows = np.linspace(0, n - 1, min(n, n_rows)).astype(np.int64)
    sample = np.empty((len(rows), d), dtype=np.float32)
    for start in range(0, len(rows), _ADDED_AT_ONCE):
        part = slice(start, start + _ADDED_AT_ONCE)
        sample[part] = points[rows[part]].unit
    return sample


def _add(index, points):
    for start in range(0, len(points), _ADDED_AT_ONCE):
        index.add(points[start : start + _ADDED_AT_ONCE].unit)


FAISS_KINDS = {
    "hnsw": FaissKind(_build_hnsw, _hnsw_params),
    "ivf": FaissKind(_build_ivf, _ivf_params),
    "ivf_pq": FaissKind(_build_ivf_pq, _ivf_pq_params, (20, 160), _PQ_LEAST),
}


def build_faiss(kind, points, n_jobs):
    """The faiss index of some rows; None if they are too few."""
    import faiss  # noqa: F401 - before that, its threads cannot be limited

    if len(points) < FAISS_KINDS[kind].least:
        return None
    with threads(n_jobs):
        return FAISS_KINDS[kind].build(points)


def threads(n_jobs):
    """A context in which matrix products and faiss use so many threads."""
    if n_jobs is None:
        return contextlib.nullcontext()
    return threadpool_limits(effective_n_jobs(n_jobs))


def write_faiss(index, file):
    """Write a faiss index to a file that is open for bytes."""
    import faiss

    faiss.write_index(index, faiss.PyCallbackIOWriter(file.write))


def read_faiss(path, mmap):
    """A faiss index from a file, memory-mapped or read.

    Raises
    ------
    RuntimeError
        If it is none.
    """
    import faiss

    flags = faiss.IO_FLAG_SKIP_PRECOMPUTE_TABLE
    if mmap:  # the first maps graphs too; faiss has had it since 1.11
        flags |= getattr(faiss, "IO_FLAG_MMAP_IFC", faiss.IO_FLAG_MMAP)
    return faiss.read_index(str(path), flags)
