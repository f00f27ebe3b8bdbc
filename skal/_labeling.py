# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What the learner keeps of the answers: labels, ids, rounds, skipped rows."""

import numpy as np
from sklearn.frozen import FrozenEstimator

from skal._labeled_set import LabeledSet
from skal.utils._rows import take_rows
from skal.utils._validation import (
    check_classes,
    check_exclude,
    check_ids,
    check_known_labels,
)


class KeepsLabeledSet:
    """The labelled set of a learner and what follows from it.

    The set itself, `_labeled`, is never changed in place; `_round` counts the times
    that answers came in, `_stale` says that the model has not seen the latest.
    """

    @property
    def X_labeled_(self):
        return self._labeled_part("X")

    @property
    def y_labeled_(self):
        return self._labeled_part("y")

    @property
    def ids_labeled_(self):
        return self._labeled_part("ids")

    @property
    def rounds_labeled_(self):
        return self._labeled_part("rounds")

    @property
    def ids_skipped_(self):
        return self._skipped

    def _labeled_part(self, name):
        if getattr(self, "_labeled", None) is None:
            raise AttributeError("Nothing is labelled yet: call fit or teach first.")
        return getattr(self._labeled, name)

    def _vocabulary(self, y):
        """The label vocabulary once the labels y are in."""
        if self.classes is not None:
            classes = check_classes(self.classes)
        elif isinstance(self.estimator, FrozenEstimator):
            classes = np.asarray(self.estimator.classes_)
        else:
            known = getattr(self, "classes_", y[:0])
            return np.unique(np.concatenate([known, y])) if len(known) else np.unique(y)
        check_known_labels(y, classes)
        return classes

    def _record_answers(self, X, y, answered, ids, params):
        rows = np.flatnonzero(answered)
        if ids is not None:
            skipped = {ids[i] for i in np.flatnonzero(~answered)}
            labeled = {ids[i] for i in rows} | self._known_ids()
            self._skipped = (self._skipped | skipped) - labeled
        if len(rows) == 0:
            self._round += 1
            return
        new = LabeledSet.of(
            take_rows(X, rows),
            y,
            round_=self._round,
            ids=None if ids is None else [ids[i] for i in rows],
            params={name: take_rows(value, rows) for name, value in params.items()},
        )
        self._record(new)

    def _known_ids(self):
        labeled = getattr(self, "_labeled", None)
        return set() if labeled is None else set(labeled.ids) - {None}

    def _record(self, new):
        self.classes_ = self._vocabulary(new.y)
        self._labeled = new if self._labeled is None else self._labeled.join(new)
        self._round += 1
        self._stale = True

    def _open_rows(self, n_rows, exclude, ids):
        """Positions that may be asked: not excluded, not taught, not skipped."""
        closed = check_exclude(() if exclude is None else exclude, n_rows)
        if ids is not None:
            ids = check_ids(ids, n_rows)
            done = self._known_ids() | getattr(self, "_skipped", frozenset())
            closed |= np.fromiter((id_ in done for id_ in ids), bool, count=n_rows)
        return np.flatnonzero(~closed)
