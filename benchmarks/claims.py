# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What learning curves cannot say about the papers' claims: what batches are made of.

Four parts, all small. "errors" (REAL's Table 3 and Figure 4): several strategies pick
from the same state of one classifier. "maps" (Figure 4 and Table 4 of Cartography AL):
its own protocol, where the committed curves have its strategy fall back. "cold" (ALPS):
the first batch, and how well its vectors cluster. "batches" (Figure 3 of ALPS): the
batches of the committed runs in results/strategies/text.csv. Run it as

    python benchmarks/claims.py --data DIR --model CHECKPOINT --work FOLDER \
        --out benchmarks/results/claims

where DIR holds folders for `skal.datasets.load_parquet_folder`, CHECKPOINT is a BERT
and FOLDER keeps vectors and what is finished: a second call goes on where the first one
was stopped. OUT gets ``claims.csv``, a row per value, and ``claims.json``, settings and
versions.
"""

import argparse
import functools
import json
import os
import platform
import time
from importlib.metadata import version
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from agnews_bus import PACKAGES, find_encoder
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.manifold import TSNE
from sklearn.model_selection import train_test_split
from strategies import vectors
from threadpoolctl import threadpool_limits
from transformers import AutoTokenizer

from skal import ActiveLearner, TransformerClassifier
from skal.datasets import load_parquet_folder
from skal.functional import (
    entropy,
    k_means,
    label_dispersion,
    pseudo_errors,
    surprisal_embedding,
)
from skal.metrics import (
    batch_data_map,
    batch_overlap,
    batch_uncertainty,
    boundary_divergence,
    cluster_silhouette,
    error_lift,
    first_step_loss,
    sampling_error_rate,
    token_diversity,
)
from skal.metrics._boundary import _boundary, _cells
from skal.strategies import (
    ALPS,
    BADGE,
    BALD,
    PLMKM,
    REAL,
    AcTune,
    BertKM,
    CartographyAL,
    ContrastiveAL,
    DiscriminativeAL,
    Entropy,
    LeastConfidence,
    RandomSampling,
)
from skal.text import DenseClassifier, PoolRecorder, SentenceEncoder

TEXT_RUNS = Path(__file__).parent / "results" / "strategies" / "text.csv"
ERRORS = {
    "pool": 1500,
    "labelled": (100, 300),
    "n_queries": 100,
    "lr": 1e-3,
    "grid": 7,  # about 30 rows a cell, as in the paper
    "strategies": [
        REAL(),
        Entropy(),
        PLMKM(),
        BADGE(),
        ContrastiveAL(),
        AcTune(),
        RandomSampling(),
    ],
}
MAPS = {
    "pool": 4000,
    "initial": {"trec": 500, "agnews": 1000},
    "batch_size": {"trec": 16, "agnews": 64},
    "n_queries": 50,
    "n_rounds": 3,
    "lr": 1e-4,
    "strategies": [
        RandomSampling(),
        LeastConfidence(),
        Entropy(),
        BALD(),
        DiscriminativeAL(n_sub_batches=1, max_epochs=30, device="cpu"),
        CartographyAL(device="cpu"),
    ],
}
COLD = {
    "pool": 2000,
    "test": 500,
    "n_queries": 100,
    "max_length": 64,
    "trained": ["agnews"],
    "strategies": [ALPS(), BertKM(), RandomSampling()],
}
TRAINING = {"lr": 5e-4, "max_epochs": 10, "min_steps": 100, "device": "cpu"}
WHOLE = {"lr": 5e-4, "max_epochs": 2, "min_steps": 100, "device": "cpu"}


def name_of(strategy):
    return type(strategy).__name__


def asked(strategy, X, y, classifier, pool, n_queries, seed):
    """The rows that a strategy picks from a classifier's present state."""
    strategy = clone(strategy)
    if "random_state" in strategy.get_params():
        strategy.set_params(random_state=seed)
    strategy.fit(X, y, estimator=classifier)
    return strategy.query(pool, n_queries=n_queries)


@functools.cache
def load_vectors(name, data, work, encoder):
    path, _ = find_encoder(encoder)
    encoder = SentenceEncoder(path, cache_dir=Path(work) / "vectors").fit()
    return vectors(Path(data) / name, encoder)


def errors(name, seed, args):
    """REAL: what each strategy picks from one model, beside that model's errors."""
    X, y, _, _ = load_vectors(name, args.data, args.work, args.encoder)
    most = ERRORS["labelled"][-1]
    rows = np.random.default_rng(seed).permutation(len(X))[: most + ERRORS["pool"]]
    pool = rows[most:]
    for n_labeled in ERRORS["labelled"]:
        labeled = rows[:n_labeled]
        model = PoolRecorder(
            DenseClassifier(
                lr=ERRORS["lr"],
                classes=np.unique(y),
                device="cpu",
                random_state=seed,
            )
        ).fit(X[labeled], y[labeled], X_unlabeled=X[pool])
        tsne = TSNE(init="pca", random_state=seed, n_jobs=1)
        points = tsne.fit_transform(model.embed(X[pool]))
        for quantity, value in of_model(model, X[pool], y[pool], points, seed).items():
            yield n_labeled, "model", quantity, value
        for strategy in ERRORS["strategies"]:
            picked = asked(
                strategy,
                X[labeled],
                y[labeled],
                model,
                X[pool],
                ERRORS["n_queries"],
                seed,
            )
            measured = of_batch(model, X[pool], y[pool], points, picked)
            for quantity, value in measured.items():
                yield n_labeled, name_of(strategy), quantity, value


def of_batch(model, X, y, points, picked):
    """Errors, loss and place of a batch (REAL, Table 3 and Figure 4)."""
    proba = model.predict_proba(X)
    predicted = model.classes_[proba.argmax(axis=1)]
    return {
        "batch error": sampling_error_rate(y, predicted, picked),
        "lift": error_lift(y, predicted, picked),
        "first loss": first_step_loss(y, proba, picked, classes=model.classes_),
        "divergence": boundary_divergence(
            points, y, predicted, picked, n_bins=ERRORS["grid"]
        ),
    }


def of_model(model, X, y, points, seed):
    """Where a model errs, how sure it is, and how its training went."""
    proba = model.predict_proba(X)
    wrong = model.classes_[proba.argmax(axis=1)] != y
    clusters, _ = k_means(model.embed(X), 25, random_state=seed)
    majority = pseudo_errors(proba, clusters)[0]
    cells = _cells(points, ERRORS["grid"])
    boundary = _boundary(cells, y, ERRORS["grid"] ** 2, 0.15, "occupied")
    near = np.isin(cells, boundary)
    dispersion = label_dispersion(model.epoch_predictions(X), len(model.classes_))
    return {
        "pool error": wrong.mean(),
        "overconfidence": proba.max(axis=1).mean() - 1 + wrong.mean(),
        "pseudo-label accuracy": (model.classes_[majority[clusters]] == y).mean(),
        "errors near the boundary": near[wrong].mean(),
        "rows near the boundary": near.mean(),
        "rho of dispersion and entropy": rho(dispersion, entropy(proba)),
        "rho of dispersion and error": rho(dispersion, wrong),
        "never forgotten": (model.forgetting_events_ == 0).mean(),
    }


def rho(a, b):
    return spearmanr(a, b).statistic


def maps(name, seed, args):
    """Cartography AL in its own protocol: accuracy, data map and overlap of batches."""
    X, y, X_test, y_test = load_vectors(name, args.data, args.work, args.encoder)
    rows = np.random.default_rng(seed).permutation(len(X))[: MAPS["pool"]]
    X, y = X[rows], y[rows]
    initial, _ = train_test_split(
        np.arange(len(y)),
        train_size=MAPS["initial"][name],
        stratify=y,
        random_state=seed,
    )
    model = DenseClassifier(
        lr=MAPS["lr"],
        batch_size=MAPS["batch_size"][name],
        classes=np.unique(y),
        device="cpu",
        random_state=seed,
    )
    model.fit(X[initial], y[initial])  # the first state of all
    batches = {}
    for strategy in MAPS["strategies"]:
        bought = batches.setdefault(name_of(strategy), [])
        data = X, y, X_test, y_test
        for batch, labeled, measured in a_run(strategy, model, data, initial, seed):
            bought.append(batch)
            for quantity, value in measured.items():
                yield len(labeled), name_of(strategy), quantity, value
    for a, b in combinations(batches, 2):
        _, total = batch_overlap(batches[a], batches[b])
        share = total / sum(map(len, batches[a]))
        yield len(labeled), f"{a} and {b}", "share in common", share
    whole = clone(model).fit(X, y).score(X_test, y_test)
    yield len(y), "whole pool", "accuracy", whole


def a_run(strategy, model, data, labeled, seed):
    """Per round: the batch, all labelled rows, and what was measured after training."""
    X, y, X_test, y_test = data
    for n_round in range(MAPS["n_rounds"]):
        left = np.setdiff1d(np.arange(len(y)), labeled)
        picked = asked(
            strategy,
            X[labeled],
            y[labeled],
            model,
            X[left],
            MAPS["n_queries"],
            seed + n_round,
        )
        batch = left[picked]
        labeled = np.concatenate([labeled, batch])
        hardly = (model.data_map_.correctness <= 0.2).sum()
        model = clone(model).fit(X[labeled], y[labeled])
        dynamics = model.training_dynamics_
        last = np.arange(len(labeled) - len(batch), len(labeled))
        measured = {
            "accuracy": model.score(X_test, y_test),
            "rows hardly learned": hardly,  # when the batch was picked
            **batch_data_map(dynamics.gold_proba, dynamics.correct, last),
        }
        yield batch, labeled, measured


def text_classifier(checkpoint, seed, settings=TRAINING):
    return TransformerClassifier(
        checkpoint, max_length=COLD["max_length"], random_state=seed, **settings
    )


def cold(name, seed, args):
    """ALPS: first batches without any label, and the vectors they come from."""
    bunch = load_parquet_folder(Path(args.data) / name)
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(bunch.data))[: COLD["pool"]]
    texts, y = [bunch.data[row] for row in rows], bunch.target[rows]
    test = rng.permutation(len(bunch.data_test))[: COLD["test"]]
    X_test, y_test = [bunch.data_test[row] for row in test], bunch.target_test[test]
    model = text_classifier(args.model, seed).set_params(classes=np.unique(y))
    for vector, silhouette in silhouettes(model, texts, seed).items():
        yield 0, vector, "silhouette", silhouette
    tokens, special = tokens_of(args.model, texts, model.max_length)
    trains = name in COLD["trained"]
    if trains:
        whole = text_classifier(args.model, seed, WHOLE).fit(texts, y)
        proba = whole.predict_proba(texts)
    for strategy in COLD["strategies"]:
        learner = ActiveLearner(model, strategy, random_state=seed)
        picked = learner.query(texts, n_queries=COLD["n_queries"])
        diversity = token_diversity(tokens, picked, exclude=special)
        measured = {"first diversity": diversity}
        if trains:
            taught = clone(model).fit([texts[row] for row in picked], y[picked])
            measured["first uncertainty"] = batch_uncertainty(proba[picked])
            measured["first accuracy"] = taught.score(X_test, y_test)
        for quantity, value in measured.items():
            yield len(picked), name_of(strategy), quantity, value


def silhouettes(model, texts, seed):
    """Of as many clusters as a batch has rows, of surprisal and of [CLS]."""
    surprisal = model.token_surprisal(texts, random_state=seed)
    encoder = model.pretrained_encoder().set_params(pooling="cls").fit()
    vectors_of = {
        "surprisal": surprisal_embedding(surprisal),
        "[CLS]": encoder.transform(texts),
    }
    return {
        name: cluster_silhouette(vector, COLD["n_queries"], random_state=seed)
        for name, vector in vectors_of.items()
    }


def tokens_of(checkpoint, texts, max_length):
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    encoded = tokenizer(list(texts), truncation=True, max_length=max_length)
    return encoded["input_ids"], tokenizer.all_special_ids


@functools.cache
def whole_pool(name, data, checkpoint):
    """Tokens of a data set, and what a classifier trained on all of it says of it."""
    bunch = load_parquet_folder(Path(data) / name)
    model = text_classifier(checkpoint, 0, WHOLE).fit(bunch.data, bunch.target)
    tokens = tokens_of(checkpoint, bunch.data, model.max_length)
    return *tokens, model.predict_proba(bunch.data)


def batches(name, seed, args):
    """ALPS: diversity and uncertainty of the batches of the committed runs."""
    tokens, special, proba = whole_pool(name, args.data, args.model)
    runs = pd.read_csv(TEXT_RUNS).query("dataset == @name and seed == @seed")
    for run in runs[runs["round"] > 0].itertuples():
        rows = np.array(run.rows.split(), dtype=np.int64)
        diversity = token_diversity(tokens, rows, exclude=special)
        yield run.n_labeled, run.learner, "diversity", diversity
        uncertainty = batch_uncertainty(proba[rows])
        yield run.n_labeled, run.learner, "uncertainty", uncertainty


PARTS = {
    "errors": (errors, ["trec", "snips", "agnews"], 3),
    "maps": (maps, ["trec", "agnews"], 3),
    "cold": (cold, ["agnews", "imdb", "pubmed_subset"], 3),
    "batches": (batches, ["pubmed_subset"], 2),
}


def run(part, name, seed, args):
    """The values of one piece, made now or in a call before."""
    path = Path(args.work) / "claims" / f"{part}_{name}_{seed}.csv"
    if not path.is_file():
        started = time.process_time()
        columns = ["n_labeled", "method", "quantity", "value"]
        frame = pd.DataFrame(PARTS[part][0](name, seed, args), columns=columns)
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.to_csv(path.with_suffix(".part"), index=False)
        path.with_suffix(".part").rename(path)
        seconds = time.process_time() - started
        print(f"{part}, {name}, seed {seed}: {seconds:.0f} s of one core", flush=True)
    return pd.read_csv(path).assign(part=part, dataset=name, seed=seed)


def settings(part):
    """A part's settings, its strategies by their names."""
    names = [" ".join(repr(strategy).split()) for strategy in part["strategies"]]
    return part | {"strategies": names}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--encoder")
    parser.add_argument("--work", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    args = parser.parse_args()
    with threadpool_limits(1):
        pieces = [
            run(part, name, seed, args)
            for part in args.parts
            for name in PARTS[part][1]
            for seed in range(PARTS[part][2])
        ]
    columns = ["part", "dataset", "seed", "n_labeled", "method", "quantity", "value"]
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    table = pd.concat(pieces)[columns].round(6)
    table.to_csv(out / "claims.csv", index=False)
    about = {
        "finished": time.strftime("%Y-%m-%d %H:%M"),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "models": [find_encoder(args.encoder)[1], Path(args.model).name],
        "errors": settings(ERRORS),
        "maps": settings(MAPS),
        "cold": settings(COLD) | {"training": TRAINING, "whole": WHOLE},
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in PACKAGES},
    }
    (out / "claims.json").write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    main()
