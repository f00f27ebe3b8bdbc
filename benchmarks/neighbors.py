# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""How fast the index finds neighbours, and how many of the right ones.

Twenty anchors, fifty neighbours each. Exact search of a million rows beside faiss's
flat index on the same arrays; then what the approximate kinds cost to build and to
search, and what they find; the same, with --data and --model, on embeddings of real
texts. Run it as

    python benchmarks/neighbors.py [--data DIR --model CHECKPOINT] [--out FOLDER]

where DIR holds agnews/train.parquet (column text) and CHECKPOINT is a BERT. --cache
names a folder that keeps the embeddings. On a machine that is busy use
``--clock cpu --threads 1``.
"""

import argparse
import functools
from pathlib import Path

import faiss
import numpy as np
from threadpoolctl import threadpool_limits
from turns import CLOCKS, Report, in_turns, stopwatch

from skal.utils import NeighborIndex

N_QUERIES, K = 20, 50
OURS = "NeighborIndex"


def unit_vectors(n_rows, d, seed):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n_rows, d), dtype=np.float32)
    for start in range(0, n_rows, 100_000):
        block = vectors[start : start + 100_000]
        block /= np.linalg.norm(block, axis=1)[:, None]
    return vectors


def clouds(n_rows, d, seed):
    """Vectors around n / 100 centres: without any structure there is no index."""
    centers = unit_vectors(n_rows // 100, d, 0)
    around = np.random.default_rng(seed).integers(len(centers), size=n_rows)
    return centers[around] + unit_vectors(n_rows, d, seed)


def missed(similarity, vectors, queries):
    """Share of the neighbours that are less near than the K-th by brute force."""
    return np.mean(similarity < kth_similarity(vectors, queries)[:, None] - 1e-12)


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


def compare_exact(report, args):
    n_rows, d = args.rows, args.dimensions
    vectors, queries = unit_vectors(n_rows, d, 0), unit_vectors(N_QUERIES, d, 1)
    excluded = np.random.default_rng(2).choice(n_rows, n_rows // 1000, replace=False)
    ours, index = stopwatch(args.clock, NeighborIndex, vectors, "exact")
    flat = faiss.IndexFlatIP(d)
    theirs, _ = stopwatch(args.clock, flat.add, vectors)
    print(f"\nto build: {OURS} {ours:.2f} s, faiss flat {theirs:.2f} s")
    watch = functools.partial(stopwatch, args.clock)
    seconds, found = in_turns(
        {
            OURS: lambda: watch(index.search, queries, K),
            "0.1 % of the rows left out": lambda: watch(
                lambda: index.search(queries, K, exclude=excluded)
            ),
            "faiss flat": lambda: watch(flat.search, queries, K),
        },
        args.repeats,
    )
    targets = {"faiss flat": 4}
    report.add("exact", f"{n_rows} x {d}", seconds, against=OURS, targets=targets)
    wrong = missed(found[OURS][1], vectors, queries)
    report.check("exact search and brute force", wrong, 0)


def compare_kinds(report, args, name, vectors, queries):
    """Build and search seconds, and recall, of every kind."""
    built = {}
    print(f"\n{name}")
    for kind in args.kinds:
        seconds, built[kind] = stopwatch(args.clock, NeighborIndex, vectors, kind)
        share = 1 - missed(built[kind].search(queries, K)[1], vectors, queries)
        print(f"  {kind:6} build {seconds:8.2f} s, recall {share:.4f}", flush=True)
    contenders = {
        kind: functools.partial(stopwatch, args.clock, index.search, queries, K)
        for kind, index in built.items()
    }
    seconds, _ = in_turns(contenders, args.repeats)
    case = f"{len(queries)} queries in {name}"
    report.add("kinds", case, seconds, against="exact", targets={})


def text_vectors(args, n_rows=20_000):
    import pandas as pd

    from skal.text import SentenceEncoder

    frame = pd.read_parquet(Path(args.data) / "agnews" / "train.parquet")
    encoder = SentenceEncoder(args.model, cache_dir=args.cache).fit()
    return encoder.transform(frame["text"].tolist()[:n_rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--approximate-rows", type=int, default=100_000)
    parser.add_argument("--kinds", nargs="+", default=["exact", "ivf", "hnsw"])
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall")
    parser.add_argument("--data")
    parser.add_argument("--model")
    parser.add_argument("--cache")
    parser.add_argument("--out")
    args = parser.parse_args()
    report = Report(["numpy", "faiss-cpu"], **vars(args))
    with threadpool_limits(args.threads):
        if args.rows:
            compare_exact(report, args)
        if args.approximate_rows:
            n_rows, d = args.approximate_rows, args.dimensions
            vectors = clouds(n_rows, d, 1)
            name = f"{n_rows} x {d}, random clouds"
            compare_kinds(report, args, name, vectors, vectors[:: n_rows // N_QUERIES])
        if args.data:
            vectors = text_vectors(args)
            name = f"{len(vectors)} texts of AG News"
            compare_kinds(report, args, name, vectors, vectors[::100])
    if args.out:
        report.save(args.out, "neighbors")


if __name__ == "__main__":
    main()
