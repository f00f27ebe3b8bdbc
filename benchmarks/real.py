# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""REAL on one large pool: what its clustering costs beside faiss, and all the rest.

Three contenders take turns on the same arrays: faiss alone (the same number of
iterations on the same points, then the cluster of each row), `skal.functional.k_means`,
and a query of REAL whose clusters are given, which is all that a query adds. Then the
tightness of the clusters beside scikit-learn's KMeans. Run it as

    python benchmarks/real.py
"""

import argparse
import os
import statistics
import time

import faiss
import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from skal.base import PoolView
from skal.functional import k_means
from skal.strategies import REAL


class GivenClusters(REAL):
    """REAL without its clustering."""

    def _cluster(self, embedding, rng):
        return self.given


class Says:
    """A classifier that has said all it has to say."""

    def __init__(self, **outputs):
        self.outputs = outputs

    def predict_outputs(self, X, outputs):
        return {name: self.outputs[name] for name in outputs}


def make_pool(n_rows, n_features, n_classes, n_blobs=200):
    """Overlapping blobs, and probabilities that change from blob to blob."""
    rng = np.random.RandomState(0)
    blob = rng.randint(n_blobs, size=n_rows)
    centers = rng.normal(size=(n_blobs, n_features)) / np.sqrt(n_features)
    noise = rng.normal(size=(n_rows, n_features)).astype(np.float32)
    embedding = (centers[blob] + 3 * noise / np.sqrt(n_features)).astype(np.float32)
    logits = 2 * rng.normal(size=(n_blobs, n_classes))[blob]
    logits += rng.normal(size=(n_rows, n_classes))
    proba = np.exp(logits)
    return embedding, proba / proba.sum(axis=1, keepdims=True)


def inertia(X, centers):
    """Mean squared distance to the nearest centre, in double precision."""
    centers, total = centers.astype(np.float64), 0.0
    for start in range(0, len(X), 8192):
        block = X[start : start + 8192].astype(np.float64)
        distances = (centers**2).sum(axis=1) - 2 * block @ centers.T
        total += (block**2).sum() + distances.min(axis=1).sum()
    return total / len(X)


def faiss_train(X, n_clusters, max_iter=25):
    """Train on every row."""
    run = faiss.Kmeans(
        X.shape[1],
        n_clusters,
        niter=max_iter,
        min_points_per_centroid=1,
        max_points_per_centroid=len(X),
    )
    run.train(X)
    return run


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def seconds(clock, function, *args, **kwargs):
    """The seconds a call took by a clock of `CLOCKS`, and what it returned."""
    start = CLOCKS[clock]()
    result = function(*args, **kwargs)
    return CLOCKS[clock]() - start, result


def measure(args):
    X, proba = make_pool(args.rows, args.features, args.classes)
    clusters, centers = k_means(X, args.clusters, random_state=0)
    strategy = GivenClusters(random_state=0)
    strategy.given = clusters, centers
    taken = {"faiss, training": [], "faiss, assigning": [], "k_means": [], "rest": []}
    for repeat in range(args.repeats):
        train, run = seconds(args.clock, faiss_train, X, args.clusters)
        taken["faiss, training"].append(train)
        taken["faiss, assigning"].append(seconds(args.clock, run.assign, X)[0])
        ours = seconds(args.clock, k_means, X, args.clusters, random_state=repeat)
        taken["k_means"].append(ours[0])
        view = PoolView(
            np.arange(args.rows)[:, None],
            estimator=Says(embedding=X, proba=proba),
            classes=np.arange(args.classes),
            reads=strategy.reads,
        )
        rest, rows = seconds(args.clock, strategy._query, view, args.n_queries)
        assert len(rows) == args.n_queries
        taken["rest"].append(rest)
    medians = {name: statistics.median(values) for name, values in taken.items()}
    for name, values in taken.items():
        print(f"{name:18} {medians[name]:7.3f} s  {np.round(values, 3).tolist()}")
    alone = medians["faiss, training"] + medians["faiss, assigning"]
    print(f"k_means / faiss                {medians['k_means'] / alone:.2f}")
    training = medians["k_means"] / medians["faiss, training"]
    print(f"k_means / faiss, training only {training:.2f}")
    print(f"rest / k_means                 {medians['rest'] / medians['k_means']:.1%}")
    return X


def compare_tightness(X, args):
    ours = [
        inertia(X, k_means(X, args.clusters, random_state=seed)[1])
        for seed in range(args.seeds)
    ]
    theirs = []
    for seed in range(args.seeds):
        model = KMeans(args.clusters, random_state=seed).fit(X)
        theirs.append(inertia(X, model.cluster_centers_))
    print("inertia, ours  ", np.round(ours, 6).tolist())
    print("inertia, theirs", np.round(theirs, 6).tolist())
    print(f"mean against mean {np.mean(ours) / np.mean(theirs) - 1:+.4%}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--features", type=int, default=384)
    parser.add_argument("--clusters", type=int, default=100)
    parser.add_argument("--classes", type=int, default=4)
    parser.add_argument("--n-queries", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall")
    parser.add_argument("--seeds", type=int, default=3, help="of the tightness")
    args = parser.parse_args()
    print(vars(args), "load", os.getloadavg())
    faiss.omp_set_num_threads(args.threads)
    with threadpool_limits(args.threads):
        X = measure(args)
        print("load", os.getloadavg(), flush=True)
        if args.seeds:
            compare_tightness(X, args)


if __name__ == "__main__":
    main()
