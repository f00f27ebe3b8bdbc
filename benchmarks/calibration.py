# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""How far the probabilities of each provider of samples can be believed.

Every provider is trained on the same labelled texts of TREC, beside one plain
classifier, and looks at the test set. Run it as

    python benchmarks/calibration.py --data DIR --model CHECKPOINT --out FOLDER

where DIR holds the folder `trec` for `skal.datasets.load_parquet_folder`. FOLDER gets
``calibration_runs.csv``, a row per provider and seed, ``calibration.csv``, means and
standard deviations over the seeds, and ``calibration.json``, settings and versions.
Runs that FOLDER has already are not made again.
"""

import argparse
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr

from skal import Committee, TransformerClassifier
from skal.datasets import load_parquet_folder
from skal.functional import bald
from skal.text import (
    BayesByBackpropClassifier,
    DiverseEnsemble,
    SnapshotEnsemble,
    SplitHeadClassifier,
)

PACKAGES = ["numpy", "scikit-learn", "skal", "skorch", "torch", "transformers"]
# name: the provider around a classifier, with a seed; what predicts by its own samples
PROVIDERS = {
    "single model": lambda clf, seed: clf.set_params(random_state=seed),
    "dropout of a single model": lambda clf, seed: clf.set_params(random_state=seed),
    "Committee": lambda clf, seed: Committee(clf, n_estimators=5, random_state=seed),
    "Committee, stochastic": lambda clf, seed: Committee(
        clf, n_estimators=5, stochastic=True, random_state=seed
    ),
    "SnapshotEnsemble": lambda clf, seed: SnapshotEnsemble(clf, random_state=seed),
    "DiverseEnsemble": lambda clf, seed: DiverseEnsemble(clf, random_state=seed),
    "SplitHeadClassifier": lambda clf, seed: SplitHeadClassifier(
        clf, random_state=seed
    ),
    "BayesByBackpropClassifier": lambda clf, seed: BayesByBackpropClassifier(
        clf, random_state=seed
    ),
}
BY_SAMPLES = {"dropout of a single model", "Committee, stochastic"}
N_SAMPLES = 20


def expected_calibration_error(proba, codes, n_bins=15):
    """Mean distance of confidence and accuracy over bins of equal width.

    C. Guo et al. On calibration of modern neural networks. ICML 2017, equation 3.
    """
    confidence = proba.max(axis=1)
    right = proba.argmax(axis=1) == codes
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=n_bins)
    return np.abs(gaps).sum() / len(codes)


def run(name, seed, data, args):
    """What one provider makes of the test set, as a dict."""
    classifier = TransformerClassifier(
        args.model, lr=5e-4, max_epochs=args.epochs, max_length=64, device="cpu"
    )
    provider = PROVIDERS[name](classifier, seed)
    provider.fit(data.data[: args.labelled], data.target[: args.labelled])
    samples = provider.sample_proba(data.data_test, n_samples=N_SAMPLES)
    proba = samples.mean(axis=0)
    if name not in BY_SAMPLES:
        proba = provider.predict_proba(data.data_test)
    codes = np.searchsorted(provider.classes_, data.target_test)
    gold = proba[np.arange(len(codes)), codes]
    wrong = proba.argmax(axis=1) != codes
    return {
        "provider": name,
        "seed": seed,
        "accuracy": 1 - wrong.mean(),
        "log loss": -np.log(np.clip(gold, 1e-12, None)).mean(),
        "calibration error": expected_calibration_error(proba, codes),
        "BALD": bald(samples).mean(),
        "rho of BALD and error": spearmanr(bald(samples), wrong).statistic,
    }


def table(runs):
    """Mean ± standard deviation over the seeds."""
    values = runs.drop(columns="seed").groupby("provider", sort=False)
    mean, std = values.mean(), values.std()
    return mean.map("{:.3f}".format) + " ± " + std.map("{:.3f}".format)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--labelled", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "calibration_runs.csv"
    done = pd.read_csv(path).to_dict("records") if path.is_file() else []
    data = load_parquet_folder(Path(args.data) / "trec")
    for seed in range(args.seeds):
        for name in PROVIDERS:
            if any(row["provider"] == name and row["seed"] == seed for row in done):
                continue
            done.append(run(name, seed, data, args))
            pd.DataFrame(done).round(5).to_csv(path, index=False)
    runs = pd.read_csv(path)
    table(runs).to_csv(out / "calibration.csv")
    print(table(runs).T.to_string())
    about = {key: vars(args)[key] for key in ("seeds", "labelled", "epochs", "threads")}
    about |= {"model": Path(args.model).name, "samples": N_SAMPLES}
    about["versions"] = {package: version(package) for package in PACKAGES}
    (out / "calibration.json").write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    main()
