# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The demo: one active-learning loop, run by two strategies from several seeds."""

import contextlib
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from joblib import Parallel, cpu_count, delayed
from rich.console import Console
from sklearn.metrics import f1_score

from skal import ActiveLearner
from skal.cli._screen import Screen, quiet_transformers, save_figure
from skal.cli._summary import Point, conclude
from skal.cli._task import RARE, BalancedClassifier, load_sentences, split
from skal.filters import AnchorAL
from skal.strategies import Entropy, RandomSampling
from skal.text import SentenceEncoder

BOX = "skal-tiny"
_STRATEGIES = {"AnchorAL": AnchorAL(Entropy()), "random": RandomSampling()}
_TRAINING = {"max_epochs": 1, "min_steps": 100, "max_length": 64}
# What so small a model takes; larger ones take the classifier's own defaults.
_BOX_TRAINING = {"lr": 1e-3, "batch_size": 16}


class Job(NamedTuple):
    """What one learning curve is made from; it travels to a process of its own."""

    strategy: str
    seed: int
    model: str
    rounds: int
    n_queries: int


def run_demo(rounds, n_queries, seeds, output, *, model=BOX, n_jobs=None):
    """Run the demo, show it on the screen and save its picture.

    Parameters
    ----------
    rounds, n_queries : int
        Rounds after the seed set, and labels bought in each.
    seeds : int
        How many seeds: 0, 1, ... Each decides the split and seeds both learners.
    output : pathlib.Path
        Folder that ``learning_curve.png`` is written to; made if it is missing.
    model : str, default="skal-tiny"
        A checkpoint.
    n_jobs : int or None, default=None
        Processes, of one thread each. None: one per core, and this process alone, with
        all its threads, for a model from outside.

    Returns
    -------
    dict of str to list of list of Point
        For each strategy the curve of each seed, from round 0.
    """
    output.mkdir(parents=True, exist_ok=True)
    with quiet_transformers():
        screen = Screen(Console())
        SentenceEncoder(model).fit()  # a wrong name fails at once
        X, y = _load(screen, model)
        jobs = [
            Job(strategy, seed, model, rounds, n_queries)
            for seed in range(seeds)
            for strategy in _STRATEGIES
        ]
        curves = _run_jobs(jobs, X, y, screen, n_jobs)
    n_rare = int(split(X, y, 0).y_pool.sum())
    screen.say(conclude(curves, RARE, n_rare))
    path = save_figure(curves, RARE, output / "learning_curve.png")
    screen.say(f"Picture saved to {path}", wrap=False)
    return curves


def _load(screen, model):
    with screen.waiting("Collecting sentences from the docstrings of packages"):
        X, y = load_sentences()
    task = split(X, y, 0)
    n_rare, n = task.y_pool.sum(), len(task.y_pool)
    screen.say(
        f"The task: find the sentences that document {RARE} among those that document "
        "other packages. They come from the docstrings installed here; names of "
        "packages are masked. Each seed splits them anew:\n"
        f"  pool      {n} sentences without a label, {n_rare} of them {RARE} "
        f"({n_rare / n:.1%})\n"
        f"  at start  {len(task.y_seed)} with a label, {task.y_seed.sum()} of them "
        f"{RARE}\n"
        f"  test set  {len(task.y_test)} sentences, {task.y_test.sum()} of them {RARE}"
    )
    if model == BOX:
        screen.say(
            f"The model: {BOX}, which comes with skal. It was pretrained on docstrings "
            "and has read most of these sentences, without their labels."
        )
    return X, y


def _run_jobs(jobs, X, y, screen, n_jobs):
    """{strategy: [curve of a seed, ...]}, shown as the jobs get done."""
    if n_jobs is None:
        n_jobs = min(cpu_count(), len(jobs)) if jobs[0].model == BOX else 1
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        steps = len(jobs) * (jobs[0].rounds + 1)
        with screen.table(found, list(_STRATEGIES), steps, Path(folder)):
            parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
            for job, curve in parallel(delayed(_run)(j, X, y, folder) for j in jobs):
                found[job.strategy, job.seed] = curve
    return {
        strategy: [found[job[:2]] for job in jobs if job.strategy == strategy]
        for strategy in _STRATEGIES
    }


def _run(job, X, y, folder):
    """The job and its curve. Each round leaves a file in `folder`: it has been run."""
    task = split(X, y, job.seed)
    learner = _make_learner(job)
    curve = []
    with one_thread() if job.model == BOX else contextlib.nullcontext():
        for round_ in range(job.rounds + 1):
            seconds = _advance(learner, task, round_)
            curve.append(_judge(learner, task, *seconds))
            Path(folder, f"{job.strategy}-{job.seed}-{round_}").touch()
    return job, curve


@contextlib.contextmanager
def one_thread():
    """Let torch use one thread, and as many as before afterwards.

    So that the demo's numbers do not depend on how many cores there are.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def _make_learner(job):
    settings = _TRAINING | (_BOX_TRAINING if job.model == BOX else {})
    return ActiveLearner(
        BalancedClassifier(job.model, random_state=job.seed, **settings),
        _STRATEGIES[job.strategy],
        n_queries=job.n_queries,
        random_state=job.seed,
    )


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
