# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""BADGE beside plain D^2 sampling, the memory's limit and the other libraries.

Every kernel gets the same arrays in the same run, takes its turn in every repeat, and
is given by the median of its seconds: of the wall clock, or of the processor's own on a
machine that is shared (`--clock process_time --threads 1`). Run it as

    python benchmarks/badge.py [--peer ENV/bin/python] [--authors badge_sampling.py]
        [--data DIR --model CHECKPOINT --cache DIR]

"plain" is what the paper's authors do, written with whole-array operations: the
distances from the factors, of every row, once per row drawn. "one pass per row" is the
least that takes: the product of the embeddings with one vector, n_queries times.
`--peer` is the Python of an environment with scikit-activeml; `--authors` the file of
that name out of the authors' repository, of which two functions are run; `--data` a
folder that holds agnews/train.parquet and CHECKPOINT a BERT, for embeddings of texts:
random vectors flatter the kernel. The memory is measured on Linux only.
"""

import argparse
import ast
import contextlib
import io
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from skal.functional import badge

# The other library's environment has no skal: what it runs stands here as text.
WORKER = """
import sys, time, warnings
import numpy as np
from skactiveml.base import SkactivemlClassifier
from skactiveml.pool import Badge

class Says(SkactivemlClassifier):
    def fit(self, X, y, sample_weight=None):
        return self
    def predict_proba(self, X):
        return proba

warnings.simplefilter("ignore")
embedding, proba = np.load(sys.argv[1]), np.load(sys.argv[2])
clock = getattr(time, sys.argv[3])
y = np.full(len(proba), np.nan)
print("ready", flush=True)
for line in sys.stdin:
    start = clock()
    Badge(random_state=0).query(
        embedding, y, Says(classes=range(proba.shape[1])), fit_clf=False,
        batch_size=int(line),
    )
    print(clock() - start, flush=True)
"""

MEASURE = """
import sys, time
import numpy as np
from skal.functional import badge

def memory(what):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if what in line) / 1e3

embedding, proba = np.load(sys.argv[1]), np.load(sys.argv[2])
badge(proba[:2000], embedding[:2000], 100, 0)  # the threads' own buffers
embedding.sum(), proba.sum()
with open("/proc/self/clear_refs", "w") as peak:
    peak.write("5")
before = memory("VmRSS")
badge(proba, embedding, 100, 0)
print(memory("VmHWM") - before, memory("VmHWM"))
"""


def plain(proba, embedding, n_queries, rng):
    """Sequential D^2 sampling; one product with the embeddings per row drawn."""
    a = proba.astype(np.float32)
    a[np.arange(len(a)), a.argmax(axis=1)] -= 1
    norms = np.einsum("ij,ij->i", a, a) * np.einsum("ij,ij->i", embedding, embedding)
    rows = [int(norms.argmax())]
    nearest = np.full(len(a), np.inf, dtype=np.float32)
    while len(rows) < n_queries:
        row = rows[-1]
        squared = norms + norms[row] - 2 * (a @ a[row]) * (embedding @ embedding[row])
        np.minimum(nearest, squared.clip(0), out=nearest)
        nearest[rows] = 0
        cumulative = np.cumsum(nearest, dtype=np.float64)
        point = rng.random_sample() * cumulative[-1]
        rows.append(int(np.searchsorted(cumulative, point, side="right")))
    return rows


def one_pass_per_row(proba, embedding, n_queries):
    for row in range(n_queries):
        embedding @ embedding[row]


def authors_kernel(path):
    """The authors' two functions, without the rest of their file."""
    from scipy import stats

    parsed = ast.parse(Path(path).read_text(encoding="utf-8"))
    wanted = {"distance", "init_centers"}
    parsed.body = [part for part in parsed.body if getattr(part, "name", "") in wanted]
    names = {"np": np, "stats": stats}
    exec(compile(parsed, path, "exec"), names)

    def run(proba, embedding, n_queries):
        a = -proba
        a[np.arange(len(a)), proba.argmax(axis=1)] += 1
        first, second = ((X, (X**2).sum(axis=1)) for X in (a, embedding))
        state = set(), [], None, None
        with contextlib.redirect_stdout(io.StringIO()):
            for _ in range(n_queries):
                state = names["init_centers"](first, second, *state)
        return state[1]

    return run


class Peer:
    """scikit-activeml in its own environment, fed the same arrays through files."""

    def __init__(self, files, args):
        self.process = subprocess.Popen(
            [args.peer, "-c", WORKER, *files, args.clock],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": str(args.threads)},
        )
        assert self.process.stdout.readline() == "ready\n"

    def __call__(self, n_queries):
        self.process.stdin.write(f"{n_queries}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def random_arrays(n_rows, n_classes, n_features=384):
    rng = np.random.default_rng(0)
    embedding = rng.standard_normal((n_rows, n_features), dtype=np.float32)
    return embedding, rng.dirichlet(np.ones(n_classes), n_rows)


def text_arrays(args, pooling, n_rows=20_000, n_labeled=200):
    """Embeddings of AG News, and what a classifier makes of them after 200 labels."""
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    from skal.text import SentenceEncoder

    frame = pd.read_parquet(Path(args.data) / "agnews" / "train.parquet")[:n_rows]
    encoder = SentenceEncoder(
        args.model, pooling=pooling, normalize=False, cache_dir=args.cache
    )
    embedding = encoder.fit().transform(frame["text"].tolist())
    labeled = np.random.RandomState(0).choice(n_rows, n_labeled, replace=False)
    classifier = LogisticRegression(max_iter=2000)
    classifier.fit(embedding[labeled], frame["label"].to_numpy()[labeled])
    return embedding, classifier.predict_proba(embedding)


def compare(name, embedding, proba, args, with_peer):
    n, clock = args.n_queries, getattr(time, args.clock)

    def timed(function, *more):
        start = clock()
        function(proba, embedding, n, *more)
        return clock() - start

    kernels = {
        "skal": lambda seed: timed(badge, seed),
        "plain": lambda seed: timed(plain, np.random.RandomState(seed)),
        "one pass per row": lambda _: timed(one_pass_per_row),
    }
    if args.authors:
        authors = authors_kernel(args.authors)
        kernels["authors"] = lambda _: timed(authors)
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / f"{part}.npy") for part in ("embedding", "proba")]
        for file, array in zip(files, (embedding, proba), strict=True):
            np.save(file, array)
        with contextlib.ExitStack() as stack:
            if args.peer and with_peer:
                peer = Peer(files, args)
                stack.callback(peer.close)
                kernels["scikit-activeml"] = lambda _: peer(n)
            report(name, kernels, args.repeats)
        if name.startswith("random 100000"):
            measure_memory(files, args.threads)


def report(name, kernels, repeats):
    print(f"\n{name}, load {os.getloadavg()[0]:.1f}", flush=True)
    badge(np.full((2000, 2), 0.5), np.ones((2000, 8)), 50)  # wake the threads
    turns = [[run(seed) for run in kernels.values()] for seed in range(repeats)]
    medians = np.median(turns, axis=0)
    for kernel, median, spread in zip(
        kernels, medians, np.transpose(turns), strict=True
    ):
        print(
            f"  {kernel:18}{median:8.3f} s ({spread.min():.3f} to {spread.max():.3f})"
            f"{median / medians[0]:8.1f} x skal",
            flush=True,
        )


def measure_memory(files, threads):
    found = subprocess.run(
        [sys.executable, "-c", MEASURE, *files],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
    )
    extra, peak = map(float, found.stdout.split())
    print(f"  memory of skal: {extra:.0f} MB beside the arrays, {peak:.0f} MB in all")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer")
    parser.add_argument("--authors")
    parser.add_argument("--data")
    parser.add_argument("--model")
    parser.add_argument("--cache")
    parser.add_argument("--n-queries", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    clocks = ["perf_counter", "process_time"]
    parser.add_argument("--clock", choices=clocks, default="perf_counter")
    args = parser.parse_args()
    with threadpool_limits(args.threads):
        for n_rows, n_classes in [(100_000, 4), (20_000, 4), (100_000, 77)]:
            arrays = random_arrays(n_rows, n_classes)
            name = f"random {n_rows} x {arrays[0].shape[1]}, {n_classes} classes"
            compare(name, *arrays, args, with_peer=n_rows == 20_000)
        for pooling in ("cls", "mean") if args.data else ():
            arrays = text_arrays(args, pooling)
            name = f"AG News 20000 x {arrays[0].shape[1]} ({pooling}), 4 classes"
            compare(name, *arrays, args, with_peer=True)


if __name__ == "__main__":
    main()
