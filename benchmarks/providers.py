# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What the classifiers that give strategies more to read cost beside the plain one.

Each contender is fitted on the same labelled texts, in turns whose order is drawn anew
for each repeat; a ratio is its median seconds divided by those of the classifier alone.
Run it as

    python benchmarks/providers.py --data DIR --model CHECKPOINT --out FOLDER

where DIR holds the folder `trec` for `skal.datasets.load_parquet_folder`. On a machine
that does other work too take `--clock cpu --threads 1`: seconds of one core.

What is added to `CONTENDERS` is measured as well: a function of the classifier and the
data that returns an estimator and what its `fit` takes beside the labelled rows.
"""

import argparse
import contextlib
import os
from unittest import mock

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils import Bunch
from turns import CLOCKS, Report, in_turns, stopwatch

from skal import TransformerClassifier
from skal.datasets import load_parquet_folder
from skal.neural import _net
from skal.strategies import Entropy, LabelDispersion
from skal.text import (
    BayesByBackpropClassifier,
    DiverseEnsemble,
    PoolRecorder,
    SnapshotEnsemble,
    SplitHeadClassifier,
)

PACKAGES = ["numpy", "scikit-learn", "skorch", "torch", "transformers"]
# What the classifier alone notes of its training may take 3 % of it.
UNRECORDED = 0.97

CONTENDERS = {
    "alone": lambda clf, data: (clf, {}),
    "recorder, no rows": lambda clf, data: (PoolRecorder(clf), {}),
    "recorder, labelled rows": lambda clf, data: (
        PoolRecorder(clf),
        {"X_unlabeled": data.X},
    ),
    "recorder, pool": lambda clf, data: (
        PoolRecorder(clf),
        {"X_unlabeled": data.pool},
    ),
    "recorder, pool, every=5": lambda clf, data: (
        PoolRecorder(clf, every=5),
        {"X_unlabeled": data.pool},
    ),
    "snapshots": lambda clf, data: (SnapshotEnsemble(clf, random_state=0), {}),
    "diverse": lambda clf, data: (DiverseEnsemble(clf, random_state=0), {}),
    "heads": lambda clf, data: (SplitHeadClassifier(clf, random_state=0), {}),
    "variational": lambda clf, data: (
        BayesByBackpropClassifier(clf, random_state=0),
        {},
    ),
}
# Contenders whose training is that of the classifier alone, to the bit.
UNCHANGED = [name for name in CONTENDERS if name.startswith("recorder")]


class Nothing(_net.TrainingDynamics):
    """Training dynamics of which nothing is noted."""

    def record(self, rows, logits, codes):
        """Leave out what a batch would take."""


def fit(make, classifier, data, clock, without_dynamics=False):
    """(seconds, fitted estimator) of one contender."""
    estimator, offered = make(clone(classifier), data)
    swap = contextlib.nullcontext()
    if without_dynamics:
        swap = mock.patch.object(_net, "TrainingDynamics", Nothing)
    with swap:
        return stopwatch(clock, lambda: estimator.fit(data.X, data.y, **offered))


def compare_fits(report, classifier, data, args):
    """Every contender's fit beside that of the classifier alone."""
    makers = {name: CONTENDERS[name] for name in args.contenders}
    contenders = {
        name: lambda make=make: fit(make, classifier, data, args.clock)
        for name, make in makers.items()
    }
    contenders["alone, no dynamics"] = lambda: fit(
        CONTENDERS["alone"], classifier, data, args.clock, without_dynamics=True
    )
    contenders["alone"]()  # loads the checkpoint and wakes the threads
    seconds, fitted = in_turns(contenders, args.repeats)
    case = f"{len(data.X)} texts, {args.epochs} epochs, a pool of {len(data.pool)}"
    targets = {"alone, no dynamics": UNRECORDED}
    report.add("fit", case, seconds, against="alone", targets=targets)
    expected = fitted["alone"].predict_proba(data.pool)
    for name in UNCHANGED:
        if name in fitted:
            apart = np.abs(fitted[name].predict_proba(data.pool) - expected).max()
            report.check(f"probabilities of 'alone' and {name!r}", apart, 0)
    return seconds, fitted


def per_row_and_epoch(report, seconds, fitted, data, args):
    """What a row of the pool takes after each epoch, beside one prediction of it."""
    classifier = fitted["alone"]
    looks = {"predict": lambda: stopwatch(args.clock, classifier.predict, data.pool)}
    taken = np.median(in_turns(looks, args.repeats)[0]["predict"]) / len(data.pool)
    print(f"\none prediction of a row: {1e6 * taken:.1f} µs")
    report.about["microseconds"] = {"predict": 1e6 * taken}
    for name, estimator in fitted.items():
        if not getattr(estimator, "recorded_epochs_", np.empty(0)).size:
            continue
        rows = data.X if "labelled" in name else data.pool
        n_looks = len(rows) * len(estimator.recorded_epochs_)
        extra = np.median(np.array(seconds[name]) - np.array(seconds["alone"]))
        report.about["microseconds"][name] = 1e6 * extra / n_looks
        print(f"{name}: {1e6 * extra / n_looks:.1f} µs a row and recorded epoch")


def compare_queries(report, fitted, data, args):
    """A query by label dispersion beside one by entropy."""
    recorder = fitted["recorder, pool"]
    contenders = {}
    for strategy in (Entropy(), LabelDispersion()):
        strategy.fit(data.X, data.y, estimator=recorder)
        contenders[type(strategy).__name__] = lambda strategy=strategy: stopwatch(
            args.clock, strategy.query, data.pool, 10
        )
    seconds, _ = in_turns(contenders, args.repeats)
    case = f"10 of {len(data.pool)} texts"
    report.add("query", case, seconds, against="Entropy", targets={})


def read(args):
    bunch = load_parquet_folder(os.path.join(args.data, "trec"))
    texts, y, n = list(bunch.data), np.asarray(bunch.target), args.labelled
    return Bunch(X=texts[:n], y=y[:n], pool=texts[n : n + args.pool])


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--out")
    parser.add_argument(
        "--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS)
    )
    parser.add_argument("--labelled", type=int, default=500)
    parser.add_argument("--pool", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    args = parser.parse_args()
    args.contenders = list(dict.fromkeys(["alone", *args.contenders]))
    return args


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    data = read(args)
    classifier = TransformerClassifier(
        args.model,
        lr=5e-4,
        max_epochs=args.epochs,
        min_steps=0,
        max_length=64,
        device="cpu",
        random_state=0,
    )
    names = "contenders labelled pool epochs repeats threads clock".split()
    settings = {name: vars(args)[name] for name in names}
    report = Report(PACKAGES, model=os.path.basename(args.model), **settings)
    seconds, fitted = compare_fits(report, classifier, data, args)
    per_row_and_epoch(report, seconds, fitted, data, args)
    if "recorder, pool" in fitted:
        compare_queries(report, fitted, data, args)
    if args.out:
        report.save(args.out, "providers")


if __name__ == "__main__":
    main()
