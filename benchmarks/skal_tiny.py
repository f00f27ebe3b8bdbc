# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What is skal-tiny's pretraining worth, with 200 labelled docstring sentences?

skal-tiny beside the same architecture with random weights (and the same tokenizer):
which package does a sentence document? Run it as

    OMP_NUM_THREADS=1 python benchmarks/skal_tiny.py

Labelled sentences are drawn from those held out of the pretraining. Each model is
judged on the held-out rest and on sentences as they come, 85 % of which skal-tiny has
read, without labels. Both try the same learning rates; each takes the one with the best
macro-F1 (mean over the seeds) on further sentences that nothing else uses. TF-IDF and
logistic regression on the same labels say how hard the task is.
"""

import argparse
import tempfile

import numpy as np
import pandas as pd
import torch
from docstring_corpus import is_held_out
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import make_pipeline
from transformers import AutoConfig, AutoModelForMaskedLM, AutoTokenizer

from skal import TransformerClassifier
from skal.datasets import load_docstrings
from skal.neural import locate

LRS = (3e-4, 1e-3, 3e-3)
N_VALIDATION = 500


def split(X, n_labels, n_test, seed):
    """Rows: labelled, validation, and the two test sets."""
    rng = np.random.RandomState(seed)
    held_out = np.array([is_held_out(text) for text in X])
    unseen = rng.permutation(np.flatnonzero(held_out))
    labelled, unseen = unseen[:n_labels], unseen[n_labels:]
    rest = rng.permutation(np.setdiff1d(np.arange(len(X)), labelled))
    validation = rest[~held_out[rest]][:N_VALIDATION]
    ordinary = rest[~np.isin(rest, validation)]
    return labelled, {
        "validation": validation,
        "held out": unseen[:n_test],
        "as they come": ordinary[:n_test],
    }


def from_scratch(folder, seed):
    """Save the architecture of skal-tiny with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = AutoConfig.from_pretrained(locate("skal-tiny"))
        AutoModelForMaskedLM.from_config(config).float().save_pretrained(folder)
    AutoTokenizer.from_pretrained(locate("skal-tiny")).save_pretrained(folder)
    return folder


def classifiers(folder, seed):
    """{(name, lr): classifier}"""
    models = {"skal-tiny": "skal-tiny", "from scratch": from_scratch(folder, seed)}
    tried = {
        (name, lr): TransformerClassifier(model, lr=lr, random_state=seed)
        for name, model in models.items()
        for lr in LRS
    }
    baseline = make_pipeline(
        TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=10, max_iter=1000)
    )
    return {**tried, ("TF-IDF", np.nan): baseline}


def run(X, y, seed, args):
    """One row per classifier and test set."""
    labelled, tests = split(X, args.n_labels, args.n_test, seed)
    with tempfile.TemporaryDirectory() as folder:
        for (name, lr), classifier in classifiers(folder, seed).items():
            classifier.fit([X[i] for i in labelled], y[labelled])
            for test, rows in tests.items():
                found = classifier.predict([X[i] for i in rows])
                f1 = f1_score(y[rows], found, average="macro")
                accuracy = accuracy_score(y[rows], found)
                row = (name, lr, seed, test, f1, accuracy)
                print(*row, flush=True)
                yield row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-labels", type=int, default=200)
    parser.add_argument("--n-test", type=int, default=1200)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    X, y = load_docstrings(return_X_y=True)
    columns = ["model", "lr", "seed", "test", "macro-F1", "accuracy"]
    rows = [row for seed in range(args.seeds) for row in run(X, y, seed, args)]
    results = pd.DataFrame(rows, columns=columns).fillna({"lr": 0.0})
    report(results)


def report(results):
    metrics = ["macro-F1", "accuracy"]
    print("\nMean and standard deviation over the seeds, all learning rates")
    grouped = results.groupby(["test", "model", "lr"])[metrics]
    print(grouped.agg(["mean", "std"]).round(3).to_string())
    validation = results[results["test"] == "validation"]
    score = validation.groupby(["model", "lr"])["macro-F1"].mean()
    chosen = score.groupby("model").idxmax()
    print("\nLearning rates chosen:", dict(chosen.to_list()))
    key = pd.MultiIndex.from_frame(results[["model", "lr"]])
    best = results[key.isin(chosen)].set_index(["test", "model", "seed"])[metrics]
    for test in ("held out", "as they come"):
        print(f"\nTest sentences: {test}")
        part = best.loc[test]
        print(part.groupby("model").agg(["mean", "std", "min", "max"]).round(3))
        gain = part.loc["skal-tiny"] - part.loc["from scratch"]
        for metric in metrics:
            values = gain[metric]
            print(
                f"gain in {metric}: {values.mean():.3f} +- {values.std():.3f}; "
                f"by seed {values.round(3).tolist()}"
            )


if __name__ == "__main__":
    main()
