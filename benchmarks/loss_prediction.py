# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What predicting its loss costs a classifier in training, and what it is worth.

A transformer is fine-tuned on 500 questions of TREC, alone and with a loss module, and
predicts the test questions. Of the seconds of training the medians over the seeds are
given, in turns in an order drawn anew for each seed; of the predictions, means and
extremes over the seeds of Spearman's rank correlation with the true losses ("rho"),
beside that of the entropy of the classifier's own probabilities, and the accuracy.
Nothing is tuned. Run it as

    OMP_NUM_THREADS=1 python benchmarks/loss_prediction.py --data DIR \
        --model CHECKPOINT [--clock cpu] [--out FOLDER]

where DIR is a folder for `skal.datasets.load_parquet_folder`. The module that only
looks on ("detach_after=0") must leave the classifier's probabilities to the bit.
"""

import argparse

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from turns import CLOCKS, Report, stopwatch

from skal import TransformerClassifier
from skal.datasets import load_parquet_folder
from skal.functional import entropy
from skal.text import LossPredictingClassifier

N_LABELED = 500
PLAIN, DEFAULT, LOOKS_ON = "alone", "loss module", "detach_after=0"
SETTINGS = {
    DEFAULT: {},
    LOOKS_ON: {"detach_after": 0},
    "loss_weight=0.1": {"loss_weight": 0.1},
}
LIMIT = 1.3  # times the seconds of the classifier alone


def contenders(args, classes, seed):
    classifier = TransformerClassifier(
        args.model,
        lr=args.lr,
        max_epochs=args.epochs,
        min_steps=0,
        max_length=64,
        classes=classes,
        device="cpu",
        random_state=seed,
    )
    wrapped = {
        name: LossPredictingClassifier(classifier, **params)
        for name, params in SETTINGS.items()
    }
    return {PLAIN: classifier, **wrapped}


def figures(clf, proba, X, y):
    """How well losses of held-out rows are ranked, and how often the class is right."""
    codes = np.searchsorted(clf.classes_, y)
    losses = -np.log(proba[np.arange(len(y)), codes])
    found = {"accuracy": np.mean(proba.argmax(axis=1) == codes)}
    found["rho of the entropy"] = spearmanr(entropy(proba), losses)[0]
    if hasattr(clf, "predict_loss"):
        found["rho"] = spearmanr(clf.predict_loss(X), losses)[0]
    return found


def run(args, report):
    """Seconds by contender, and the figures of each fit in a data frame."""
    bunch = load_parquet_folder(args.data)
    X, y = np.array(bunch.data, dtype=object), np.asarray(bunch.target)
    seconds, rows = {}, []
    for seed in range(args.seeds):
        rng = np.random.default_rng(seed)
        picked = rng.choice(len(X), N_LABELED, replace=False)
        models, proba = contenders(args, np.unique(y), seed), {}
        for name in rng.permutation(list(models)).tolist():
            taken, clf = stopwatch(args.clock, models[name].fit, X[picked], y[picked])
            proba[name] = clf.predict_proba(bunch.data_test)
            held_out = proba[name], bunch.data_test, bunch.target_test
            rows.append({"contender": name, "seed": seed, **figures(clf, *held_out)})
            seconds.setdefault(name, []).append(taken)
        difference = np.abs(proba[PLAIN] - proba[LOOKS_ON]).max()
        report.check(f"probabilities, seed {seed}", difference, 0)
    return {name: seconds[name] for name in models}, pd.DataFrame(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--out")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall")
    args = parser.parse_args()
    report = Report(["torch", "transformers", "scipy"], **vars(args))
    seconds, frame = run(args, report)
    report.add(
        "training",
        f"{N_LABELED} texts, {args.epochs} epochs",
        seconds,
        against=DEFAULT,
        targets={PLAIN: 1 / LIMIT},
    )
    table = frame.drop(columns="seed").groupby("contender", sort=False)
    table = table.agg(["mean", "min", "max"]).round(3)
    print(f"\n{table.to_string()}")
    if args.out:
        report.about["figures"] = frame.to_dict("records")
        report.save(args.out, "loss_prediction")


if __name__ == "__main__":
    main()
