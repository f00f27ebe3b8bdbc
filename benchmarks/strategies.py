# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Every strategy on real data, by the area under its learning curve.

Two parts. "dense": all strategies that vectors allow on TREC, SNIPS and AG News, 3
seeds, 10 rounds of 50 labels, an MLP on the vectors of all-MiniLM-L6-v2, computed once.
"text": the methods of REAL's Table 2 with a fine-tuned BERT on two of its data sets,
SNIPS and PubMed (a part), 2 seeds, 5 rounds. Nothing is tuned for any. Run it as

    python benchmarks/strategies.py --part dense --data DIR --work FOLDER --out OUT
    python benchmarks/strategies.py --part text --data DIR --model CHECKPOINT \
        --work FOLDER --out OUT

where DIR holds folders for `skal.datasets.load_parquet_folder`, CHECKPOINT is a BERT
and FOLDER keeps vectors and finished runs: a second call goes on where the first one
was stopped. OUT (benchmarks/results/strategies) gets ``<part>.csv``, a row per run and
round, ``<part>.json``, settings and versions, and what follows from these two, the
tables ``<part>_areas.csv`` and ``<part>_ranks.csv``; ``--out`` alone makes them again.
"""

import argparse
import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from agnews_bus import PACKAGES, find_encoder
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import skal.strategies
from skal import (
    CEAL,
    ActiveLearner,
    Committee,
    PseudoLabelClassifier,
    TransformerClassifier,
    simulate,
)
from skal.datasets import load_parquet_folder
from skal.metrics import learning_curve_auc
from skal.strategies import (
    ALPS,
    BADGE,
    BALD,
    PLMKM,
    REAL,
    AcTune,
    CartographyAL,
    ClassBalanced,
    Combine,
    ContrastiveAL,
    Entropy,
    PowerSampling,
    RandomSampling,
    ViaProxy,
)
from skal.text import (
    BayesByBackpropClassifier,
    DenseClassifier,
    DiverseEnsemble,
    LossPredictingClassifier,
    PoolRecorder,
    SentenceEncoder,
    SnapshotEnsemble,
    SplitHeadClassifier,
)

PROTOCOL = {
    "dense": {"n_rounds": 10, "n_queries": 50, "initial": 50, "seeds": 3},
    "text": {"n_rounds": 5, "n_queries": 50, "initial": 50, "seeds": 2},
}
DATA = {"dense": ["trec", "snips", "agnews"], "text": ["snips", "pubmed_subset"]}
# Strategies made of strategies: one of each as an example.
COMPOSED = {
    "Combine(Entropy, Cartography)": Combine([Entropy(), CartographyAL()]),
    "ViaProxy(Entropy)": ViaProxy(Entropy(), LogisticRegression(max_iter=1000)),
    "PowerSampling(Entropy)": PowerSampling(Entropy()),
    "ClassBalanced(Entropy)": ClassBalanced(Entropy()),
}
# What reads tokens has nothing to read in vectors.
OF_TEXT = {"ALPS"}
# What classifier a strategy needs that reads what a plain one does not give.
PROVIDERS = {
    "epoch_predictions": PoolRecorder,
    "predicted_loss": LossPredictingClassifier,
}
# Whose samples BALD reads, beside those of the classifier's own dropout.
SAMPLERS = [
    Committee,
    SnapshotEnsemble,
    DiverseEnsemble,
    SplitHeadClassifier,
    BayesByBackpropClassifier,
]
# With its defaults it would take longer than all other strategies together.
CHEAPER = {"DiscriminativeAL": {"n_sub_batches": 3, "max_epochs": 20}}
# The methods of REAL's Table 2.
OF_REAL = [
    Entropy(),
    PLMKM(),
    BALD(),
    BADGE(),
    ALPS(),
    ContrastiveAL(),
    AcTune(),
    RandomSampling(),
    REAL(),
]


def of_vectors():
    """{name: strategy} of all that vectors allow, with their defaults."""
    made = set(COMPOSED.values())
    names = set(skal.strategies.__all__) - {type(s).__name__ for s in made} - OF_TEXT
    classes = (getattr(skal.strategies, name) for name in sorted(names))
    classes = [c for c in classes if hasattr(c, "query")]
    made = {c.__name__: c(**CHEAPER.get(c.__name__, {})) for c in classes}
    return made | COMPOSED


def dense_learners(_):
    classifier = DenseClassifier(lr=1e-3, max_epochs=30, device="cpu")
    learners = {
        name: ActiveLearner(providing(classifier, s), s)
        for name, s in of_vectors().items()
    }
    sampled = {
        f"BALD of {sampler.__name__}": ActiveLearner(sampler(classifier), BALD())
        for sampler in SAMPLERS
    }
    trained_further = {
        "CEAL, 500 pseudo-labels": CEAL(classifier, max_pseudo_labels=500),
        "AcTune, 500 pseudo-labels": ActiveLearner(
            PseudoLabelClassifier(classifier, rule="regions", max_pseudo_labels=500),
            AcTune(),
        ),
    }
    return learners | sampled | trained_further


def providing(classifier, strategy):
    """The classifier, in a wrapper for a strategy that reads what only that gives."""
    for output, wrapper in PROVIDERS.items():
        if output in strategy.reads.pool:
            return wrapper(classifier)
    return classifier


def text_learners(args):
    classifier = TransformerClassifier(
        args.model,
        lr=5e-4,
        max_epochs=10,
        min_steps=150,
        max_length=64,
        device="cpu",
    )
    return {type(s).__name__: ActiveLearner(classifier, s) for s in OF_REAL}


def vectors(folder, encoder):
    """A data set with standardised vectors in place of its texts."""
    bunch = load_parquet_folder(folder)
    X, X_test = encoder.transform(bunch.data), encoder.transform(bunch.data_test)
    scaler = StandardScaler().fit(X)
    X, X_test = (scaler.transform(part).astype(np.float32) for part in (X, X_test))
    return X, bunch.target, X_test, bunch.target_test


def load(args):
    names = args.datasets or DATA[args.part]
    folders = {name: Path(args.data) / name for name in names}
    if args.part == "text":
        return folders, Path(args.model).name
    path, name = find_encoder(args.encoder)
    encoder = SentenceEncoder(path, cache_dir=Path(args.work) / "vectors").fit()
    return {key: vectors(folder, encoder) for key, folder in folders.items()}, name


def run(args):
    """The rounds of all runs as a data frame, and what to note beside them."""
    data, model = load(args)
    learners = {"dense": dense_learners, "text": text_learners}[args.part](args)
    if args.strategies:
        learners = {name: learners[name] for name in args.strategies}
    table = simulate(
        learners,
        data,
        **PROTOCOL[args.part],
        scoring=["accuracy", "f1_macro"],
        folder=Path(args.work) / args.part,
        n_jobs=args.n_jobs,
        verbose=1,
    )
    about = {
        "finished": time.strftime("%Y-%m-%d %H:%M"),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "processes": args.n_jobs,
        "model": model,
        "classifier": repr_of(next(iter(learners.values())).estimator, args.model),
        "protocol": PROTOCOL[args.part],
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in PACKAGES},
    }
    frame = pd.DataFrame(table)
    frame["rows"] = frame["rows"].map(lambda rows: " ".join(map(str, rows)))
    seconds = [name for name in frame if name.endswith("_time")]
    frame[seconds] = frame[seconds].round(5)
    kept = ["dataset", "learner", "seed", "round", "n_labeled", "n_subpool"]
    scores = [name for name in frame if name.startswith("test_")]
    return frame[[*kept, *scores, *seconds, "rows"]], about


def repr_of(classifier, model):
    """A classifier in one line, its checkpoint without the folder it lies in."""
    line = " ".join(repr(classifier).split())
    return line.replace(str(model), Path(model).name) if model else line


def by_run(frame, score):
    """The mean height of each learning curve: data sets and seeds by strategies."""
    runs = frame.sort_values("round").groupby(["dataset", "seed", "learner"])[score]
    return runs.agg(lambda v: learning_curve_auc(v) / (len(v) - 1)).unstack("learner")


def areas(heights):
    """Mean height and its spread over the seeds, a column per data set."""
    by_data = heights.groupby(level="dataset")
    mean, spread = by_data.mean().T * 100, by_data.std().T * 100
    table = mean.map("{:.1f}".format) + " ± " + spread.map("{:.1f}".format)
    return table.assign(mean=mean.mean(axis=1).map("{:.2f}".format)).loc[
        mean.mean(axis=1).sort_values(ascending=False).index
    ]


def ranks(heights, frame):
    """Mean rank over data sets and seeds, how often better than random, seconds."""
    rank = heights.rank(axis=1, ascending=False)
    better = heights.gt(heights["RandomSampling"], axis=0).sum()
    parts = ["encode_time", "look_time", "filter_time", "select_time"]
    waits = frame[frame["round"] > 0].set_index("learner")[parts].sum(axis=1)
    table = pd.DataFrame(
        {
            "mean rank": rank.mean().round(1),
            "best and worst rank": rank.min().map("{:.0f}".format)
            + " to "
            + rank.max().map("{:.0f}".format),
            "better than random": better.map(f"{{}} of {len(heights)}".format),
            "seconds of a query": waits.groupby(level=0).median().round(3),
        }
    )
    return table.sort_values("mean rank")


def report(folder):
    """Make the tables from the rounds of each part, and print them."""
    for part in PROTOCOL:
        path = Path(folder) / f"{part}.csv"
        if not path.is_file():
            continue
        frame = pd.read_csv(path)
        heights = by_run(frame, "test_accuracy")
        for name, table in {
            "areas": areas(heights),
            "ranks": ranks(heights, frame),
        }.items():
            table.to_csv(Path(folder) / f"{part}_{name}.csv")
            print(f"\n{part}, {name}\n{table.to_string()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=list(PROTOCOL))
    parser.add_argument("--data")
    parser.add_argument("--model")
    parser.add_argument("--encoder")
    parser.add_argument("--work")
    parser.add_argument("--out", required=True)
    parser.add_argument("--strategies", nargs="+")
    parser.add_argument("--datasets", nargs="+")
    parser.add_argument("--n-jobs", type=int, default=2)
    args = parser.parse_args()
    out = Path(args.out)
    if args.part:
        needed = ["data", "work"] + ["model"] * (args.part == "text")
        if not all(getattr(args, name) for name in needed):
            parser.error(f"--part {args.part} takes " + ", ".join(needed))
        frame, about = run(args)
        out.mkdir(parents=True, exist_ok=True)
        frame.to_csv(out / f"{args.part}.csv", index=False)
        (out / f"{args.part}.json").write_text(json.dumps(about, indent=1) + "\n")
    report(out)


if __name__ == "__main__":
    main()
