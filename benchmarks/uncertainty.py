# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Scores of one distribution, and of several, beside the barest numpy for them.

Every contender gets the same arrays in the same run and takes its turn in an order
drawn anew for each repeat; given are the medians of the seconds. Run it as

    python benchmarks/uncertainty.py [--clock cpu --threads 1] [--out FOLDER]

The bare lines check nothing, and the one for the entropy gives NaN for a probability
of 0. "query" is the whole of `Entropy().query` on a classifier that says what it was
told: what the view, the score and the ranking cost together.
"""

import argparse

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from threadpoolctl import threadpool_limits
from turns import CLOCKS, Report, in_turns, stopwatch

from skal.functional import bald, entropy, least_confidence, margin, top_rows
from skal.strategies import Entropy

N_QUERIES = 100


class Says(ClassifierMixin, BaseEstimator):
    """A classifier that was told its probabilities."""

    def __init__(self, proba):
        self.proba, self.classes_ = proba, np.arange(proba.shape[1])

    def predict_proba(self, X):
        return self.proba


def bare_entropy(proba):
    return -(proba * np.log(proba)).sum(axis=1)


def bare_margin(proba):
    second, first = np.sort(proba, axis=1)[:, -2:].T
    return second - first


def bare_bald(samples):
    mean = samples.mean(axis=0)
    expected = -(samples * np.log(samples)).sum(axis=2).mean(axis=0)
    return bare_entropy(mean) - expected


def query(proba):
    X = np.arange(len(proba), dtype=np.float64)[:, None]
    strategy = Entropy().fit(X[:2], [0, 1], Says(proba))
    return lambda _: strategy.query(X, N_QUERIES)


def cases(n_rows, n_classes, n_samples=10):
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.ones(n_classes), n_rows)
    samples = rng.dirichlet(np.ones(n_classes), (n_samples, n_rows))
    return [
        ("entropy", proba, entropy, bare_entropy),
        ("least confidence", proba, least_confidence, lambda p: 1 - p.max(axis=1)),
        ("margin", proba, margin, bare_margin),
        ("bald", samples, bald, bare_bald),
        (
            "query",
            proba,
            query(proba),
            lambda p: top_rows(bare_entropy(p), N_QUERIES),
        ),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall")
    args = parser.parse_args()
    report = Report(["numpy", "scipy"], **vars(args))
    with threadpool_limits(args.threads):
        for n_classes in (4, 77):
            for name, array, ours, bare in cases(100_000, n_classes):
                seconds, results = in_turns(
                    {
                        "skal": lambda f=ours, X=array: stopwatch(args.clock, f, X),
                        "bare": lambda f=bare, X=array: stopwatch(args.clock, f, X),
                    },
                    args.repeats,
                )
                difference = np.abs(results["skal"] - results["bare"]).max()
                case = f"{name}, 100000 x {n_classes}"
                report.check(case, difference, 1e-9)
                report.add(
                    "uncertainty",
                    case,
                    seconds,
                    against="skal",
                    targets={"bare": 1 / 3},
                )
    if args.out:
        report.save(args.out, "uncertainty")


if __name__ == "__main__":
    main()
