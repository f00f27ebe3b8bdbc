# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The demo: one active-learning loop, run by two strategies side by side."""

import contextlib
import tempfile
import time
from typing import NamedTuple

import numpy as np
from rich.console import Console
from sklearn.metrics import f1_score

from skal import ActiveLearner
from skal.cli._checkpoint import build_checkpoint, one_thread
from skal.cli._screen import Screen, quiet_transformers, save_figure
from skal.cli._task import RARE, BalancedClassifier, load_task
from skal.filters import AnchorAL
from skal.metrics import learning_curve_auc
from skal.strategies import Entropy, RandomSampling
from skal.text import SentenceEncoder

_ACTIVE, _RANDOM = "AnchorAL", "random"
_QUICK_ROUNDS = 2


class Point(NamedTuple):
    """One learner after one round."""

    n_labels: int
    n_found: int
    f1: float
    query_seconds: float
    fit_seconds: float


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
        At most two rounds.
    model : str or None, default=None
        A checkpoint; None makes a small one on the spot.

    Returns
    -------
    dict of str to list of Point
        The curve of each strategy, from round 0.
    """
    output.mkdir(parents=True, exist_ok=True)
    rounds = min(rounds, _QUICK_ROUNDS) if quick else rounds
    with quiet_transformers(), tempfile.TemporaryDirectory() as folder:
        screen = Screen(Console())
        if model is not None:
            SentenceEncoder(model).fit()  # a wrong name fails at once
        task = _load(seed, screen)
        threads = one_thread() if model is None else contextlib.nullcontext()
        with threads:
            classifier = _make_classifier(model, task, folder, seed, screen)
            learners = _make_learners(classifier, n_queries, seed)
            curves = _run_loops(learners, task, rounds, screen)
    screen.say(_conclude(curves, task.y_pool.sum(), seed))
    path = save_figure(curves, RARE, output / "learning_curve.png")
    screen.say(f"Picture saved to {path}", wrap=False)
    return curves


def _load(seed, screen):
    with screen.waiting("Collecting sentences from the docstrings of packages"):
        task = load_task(seed)
    n_rare, n = task.y_pool.sum(), len(task.y_pool)
    screen.say(
        f"The task: find the sentences that document {RARE} among those that document "
        "other packages. They come from the docstrings installed here; names of "
        "packages are masked.\n"
        f"  pool      {n} sentences without a label, {n_rare} of them {RARE} "
        f"({n_rare / n:.1%})\n"
        f"  at start  {len(task.y_seed)} with a label, {task.y_seed.sum()} of them "
        f"{RARE}\n"
        f"  test set  {len(task.y_test)} sentences, {task.y_test.sum()} of them {RARE}"
    )
    return task


def _make_classifier(model, task, folder, seed, screen):
    """A classifier on `model`, or on a checkpoint made here, with a higher lr."""
    settings = {"max_epochs": 1, "min_steps": 100, "max_length": 64}
    if model is None:
        screen.say(
            "No --model was given: a small BERT is made of the pool's own sentences, "
            "labels unseen."
        )
        model = build_checkpoint(task.X_pool, folder, random_state=seed)
        settings["lr"] = 1e-3
    return BalancedClassifier(model, random_state=seed, **settings)


def _make_learners(classifier, n_queries, seed):
    strategies = {_ACTIVE: AnchorAL(Entropy()), _RANDOM: RandomSampling()}
    return {
        name: ActiveLearner(
            classifier, strategy, n_queries=n_queries, random_state=seed
        )
        for name, strategy in strategies.items()
    }


def _run_loops(learners, task, rounds, screen):
    """{name: [Point, ...]}: both learners, round by round, on the same seed set."""
    curves = {name: [] for name in learners}
    with screen.table(curves, rounds + 1) as update:
        for round_ in range(rounds + 1):
            for name, learner in learners.items():
                seconds = _advance(learner, task, round_)
                curves[name].append(_judge(learner, task, *seconds))
                update()
    return curves


def _advance(learner, task, round_):
    """Learn the seed labels in round 0; after that query, label, teach. Two times."""
    started = time.perf_counter()
    if round_ == 0:
        learner.fit(task.X_seed, task.y_seed)
        return 0.0, time.perf_counter() - started
    ids = np.arange(len(task.X_pool))
    rows = learner.query(task.X_pool, ids=ids)
    asked = time.perf_counter()
    texts = [task.X_pool[i] for i in rows]
    learner.teach(texts, task.y_pool[rows], ids=ids[rows])
    return asked - started, time.perf_counter() - asked


def _judge(learner, task, query_seconds, fit_seconds):
    n_found = np.sum(learner.y_labeled_) - task.y_seed.sum()
    f1 = f1_score(task.y_test, learner.predict(task.X_test), zero_division=0)
    n_labels = len(learner.y_labeled_)
    return Point(n_labels, int(n_found), f1, query_seconds, fit_seconds)


def _conclude(curves, n_rare, seed):
    """What came out, whoever won."""
    found = {name: curve[-1].n_found for name, curve in curves.items()}
    f1 = {
        name: learning_curve_auc([point.f1 for point in curve], normalize=True)
        for name, curve in curves.items()
    }
    wins = sum(score[_ACTIVE] > score[_RANDOM] for score in (found, f1))
    verdict = (
        "did not beat random picking on either count",
        "beat random picking on one of the two counts only",
        "beat random picking on both counts",
    )[wins]
    return (
        f"Of the {n_rare} {RARE} sentences in the pool, {_ACTIVE} found "
        f"{found[_ACTIVE]} and random picking {found[_RANDOM]}.\n"
        f"Mean F1 of {RARE} along the curve: {f1[_ACTIVE]:.3f} and {f1[_RANDOM]:.3f}.\n"
        f"{_ACTIVE} {verdict}.\n"
        f"That is one seed ({seed}); see others with --seed."
    )
