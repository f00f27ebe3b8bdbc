# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The memory that a batch of each strategy takes beside what the strategy reads.

    python benchmarks/memory.py [--strategies NAME ...] [--out FOLDER]

A pool of 100,000 texts, 77 classes, embeddings of 384 dimensions, 10 samples, 200
labelled rows, a batch of 100 (BatchBALD: of 4). All that a strategy reads, class
probabilities and samples in double precision, vectors in single, lies in memory before,
in a classifier that hands it out without a copy. So what is measured is the strategy's
own: the peak of the process while the batch is picked, less what it held before. Every
strategy has a process of its own, which picked a batch of a small pool first (libraries
are loaded, threads have their buffers). The input of a strategy that reads nothing is
the texts.

The extra memory is to be at most twice the inputs; the exit code is 1 where it is more.
FOLDER (benchmarks/results) gets ``memory.csv`` and ``memory.json``, settings and
versions. Linux only. All 10 samples take 2 GB in all; ``--samples 5`` takes half.
"""

import argparse
import json
import os
import subprocess
import sys

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Bunch
from turns import Report

from skal.base import PoolView
from skal.filters import SEALS, AnchorAL, RandSub
from skal.strategies import (
    ALPS,
    REAL,
    AcTune,
    ClassBalanced,
    Combine,
    CoreSet,
    Entropy,
    KLDivergence,
    LeastConfidence,
    Margin,
    PowerSampling,
    SuggestiveAnnotation,
    VariationRatio,
    list_strategies,
)

LIMIT = 2.0
N_LABELED, N_TOKENS, N_EPOCHS, N_SMALL = 200, 128, 10, 2000
# What a strategy cannot be made without; less training, which no memory depends on.
GIVEN = {
    "Combine": {"strategies": [Entropy(), Margin()]},
    "DiscriminativeAL": {"n_sub_batches": 2, "max_epochs": 2, "device": "cpu"},
    "CartographyAL": {"device": "cpu"},
    "ViaProxy": {"strategy": Entropy(), "proxy": None},
}
# With the information of 10 samples used up, all rows are looked at for each pick more:
# a matter of time, not of memory, which is largest from the fourth pick on.
FEWER_PICKS = {"BatchBALD": 4}
# Freed memory goes back at once: what the C library keeps would count as held before.
AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


def strategies(n_samples):
    """{name: strategy}: all there are, with their defaults, and some other settings."""
    classes = {card["name"]: card["class"] for card in list_strategies()}
    made = {name: cls(**GIVEN.get(name, {})) for name, cls in classes.items()}
    made |= {
        "Entropy of samples": Entropy(n_samples=1),
        "LeastConfidence of samples": LeastConfidence(n_samples=1),
        "Margin of samples": Margin(n_samples=1),
        "KLDivergence, max": KLDivergence(kind="max"),
        "VariationRatio, mean": VariationRatio(kind="mean"),
        "REAL, entropy": REAL(variant="entropy"),
        "REAL, reference": REAL(compat="reference"),
        "AcTune, contrastive": AcTune(uncertainty="contrastive"),
        "AcTune, reference": AcTune(uncertainty="contrastive", compat="reference"),
        "ALPS, k-means++": ALPS(clustering="k-means++"),
        "SuggestiveAnnotation, wide": SuggestiveAnnotation(prefilter_factor=10),
        "Combine with CoreSet": Combine([Entropy(), CoreSet()]),
        "ClassBalanced(Margin)": ClassBalanced(Margin()),
        "PowerSampling(Margin)": PowerSampling(Margin()),
        "RandSub(Entropy)": RandSub(Entropy()),
        "SEALS(Entropy)": SEALS(Entropy()),
        "AnchorAL(Entropy)": AnchorAL(Entropy()),
    }
    for strategy in made.values():
        if "samples" in strategy.reads.pool:
            strategy.set_params(n_samples=n_samples)
    return made


class Says(BaseEstimator):
    """A classifier, an encoder and a language model in one, which holds its answers.

    A text is the number of its row. Rows one after the other get a slice, not a copy.
    """

    def fit(self, answers, n_classes):
        """Hold these answers, arrays by name."""
        self.answers_, self.classes_ = answers, np.arange(n_classes)
        learned = np.arange(N_EPOCHS)[:, None] > np.arange(N_LABELED) % N_EPOCHS
        self.training_dynamics_ = Bunch(gold_proba=learned * 0.5, correct=learned)
        return self

    def predict_outputs(self, X, outputs, n_samples=0):
        """What a classifier says, in one pass."""
        rows = rows_of(X)
        found = {name: self.answers_[name] for name in outputs}
        return {
            name: held[:n_samples, rows] if name == "samples" else held[rows]
            for name, held in found.items()
        }

    def epoch_predictions(self, X):
        """What a recorder says."""
        return self.answers_["epoch_predictions"][:, rows_of(X)]

    def transform(self, X):
        """What an encoder says."""
        return self.answers_["encoding"][rows_of(X)]

    def token_surprisal(self, X, **settings):
        """What a language model says."""
        return self.answers_["surprisal"][rows_of(X)]


def rows_of(X):
    first, last = int(X[0]), int(X[-1])
    if last - first + 1 == len(X):
        return slice(first, last + 1)
    return np.fromiter(map(int, X), np.int64, len(X))


def read_by(strategy):
    """The names of what it and the strategies inside it read."""
    reads = strategy.reads.pool | strategy.reads.labeled
    return reads.union(*map(read_by, strategy._inside()))


def answers(names, args):
    """Arrays by name; the labelled rows follow those of the pool."""
    rng = np.random.default_rng(0)
    n = args.rows + N_LABELED

    def vectors():
        return rng.standard_normal((n, args.dimensions), dtype=np.float32)

    def proba(shared):
        return softmax(shared + rng.standard_normal((n, args.classes)), axis=1)

    def samples():
        drawn = np.empty((args.samples, n, args.classes))
        shared = 2 * rng.standard_normal((n, args.classes))
        for sample in drawn:
            sample[:] = proba(shared)
        return drawn

    def surprisal():
        drawn = rng.random((n, N_TOKENS), dtype=np.float32) < 0.15
        return drawn * rng.standard_exponential((n, N_TOKENS), dtype=np.float32)

    make = {
        "proba": lambda: proba(2 * rng.standard_normal((n, args.classes))),
        "samples": samples,
        "embedding": vectors,
        "encoding": vectors,
        "surprisal": surprisal,
        "predicted_loss": lambda: rng.standard_normal(n),
        "epoch_predictions": lambda: rng.integers(
            0, args.classes, (N_EPOCHS, n), dtype=np.int16
        ),
    }
    return {name: make[name]() for name in sorted(names - {"training_dynamics"})}


def in_memory(what):
    """MB of this process: "VmRSS" now, "VmHWM" at most."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if what in line) / 1e3


def measure(name, args):
    """MB of what the strategy reads, and MB that a batch takes beside it."""
    strategy = strategies(args.samples)[name]
    read = answers(read_by(strategy), args)
    says = Says().fit(read, args.classes)
    if "proxy" in strategy.get_params(deep=False):
        strategy.set_params(proxy=FrozenEstimator(says))
    texts = [str(row) for row in range(args.rows + N_LABELED)]
    pool, labeled = texts[: args.rows], texts[args.rows :]
    y = np.arange(N_LABELED) % args.classes

    def query(pool, n_queries):
        view = PoolView(
            pool,
            estimator=says,
            classes=says.classes_,
            labeled=(labeled, y, np.zeros(N_LABELED, dtype=np.int64)),
            encoder=FrozenEstimator(says),
            language_model=says,
            reads=strategy.reads,
        )
        assert len(set(strategy._query(view, n_queries).tolist())) == n_queries

    query(pool[:N_SMALL], 10)
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    before = in_memory("VmRSS")
    query(pool, FEWER_PICKS.get(name, args.n_queries))
    inputs = sum(array.nbytes for array in read.values())
    inputs = inputs or sum(map(sys.getsizeof, pool)) + sys.getsizeof(pool)
    return {"inputs": inputs / 1e6, "extra": in_memory("VmHWM") - before}


def measured_apart(name, args):
    """What `measure` finds in a process of its own."""
    sizes = ["rows", "classes", "dimensions", "samples", "n_queries"]
    options = [f"--{s.replace('_', '-')}={getattr(args, s)}" for s in sizes]
    found = subprocess.run(
        [sys.executable, __file__, "--measure", name, *options],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=os.environ | AT_ONCE | {"OMP_NUM_THREADS": str(args.threads)},
    )
    return json.loads(found.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strategies", nargs="+")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=77)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--n-queries", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure, args)))
        return
    packages = ["numpy", "scipy", "scikit-learn", "faiss-cpu", "torch"]
    report = Report(packages, **vars(args))
    print(f"\n{'strategy':28}{'inputs, MB':>12}{'extra, MB':>12}{'ratio':>8}")
    for name in args.strategies or strategies(args.samples):
        found = measured_apart(name, args)
        row = {"strategy": name} | {f"{k}_mb": round(v, 1) for k, v in found.items()}
        row["ratio"] = round(found["extra"] / found["inputs"], 2)
        report.rows.append(row)
        over = f"  more than {LIMIT:g}" if row["ratio"] > LIMIT else ""
        print("{:28}{:12.1f}{:12.1f}{:8.2f}".format(*row.values()) + over, flush=True)
    if args.out:
        report.save(args.out, "memory")
    if any(row["ratio"] > LIMIT for row in report.rows):
        raise SystemExit(f"A strategy takes more than {LIMIT:g} times its inputs.")


if __name__ == "__main__":
    main()
