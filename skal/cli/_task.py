# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What the demo is about: finding the sentences of one rare package."""

from typing import NamedTuple

import numpy as np

from skal import TransformerClassifier
from skal.datasets import load_docstrings, make_imbalanced

# What every installation of skal[cli] has, so that everybody sees the same classes.
_PACKAGES = (
    "joblib",
    "matplotlib",
    "numpy",
    "scipy",
    "sklearn",
    "skorch",
    "torch",
    "transformers",
)
# The smallest of skal's dependencies with enough sentences for a pool and a test set.
RARE = "joblib"
_MAX_PER_PACKAGE = 1000
_SHARE = 0.02
# The protocol of the AnchorAL paper: 100 labels at the start, 5 of them rare.
_N_SEED, _N_SEED_RARE = 100, 5
_TEST_REST_PER_RARE = 4


class Task(NamedTuple):
    """Texts and labels (1: rare): known at the start, to buy from, to be judged on."""

    X_seed: list
    y_seed: np.ndarray
    X_pool: list
    y_pool: np.ndarray
    X_test: list
    y_test: np.ndarray


class BalancedClassifier(TransformerClassifier):
    """A transformer that trains on the rare rows so often that the classes are equal.

    Without that the demo's models hardly ever predicted the rare class (two seeds).
    """

    def fit(self, X, y):
        """Repeat the rows of class 1 until there are as many as of class 0."""
        y = np.asarray(y)
        rest, rare = np.flatnonzero(y == 0), np.flatnonzero(y == 1)
        rows = np.concatenate([rest, np.resize(rare, max(len(rest), len(rare)))])
        return super().fit([X[i] for i in rows], y[rows])


def load_sentences():
    """The sentences, and whether each is of the class that becomes rare.

    Returns
    -------
    X : list of str
    y : ndarray of shape (n,), dtype=int64
    """
    bunch = load_docstrings(list(_PACKAGES), max_per_package=_MAX_PER_PACKAGE)
    is_rare = bunch.target == bunch.target_names.index(RARE)
    return bunch.data, is_rare.astype(np.int64)


def split(X, y, seed):
    """Hold out a test set, make class 1 rare in what is left, take the seed set of it.

    The test set is a third of the rare rows and four other rows for each of them.

    Parameters
    ----------
    X : list of length n
        The texts.
    y : ndarray of shape (n,)
        1 for the class to become rare, 0 for the rest.
    seed : int
        Decides the order of the rows, which are left out and which are labelled at the
        start.

    Returns
    -------
    Task
        The parts, without a row in common.
    """
    rng = np.random.RandomState(seed)
    order = rng.permutation(len(X))
    rare, rest = order[y[order] == 1], order[y[order] == 0]
    n_rare = len(rare) // 3
    n_rest = _TEST_REST_PER_RARE * n_rare
    test = np.concatenate([rare[:n_rare], rest[:n_rest]])
    left = np.concatenate([rare[n_rare:], rest[n_rest:]])
    left, y_left = make_imbalanced(
        left, y[left], minority=1, share=_SHARE, random_state=seed
    )
    start = np.concatenate(
        [
            rng.choice(left[y_left == 1], _N_SEED_RARE, replace=False),
            rng.choice(left[y_left == 0], _N_SEED - _N_SEED_RARE, replace=False),
        ]
    )
    pool = np.setdiff1d(left, start)
    parts = (start, pool, test)
    return Task(*[part for rows in parts for part in ([X[i] for i in rows], y[rows])])
