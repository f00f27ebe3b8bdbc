# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""How fast the index finds neighbours, and how many of the right ones.

Twenty anchors, fifty neighbours each. Exact search of a million rows beside faiss's
flat index on the same arrays, in one run, alternating; what the approximate kinds cost
to build and to search; and, with --data and --model, their recall on embeddings of real
texts. Run it as

    python benchmarks/neighbors.py [--data DIR --model CHECKPOINT]

where DIR holds agnews/train.parquet (column text) and CHECKPOINT is a BERT.
"""

import argparse
import time
from pathlib import Path

import faiss
import numpy as np
from threadpoolctl import threadpool_limits

from skal.utils import NeighborIndex

N_QUERIES, K = 20, 50


def unit_vectors(n_rows, d, seed):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n_rows, d), dtype=np.float32)
    for start in range(0, n_rows, 100_000):
        block = vectors[start : start + 100_000]
        block /= np.linalg.norm(block, axis=1)[:, None]
    return vectors


def seconds(function):
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def recall(similarity, vectors, queries):
    """Share of the neighbours that are as near as the K-th by brute force."""
    return np.mean(similarity >= kth_similarity(vectors, queries)[:, None] - 1e-12)


def kth_similarity(vectors, queries):
    best, queries = np.empty((len(queries), 0)), lengths_one(queries)
    for start in range(0, len(vectors), 50_000):
        block = lengths_one(vectors[start : start + 50_000])
        best = np.concatenate([best, queries @ block.T], axis=1)
        best = -np.partition(-best, K - 1, axis=1)[:, :K]
    return best.min(axis=1)


def lengths_one(vectors):
    vectors = np.float64(vectors)
    return vectors / np.linalg.norm(vectors, axis=1)[:, None]


def compare_exact(n_rows, d, repeats):
    vectors, queries = unit_vectors(n_rows, d, 0), unit_vectors(N_QUERIES, d, 1)
    excluded = np.random.default_rng(2).choice(n_rows, n_rows // 1000, replace=False)
    build, index = seconds(lambda: NeighborIndex(vectors, "exact"))
    flat = faiss.IndexFlatIP(d)
    flat_build, _ = seconds(lambda: flat.add(vectors))
    searches = {
        "NeighborIndex": lambda: index.search(queries, K),
        "NeighborIndex, 0.1 % excluded": lambda: index.search(
            queries, K, exclude=excluded
        ),
        "faiss flat": lambda: flat.search(queries, K),
    }
    times = {name: [] for name in searches}
    for _ in range(repeats):
        for name, search in searches.items():
            times[name].append(seconds(search)[0])
    print(f"exact, {n_rows} x {d}: build {build:.2f} s (faiss {flat_build:.2f} s)")
    for name, values in times.items():
        ratio = np.median(times["faiss flat"]) / np.median(values)
        print(
            f"  {name:30} median {np.median(values):.3f} s, min {min(values):.3f} s, "
            f"{ratio:.1f} x faiss"
        )
    found = recall(index.search(queries, K)[1], vectors, queries)
    print(f"  recall {found:.4f}", flush=True)


def compare_kinds(vectors, queries, name):
    print(name)
    for kind in ("exact", "ivf", "hnsw"):
        build, index = seconds(lambda kind=kind: NeighborIndex(vectors, kind))
        index.search(queries, K)
        times = [seconds(lambda i=index: i.search(queries, K))[0] for _ in range(5)]
        found = recall(index.search(queries, K)[1], vectors, queries)
        print(
            f"  {kind:6} build {build:8.2f} s, {len(queries)} queries "
            f"{1000 * np.median(times):7.1f} ms, recall {found:.4f}",
            flush=True,
        )


def real_vectors(data, model, n_rows):
    import pandas as pd

    from skal.text import SentenceEncoder

    texts = pd.read_parquet(Path(data) / "agnews" / "train.parquet")["text"].tolist()
    vectors = SentenceEncoder(model).fit().transform(texts[:n_rows])
    return vectors / np.linalg.norm(vectors, axis=1)[:, None]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--approximate-rows", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data")
    parser.add_argument("--model")
    args = parser.parse_args()
    with threadpool_limits(args.threads):
        compare_exact(args.rows, args.dimensions, args.repeats)
        if args.approximate_rows:
            n_rows, d = args.approximate_rows, args.dimensions
            vectors, queries = unit_vectors(n_rows, d, 0), unit_vectors(N_QUERIES, d, 1)
            compare_kinds(vectors, queries, f"random, {n_rows} x {d}")
        if args.data:
            vectors = real_vectors(args.data, args.model, 20_000)
            queries = vectors[:: len(vectors) // 200]
            compare_kinds(vectors, queries, f"AG News, {len(vectors)} texts")


if __name__ == "__main__":
    main()
