# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The quick-start loop on real data: what share of the batches is the rare class?

AnchorAL + entropy beside random picking and entropy on the whole pool, from the same
seed rows (the papers' protocol: 5 of the rare class, the rest at random), with the
same classifier and seeds. Run it as

    python benchmarks/quick_start.py --data DIR --model CHECKPOINT

where DIR holds trec/ and agnews/, each with train.parquet and test.parquet (columns
text and label), and CHECKPOINT is a BERT.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

from skal import ActiveLearner, TransformerClassifier
from skal.datasets import make_imbalanced
from skal.filters import AnchorAL
from skal.metrics import learning_curve_auc
from skal.strategies import Entropy, RandomSampling

STRATEGIES = {
    "AnchorAL + entropy": AnchorAL(Entropy()),
    "entropy": Entropy(),
    "random": RandomSampling(),
}


def load(folder, name):
    """Texts and labels of a task, and the code of its rare class."""
    parts = []
    source = "agnews" if name == "agnews-bus" else name
    for split in ("train", "test"):
        frame = pd.read_parquet(Path(folder) / source / f"{split}.parquet")
        parts.append((frame["text"].tolist(), frame["label"].to_numpy()))
    if name == "trec":
        (X, y), test = parts
        return X, y, *test, int(np.argmin(np.bincount(y)))
    (X, y), (X_test, y_test) = parts
    business = 2
    X, y = make_imbalanced(X, y, minority=business, share=0.01, random_state=0)
    return X, y, X_test, (y_test == business).astype(int), 1


def seed_rows(y, rare, seed, size=100, n_rare=5):
    rng = np.random.RandomState(seed)
    chosen = rng.choice(np.flatnonzero(y == rare), n_rare, replace=False)
    others = rng.choice(np.flatnonzero(y != rare), size - n_rare, replace=False)
    return np.sort(np.concatenate([chosen, others]))


def run(strategy, model, task, seed, n_rounds, n_queries):
    """One learning curve: per round the labels, the rare ones bought, F1, seconds."""
    X, y, X_test, y_test, rare = task
    ids = np.arange(len(X))
    learner = ActiveLearner(
        TransformerClassifier(model, lr=5e-4, batch_size=32, max_epochs=10),
        strategy,
        n_queries=n_queries,
        classes=np.unique(y),
        random_state=seed,
    )
    rows = seed_rows(y, rare, seed)
    learner.fit([X[row] for row in rows], y[rows], ids=ids[rows])
    asked, waits, scores = set(rows.tolist()), [], [score(learner, X_test, y_test)]
    batches = []
    for _ in range(n_rounds):
        start = time.perf_counter()
        rows = learner.query(X, ids=ids)
        waits.append(time.perf_counter() - start)
        assert not asked & set(rows.tolist()), "a row was asked twice"
        asked |= set(rows.tolist())
        learner.teach([X[row] for row in rows], y[rows], ids=ids[rows])
        batches.append(float(np.mean(y[rows] == rare)))
        scores.append(score(learner, X_test, y_test))
    return {
        "rare share": np.mean(batches),
        "macro-F1": scores[-1],
        "AUC per round": learning_curve_auc(scores, normalize=True),
        "first wait": waits[0],
        "later waits": np.median(waits[1:]),
    }


def score(learner, X, y):
    return f1_score(y, learner.predict(X), average="macro")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--tasks", nargs="+", default=["trec", "agnews-bus"])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--n-queries", type=int, default=25)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--n-test", type=int, default=1500)
    args = parser.parse_args()
    for name in args.tasks:
        X, y, X_test, y_test, rare = load(args.data, name)
        kept = np.random.RandomState(0).permutation(len(y_test))[: args.n_test]
        task = X, y, [X_test[row] for row in kept], y_test[kept], rare
        print(
            f"\n{name}: pool {len(X)}, rare class {np.mean(y == rare):.2%}", flush=True
        )
        for label, strategy in STRATEGIES.items():
            results = pd.DataFrame(
                run(strategy, args.model, task, seed, args.rounds, args.n_queries)
                for seed in range(args.seeds)
            )
            means = results.mean().round(3).to_dict()
            print(
                f"{label:20} {means} seeds: {results['rare share'].round(3).tolist()}"
            )


if __name__ == "__main__":
    main()
