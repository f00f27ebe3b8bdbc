# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Core-set, contrastive scores and k-means beside scikit-activeml and scikit-learn.

Every kernel gets the same arrays in the same run and takes its turn in every repeat.
Run it as

    python benchmarks/coverage.py [--peer PEERS/bin/python] [--out FOLDER]
        [--data DIR --model CHECKPOINT --cache DIR]

`--peer` is the Python of an environment with scikit-activeml (benchmarks/peers);
without it the plain loop of k-center stands for it. `--data` is a folder that holds
agnews/train.parquet and CHECKPOINT a BERT, for embeddings of texts: random vectors
flatter the kernels. Picks must be the same, CAL's but for 1 in 100 (scikit-activeml
clips probabilities), and the inertia of the clusters within 0.1 %. The memory is
measured on Linux only. On a machine that is busy use ``--clock cpu --threads 1``.
"""

import argparse
import contextlib
import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits
from turns import CLOCKS, Report, in_turns, stopwatch

from skal.functional import contrastive_scores, k_center_greedy, k_means, top_rows
from skal.functional._clustering import nearest_center

OURS, PEER, PLAIN = "skal", "scikit-activeml", "one distance pass per pick"
K_NEIGHBORS = 10

MEMORY = """
def memory(what):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if what in line) / 1e3

def peak_of(function):
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    before = memory("VmRSS")
    function()
    return memory("VmHWM") - before, memory("VmHWM")
"""

# The other library's environment has no skal: what it runs stands here as text.
WORKER = (
    MEMORY
    + """
import json, sys, time, warnings
import numpy as np
from skactiveml.base import SkactivemlClassifier
from skactiveml.pool import ContrastiveAL, CoreSet

class Says(SkactivemlClassifier):
    def fit(self, X, y, sample_weight=None):
        return self
    def predict_proba(self, X):
        return (proba[n_labeled:] if len(X) > n_labeled else proba[:n_labeled]).copy()

warnings.simplefilter("ignore")
X, proba, n_labeled = np.load(sys.argv[1]), np.load(sys.argv[2]), int(sys.argv[3])
clock = {"wall": time.perf_counter, "cpu": time.process_time}[sys.argv[4]]
y = np.full(len(X), np.nan)
y[:n_labeled] = np.arange(n_labeled) % proba.shape[1]
double = X.astype(np.float64)  # of single precision it rounds the distances, which tie

def core_set(n):
    return CoreSet(random_state=0).query(double, y, batch_size=n)

def cal(n):
    says = Says(classes=range(proba.shape[1]))
    strategy = ContrastiveAL(nearest_neighbors_dict={"n_neighbors": 10}, random_state=0)
    return strategy.query(X, y, says, fit_clf=False, batch_size=n)

print("ready", flush=True)
for line in sys.stdin:
    name, n, measure = json.loads(line)
    run = {"core-set": core_set, "CAL": cal}[name]
    if measure:
        print(json.dumps(peak_of(lambda: run(n))), flush=True)
        continue
    start = clock()
    rows = run(n)
    print(json.dumps([clock() - start, (rows - n_labeled).tolist()]), flush=True)
"""
)

MEASURE = (
    MEMORY
    + """
import json, sys
import numpy as np
from skal.functional import contrastive_scores, k_center_greedy, k_means

X, proba, n = np.load(sys.argv[1]), np.load(sys.argv[2]), int(sys.argv[3])
runs = {
    "core-set": lambda X, p: k_center_greedy(X[n:], X[:n], 100),
    "CAL": lambda X, p: contrastive_scores(p[n:], X[n:], p[:n], X[:n]),
    "k-means": lambda X, p: k_means(X[n:], 100, random_state=0),
}
run = runs[sys.argv[4]]
run(X[:5000], proba[:5000])  # the threads' own buffers
X.sum(), proba.sum()
print(json.dumps(peak_of(lambda: run(X, proba))))
"""
)


class Peer:
    """scikit-activeml in its own environment, fed the same arrays through files."""

    def __init__(self, files, args):
        self.process = subprocess.Popen(
            [args.peer, "-c", WORKER, *files, str(args.n_labeled), args.clock],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": str(args.threads)},
        )
        assert self.process.stdout.readline() == "ready\n"

    def __call__(self, name, n_queries, measure=False):
        self.process.stdin.write(json.dumps([name, n_queries, measure]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def plain_k_center(X, labeled, n_queries):
    """The distances of all rows in single precision, once per pick."""
    sizes = np.einsum("ij,ij->i", X, X)
    nearest = (
        sizes + (np.einsum("ij,ij->i", labeled, labeled)[:, None] - 2 * labeled @ X.T)
    ).min(axis=0)
    rows = []
    for _ in range(n_queries):
        rows.append(int(nearest.argmax()))
        center = X[rows[-1]]
        np.minimum(nearest, sizes + center @ center - 2 * (X @ center), out=nearest)
        nearest[rows] = -np.inf
    return rows


def random_arrays(n_rows, n_classes, n_features):
    rng = np.random.default_rng(0)
    X = normalize(rng.standard_normal((n_rows, n_features), dtype=np.float32))
    return X, rng.dirichlet(np.ones(n_classes), n_rows)


def text_arrays(args, n_rows=20_000):
    """Embeddings of AG News, and what a classifier makes of them after some labels."""
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    from skal.text import SentenceEncoder

    frame = pd.read_parquet(Path(args.data) / "agnews" / "train.parquet")[:n_rows]
    encoder = SentenceEncoder(args.model, cache_dir=args.cache)
    X = encoder.fit().transform(frame["text"].tolist())
    known, y = slice(args.n_labeled), frame["label"].to_numpy()
    classifier = LogisticRegression(max_iter=2000).fit(X[known], y[known])
    return X, classifier.predict_proba(X)


def compare_picks(report, args, case, X, proba):
    """Core-set and CAL; the first rows are labelled."""
    labeled, pool = slice(args.n_labeled), slice(args.n_labeled, None)
    n = args.n_queries
    watch = functools.partial(stopwatch, args.clock)

    def cal():
        scores = contrastive_scores(
            proba[pool], X[pool], proba[labeled], X[labeled], K_NEIGHBORS
        )
        return top_rows(scores, n)

    ours = {
        "core-set": lambda: k_center_greedy(X[pool], X[labeled], n),
        "CAL": cal,
    }
    with contextlib.ExitStack() as stack:
        files = stack.enter_context(saved(X, proba))
        peer = Peer(files, args) if args.peer else None
        if peer:
            stack.callback(peer.close)
        for name, target in (("core-set", 15), ("CAL", 3)):
            contenders = {OURS: functools.partial(watch, ours[name])}
            if peer:
                contenders[PEER] = functools.partial(peer, name, n)
            if name == "core-set":
                contenders[PLAIN] = lambda: watch(
                    plain_k_center, X[pool], X[labeled], n
                )
            seconds, picks = in_turns(contenders, args.repeats)
            report.add(name, case, seconds, against=OURS, targets={PEER: target})
            for other in contenders.keys() - {OURS}:
                differ = np.mean(~np.isin(picks[other], picks[OURS]))
                if name == "core-set":
                    differ = np.mean(np.array(picks[other]) != picks[OURS])
                what = f"{name}, {case}: picks of {OURS} and of {other}"
                report.check(what, differ, 0 if name == "core-set" else 0.01)
            measure_memory(name, files, args, peer)


@contextlib.contextmanager
def saved(*arrays):
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / f"{i}.npy") for i in range(len(arrays))]
        for file, array in zip(files, arrays, strict=True):
            np.save(file, array)
        yield files


def measure_memory(name, files, args, peer=None):
    found = subprocess.run(
        [sys.executable, "-c", MEASURE, *files, str(args.n_labeled), name],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": str(args.threads)},
    )
    inputs = sum(Path(file).stat().st_size for file in files) / 1e6
    print(f"\n{name}: {inputs:.0f} MB of arrays; MB beside them, and in all")
    for who, (extra, peak) in {
        OURS: json.loads(found.stdout),
        **({PEER: peer(name, args.n_queries, True)} if peer else {}),
    }.items():
        print(f"  {who:20}{extra:8.0f}{peak:8.0f}", flush=True)


def compare_k_means(report, args, case, X):
    watch = functools.partial(stopwatch, args.clock)

    def inertia(centers):
        return ((X - centers[nearest_center(X, centers)]) ** 2).sum(dtype=np.float64)

    ours = {s: k_means(X, 100, random_state=s)[1] for s in range(3)}
    theirs = {s: KMeans(100, random_state=s).fit(X).cluster_centers_ for s in range(3)}
    means = [np.mean([inertia(c) for c in found.values()]) for found in (ours, theirs)]
    seconds, _ = in_turns(
        {
            OURS: lambda: watch(lambda: k_means(X, 100, random_state=0)),
            "scikit-learn": lambda: watch(KMeans(100, random_state=0).fit, X),
        },
        args.repeats,
    )
    report.add("k-means", case, seconds, against=OURS, targets={"scikit-learn": 4})
    what = f"k-means, {case}: inertia (mean of 3 seeds), above scikit-learn's,"
    report.check(what, means[0] / means[1] - 1, 1e-3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--k-means-rows", type=int, default=20_000)
    parser.add_argument("--classes", type=int, default=77)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--n-labeled", type=int, default=200)
    parser.add_argument("--n-queries", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall")
    parser.add_argument("--data")
    parser.add_argument("--model")
    parser.add_argument("--cache")
    parser.add_argument("--out")
    args = parser.parse_args()
    report = Report(["numpy", "scikit-learn", "faiss-cpu"], **vars(args))
    with threadpool_limits(args.threads):
        X, proba = random_arrays(args.rows, args.classes, args.dimensions)
        case = f"random {args.rows} x {args.dimensions}, {args.classes} classes"
        compare_picks(report, args, case, X, proba)
        case = f"random {args.k_means_rows} x {args.dimensions}, 100 centres"
        compare_k_means(report, args, case, X[: args.k_means_rows])
        if args.data:
            X, proba = text_arrays(args)
            case = f"AG News {len(X)} x {X.shape[1]}"
            compare_picks(report, args, case, X, proba)
            compare_k_means(report, args, f"{case}, 100 centres", X)
    if args.out:
        report.save(args.out, "coverage")


if __name__ == "__main__":
    main()
