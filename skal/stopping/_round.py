# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What a round shows to the criteria: one look at fixed rows, and the answers."""

import functools
from dataclasses import dataclass

import numpy as np

from skal._pool_memory import PoolMemory
from skal._pool_view import PoolView, Reads
from skal.utils._capabilities import provides
from skal.utils._random import stream
from skal.utils._rows import num_rows, readable_rows, take_rows

_DEPTH = 1_000  # a stream of random numbers of its own, far from those of filters


def stop_rows(n_rows, n_stop, seed):
    """Positions of `n_stop` rows (None: of all) of a pool, in random order.

    Of a smaller number the rows are the first of those of a larger one.
    """
    rows = stream(seed, 0, _DEPTH).permutation(n_rows)
    return rows if n_stop is None else rows[:n_stop]


class StopSet:
    """Rows of the pool, copied once, that are looked at in every round.

    Parameters
    ----------
    X : rows
    names : list or None
        Their ids or positions, by which those are known that are no longer open.
    """

    def __init__(self, X, names):
        self.X, self.names = X, names
        self.memory = PoolMemory()

    @classmethod
    def draw(cls, pool, names, n_stop, seed):
        """Rows of the pool; `names` has one entry per row of it, or is None."""
        rows = stop_rows(num_rows(pool), n_stop, seed)
        names = None if names is None else [names[row] for row in rows]
        return cls(take_rows(pool, rows), names)

    def is_open(self, done):
        """Which rows are not among those that are done, a boolean array."""
        if self.names is None:
            return np.ones(num_rows(self.X), dtype=bool)
        return np.array([name not in done for name in self.names], dtype=bool)

    def proba(self, estimator, classes):
        """Class probabilities of the rows, None where a number is not finite."""
        view = PoolView(
            self.X,
            estimator=estimator,
            classes=classes,
            memory=self.memory,
            reads=Reads(pool={"proba"}),
        )
        return view.proba if np.isfinite(view.proba).all() else None

    def __getstate__(self):
        return {**vars(self), "memory": PoolMemory()}


@dataclass(frozen=True)
class Before:
    """What is kept of a round for the next one.

    `key` tells the round from others, `model` is the classifier of the round if its
    successor reads "selected", `last` the number of the last answers it knew.
    """

    key: tuple
    predictions: np.ndarray | None
    model: object
    last: int


class Round:
    """What criteria may read of one round; each thing is computed at most once.

    Attributes
    ----------
    learner : ActiveLearner
        As it is after the fit of the round.
    n_labeled : int
        Its labels.
    proba : ndarray of shape (n_stop, C) or None
        Class probabilities of the stop set; None if they are not finite.
    predictions : ndarray of shape (n_stop,) or None
        Predicted labels of the stop set.
    previous_predictions : ndarray of shape (n_stop,) or None
        Those of the round before.
    is_open : ndarray of shape (n_stop,), dtype bool
        Which rows of the stop set are not known to be labelled or skipped.
    selected_accuracy : float
        Share of the rows answered since the last round that the model of that round
        predicted right; nan if there was none.
    """

    def __init__(self, learner, stop_set=None, before=None, done=()):
        self.learner = learner
        self._labeled = learner._labeled
        self._stop_set, self._before, self._done = stop_set, before, done

    @property
    def n_labeled(self):
        return len(self._labeled)

    @functools.cached_property
    def proba(self):
        learner = self.learner
        return self._stop_set.proba(learner.estimator_, learner.classes_)

    @functools.cached_property
    def predictions(self):
        estimator, X = self.learner.estimator_, self._stop_set.X
        if not provides(estimator, "proba", X):
            return np.asarray(estimator.predict(readable_rows(X)))
        if self.proba is None:
            return None
        return self.learner.classes_[self.proba.argmax(axis=1)]

    @property
    def previous_predictions(self):
        return None if self._before is None else self._before.predictions

    @functools.cached_property
    def is_open(self):
        return self._stop_set.is_open(self._done)

    @functools.cached_property
    def selected_accuracy(self):
        if self._before is None:
            return np.nan
        labeled = self._labeled
        rows = np.flatnonzero(labeled.rounds > self._before.last)
        if not len(rows):
            return np.nan
        X = readable_rows(take_rows(labeled.X, rows))
        return float(np.mean(self._before.model.predict(X) == labeled.y[rows]))

    @property
    def key(self):
        """What tells this round from others: seed, last answers, number of labels."""
        return self.learner._seed, int(self._labeled.rounds.max()), self.n_labeled

    def kept(self, reads):
        """What the next round will want of this one, for criteria that read `reads`."""
        return Before(
            key=self.key,
            predictions=self.predictions if "predictions" in reads else None,
            model=self.learner.estimator_ if "selected" in reads else None,
            last=self.key[1],
        )
