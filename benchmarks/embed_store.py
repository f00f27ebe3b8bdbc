# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What a store of vectors costs beside the model that computes them.

    python benchmarks/embed_store.py --work FOLDER [--rows 1000000] [--features 384]

embeds texts by an encoder that takes next to no time, so that what is left is hashing
the texts, writing the shards, putting them together and, in a second call, finding that
nothing is missing; then a tenth more texts are added. Prints seconds, the size of the
array and the peak of the process's memory above what it held before. ``--dask`` hands
the shards to a cluster of two workers on this machine: the price of a task, since the
seconds of a process are then those of the process that hands out.
"""

import argparse
import contextlib
import resource
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from turns import Report

from skal.text import embed


class Texts(Sequence):
    """Texts that are made when they are read."""

    def __init__(self, n_rows):
        self.n_rows = n_rows

    def __len__(self):
        return self.n_rows

    def __getitem__(self, row):
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(self.n_rows))]
        return f"This is text {row}, as long as a sentence of sixty letters, about."


class Instant(TransformerMixin, BaseEstimator):
    """Some vector for each text."""

    def __init__(self, n_features):
        self.n_features = n_features

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        rows = np.random.default_rng(len(X[0])).random((1, self.n_features))
        return np.repeat(rows.astype(np.float32), len(X), axis=0)


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextlib.contextmanager
def cluster_of_two(wanted):
    if not wanted:
        yield
        return
    from distributed import Client, LocalCluster

    local = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with local, Client(local), joblib.parallel_config(backend="dask"):
        yield


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=384)
    parser.add_argument("--dtype", nargs="+", default=["float16", "float32"])
    parser.add_argument("--dask", action="store_true")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    report = Report(["numpy", "joblib"], **vars(args))
    with cluster_of_two(args.dask):
        measure(args, report)
    print(pd.DataFrame(report.rows).to_string(index=False))
    if args.out is not None:
        report.save(args.out, "embed_store")


def measure(args, report):
    encoder = Instant(args.features)
    embed(Texts(5000), encoder, args.work / "small", overwrite=True)  # libraries load
    for dtype in args.dtype:
        store = args.work / dtype
        shutil.rmtree(store, ignore_errors=True)
        for case, n_rows in {
            "new": args.rows,
            "again": args.rows,
            "a tenth more": args.rows * 11 // 10,
        }.items():
            before, wall, cpu = peak_mb(), time.perf_counter(), time.process_time()
            vectors = embed(Texts(n_rows), encoder, store, dtype=dtype)
            row = {
                "dtype": dtype,
                "case": case,
                "rows": n_rows,
                "wall_seconds": time.perf_counter() - wall,
                "cpu_seconds": time.process_time() - cpu,
                "array_mb": vectors.nbytes / 2**20,
                "peak_mb": peak_mb() - before,
            }
            report.rows.append(row)
            print(row, flush=True)
        shutil.rmtree(store)


if __name__ == "__main__":
    main()
