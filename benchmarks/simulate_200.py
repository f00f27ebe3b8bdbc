# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""200 runs of simulate on cached embeddings: how long, and how much of it is overhead?

10 learners x 5 data sets x 4 seeds, 20 rounds of 50 labels each, an MLP on vectors that
a frozen encoder computed once. Wanted: less than 30 minutes on 2 cores, of which less
than 10 % are neither training nor scoring. Run it as

    python benchmarks/simulate_200.py --data DIR --model CHECKPOINT --work FOLDER

where DIR holds folders for `skal.datasets.load_parquet_folder` and FOLDER keeps vectors
and results; a second call goes on where the first one was stopped. Remove
FOLDER/results before timing again.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from skal import ActiveLearner, simulate
from skal.datasets import load_parquet_folder
from skal.filters import AnchorAL, RandSub
from skal.strategies import Entropy, RandomSampling
from skal.text import DenseClassifier, SentenceEncoder

DATA = ["trec", "sms_spam", "snips", "pubmed_subset", "agnews"]
STRATEGIES = {
    "random": RandomSampling(),
    "entropy": Entropy(),
    "randsub": RandSub(Entropy(), max_subpool=1000),
    "anchoral": AnchorAL(Entropy()),
    "anchors": AnchorAL(RandomSampling()),
}
LAYERS = {"deep": (300, 300, 300), "flat": (300,)}


def make_learners(number):
    learners = {
        f"{strategy} {layers}": ActiveLearner(
            DenseClassifier(LAYERS[layers], lr=1e-3, max_epochs=15, device="cpu"),
            STRATEGIES[strategy],
        )
        for layers in LAYERS
        for strategy in STRATEGIES
    }
    return dict(list(learners.items())[:number])


def embed(folder, model, cache):
    """The data set with standardised vectors in place of its texts."""
    bunch = load_parquet_folder(folder)
    encoder = SentenceEncoder(model, cache_dir=cache).fit()
    X, X_test = encoder.transform(bunch.data), encoder.transform(bunch.data_test)
    scaler = StandardScaler().fit(X)
    X, X_test = (scaler.transform(part).astype(np.float32) for part in (X, X_test))
    return X, bunch.target, X_test, bunch.target_test


def report(table, wall, n_jobs):
    frame = pd.DataFrame(table)
    seconds = frame.filter(like="_time").sum()
    training = seconds["fit_time"] + seconds["score_time"]
    looking = seconds["look_time"]
    other = seconds.sum() - training - looking
    whole = wall * n_jobs
    print(
        f"\nwall {wall:.0f} s for {len(frame)} rounds on {n_jobs} processes; of their"
    )
    print(f"time, {whole:.0f} s, the shares are:")
    for name, value in {
        "training and scoring": training,
        "looking at the pool with the classifier": looking,
        "the rest of the queries: filter, select": other,
        "all else: start, load, check, write, wait": whole - seconds.sum(),
    }.items():
        print(f"  {name:42} {value:8.1f} s {value / whole:7.2%}")
    overhead = 1 - (training + looking) / whole
    print(f"overhead outside training and scoring, rows of the pool: {overhead:.2%}")
    print(f"the same if looking at the pool counts: {1 - training / whole:.2%}\n")
    last = frame[frame["round"] == frame["round"].max()]
    print(last.groupby(["dataset", "learner"])["test_f1_macro"].mean().unstack(0))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--learners", type=int, default=10)
    parser.add_argument("--datasets", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--n-jobs", type=int, default=2)
    args = parser.parse_args()
    work = Path(args.work)
    datasets = {
        name: embed(Path(args.data) / name, args.model, work / "vectors")
        for name in DATA[: args.datasets]
    }
    start = time.perf_counter()
    table = simulate(
        make_learners(args.learners),
        datasets,
        n_rounds=args.rounds,
        n_queries=50,
        seeds=args.seeds,
        scoring=["accuracy", "f1_macro"],
        folder=work / "results",
        n_jobs=args.n_jobs,
        verbose=1,
    )
    report(table, time.perf_counter() - start, args.n_jobs)


if __name__ == "__main__":
    main()
