# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The demo: one active-learning loop, run by two strategies side by side."""

import contextlib
import tempfile
import time
from typing import NamedTuple

import numpy as np
from rich.console import Console
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import train_test_split

from skal import ActiveLearner, TransformerClassifier
from skal.cli._checkpoint import build_checkpoint, one_thread
from skal.cli._screen import Screen, quiet_transformers, save_figure
from skal.datasets import load_docstrings
from skal.filters import AnchorAL
from skal.metrics import learning_curve_auc
from skal.strategies import Entropy, RandomSampling

_ACTIVE, _RANDOM = "AnchorAL", "random"
_SEED_ROWS_PER_CLASS = 5
# What every installation of skal has, for the short form.
_SMALL = ["joblib", "numpy", "scipy", "sklearn", "skorch"]


class Data(NamedTuple):
    """Texts and labels: bought at the start, to buy from, to be judged on."""

    X_seed: list
    y_seed: np.ndarray
    X_pool: list
    y_pool: np.ndarray
    X_test: list
    y_test: np.ndarray
    names: list


class Point(NamedTuple):
    """One learner after one round."""

    n_labels: int
    macro_f1: float
    accuracy: float
    seconds: float


def run_demo(rounds, n_queries, seed, output, *, quick=False, model=None):
    """Run the demo, show it on the screen and save its picture.

    Parameters
    ----------
    rounds, n_queries : int
        Rounds after the seed set, and labels bought in each.
    seed : int
        Seeds the split, the checkpoint and both learners.
    output : pathlib.Path
        Folder that ``learning_curve.png`` is written to; made if it is missing.
    quick : bool, default=False
        At most two rounds on the sentences of five packages.
    model : str or None, default=None
        A checkpoint; None makes a small one on the spot.

    Returns
    -------
    dict of str to list of Point
        The curve of each strategy, from round 0.
    """
    output.mkdir(parents=True, exist_ok=True)
    rounds = min(rounds, 2) if quick else rounds
    with quiet_transformers(), tempfile.TemporaryDirectory() as folder:
        screen = Screen(Console())
        data = _load(seed, quick, screen)
        threads = one_thread() if model is None else contextlib.nullcontext()
        if model is None:
            model = _make_checkpoint(data, folder, seed, screen)
        learners = _make_learners(model, n_queries, seed, quick)
        with threads:
            curves = _run_loops(learners, data, rounds, screen)
    for name, curve in curves.items():
        area = learning_curve_auc([point.macro_f1 for point in curve], normalize=True)
        screen.say(f"Mean macro-F1 along the curve, {name}: {area:.3f}")
    path = save_figure(curves, output / "learning_curve.png")
    screen.say(f"Learning curve saved to {path}")
    return curves


def _load(seed, quick, screen):
    with screen.waiting(
        "Collecting sentences from the docstrings of installed packages"
    ):
        bunch = load_docstrings(_SMALL if quick else None, random_state=seed)
    data = _split(bunch.data, bunch.target, bunch.target_names, seed)
    counts = np.bincount(bunch.target)
    classes = ", ".join(f"{n} {c}" for n, c in zip(data.names, counts, strict=True))
    screen.say(f"{len(bunch.data)} sentences by package: {classes}.")
    screen.say(
        f"{len(data.y_seed)} have a label at the start, {len(data.y_pool)} are in the "
        f"pool, {len(data.y_test)} are held out as the test set."
    )
    return data


def _split(X, y, names, seed):
    """Hold out a quarter; of the rest, a few rows of each class are the seed set."""
    rng = np.random.RandomState(seed)
    train, test = train_test_split(
        np.arange(len(y)), test_size=0.25, stratify=y, random_state=rng
    )
    by_class = [rng.permutation(train[y[train] == c]) for c in range(len(names))]
    start = np.concatenate([rows[:_SEED_ROWS_PER_CLASS] for rows in by_class])
    pool = np.setdiff1d(train, start)
    parts = (start, pool, test)
    pairs = [part for rows in parts for part in ([X[i] for i in rows], y[rows])]
    return Data(*pairs, names)


def _make_checkpoint(data, folder, seed, screen):
    screen.say(
        "No --model was given: making a small BERT whose word vectors come from the "
        "pool's sentences, labels unseen. (A published checkpoint reads better.)"
    )
    return build_checkpoint(data.X_pool, folder, random_state=seed)


def _make_learners(model, n_queries, seed, quick):
    classifier = TransformerClassifier(
        model,
        lr=1e-3,
        max_epochs=5 if quick else 10,
        min_steps=50 if quick else 150,
        max_length=64,
        random_state=seed,
    )
    strategies = {_ACTIVE: AnchorAL(Entropy()), _RANDOM: RandomSampling()}
    return {
        name: ActiveLearner(
            classifier, strategy, n_queries=n_queries, random_state=seed
        )
        for name, strategy in strategies.items()
    }


def _run_loops(learners, data, rounds, screen):
    """{name: [Point, ...]}: both learners, round by round, on the same seed set."""
    curves = {name: [] for name in learners}
    with screen.table(curves, rounds + 1) as update:
        for round_ in range(rounds + 1):
            for name, learner in learners.items():
                started = time.perf_counter()
                _advance(learner, data, round_)
                seconds = time.perf_counter() - started
                curves[name].append(_judge(learner, data, seconds))
                update()
    return curves


def _advance(learner, data, round_):
    """The seed labels in round 0; after that query, label, teach."""
    if round_ == 0:
        learner.fit(data.X_seed, data.y_seed)
        return
    ids = np.arange(len(data.X_pool))
    rows = learner.query(data.X_pool, ids=ids)
    texts = [data.X_pool[i] for i in rows]
    learner.teach(texts, data.y_pool[rows], ids=ids[rows])


def _judge(learner, data, seconds):
    predicted = learner.predict(data.X_test)
    return Point(
        len(learner.y_labeled_),
        f1_score(data.y_test, predicted, average="macro"),
        accuracy_score(data.y_test, predicted),
        seconds,
    )
