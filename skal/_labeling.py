# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What the learner keeps of the answers: labels, ids, rounds, skipped rows."""

import numpy as np
from sklearn.frozen import FrozenEstimator

from skal._labeled_set import LabeledSet
from skal.utils._capabilities import last_step
from skal.utils._rows import copy_rows, take_rows
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
        return copy_rows(self._labeled_part("X"))

    @property
    def y_labeled_(self):
        return self._labeled_part("y").copy()

    @property
    def ids_labeled_(self):
        return list(self._labeled_part("ids"))

    @property
    def rounds_labeled_(self):
        return self._labeled_part("rounds").copy()

    @property
    def ids_skipped_(self):
        if not hasattr(self, "_skipped"):
            raise AttributeError("Nothing was taught yet: call fit or teach first.")
        return self._skipped

    def _labeled_part(self, name):
        if getattr(self, "_labeled", None) is None:
            raise AttributeError("Nothing is labelled yet: call fit or teach first.")
        return getattr(self._labeled, name)

    def _vocabulary(self, y):
        """The label vocabulary once the labels y are in."""
        fixed = self._fixed_classes()
        if fixed is not None:
            classes = fixed
        elif isinstance(self.estimator, FrozenEstimator):
            classes = np.asarray(self.estimator.classes_)
        else:
            known = getattr(self, "classes_", y[:0])
            return np.unique(np.concatenate([known, y])) if len(known) else np.unique(y)
        check_known_labels(y, classes)
        return classes

    def _fixed_classes(self):
        """The vocabulary that the learner, else its classifier, was given."""
        given = _given_classes(self.estimator)
        given = None if given is None else check_classes(given)
        if self.classes is None:
            return given
        classes = check_classes(self.classes)
        if given is not None and not np.array_equal(given, classes):
            raise ValueError(
                f"The learner has classes={classes.tolist()}, its classifier has "
                f"classes={given.tolist()}; give them to one of the two, or alike."
            )
        return classes

    def _record_answers(self, X, y, answered, ids, params):
        if len(answered) == 0:
            return
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

    def _unlabeled_rows(self, pool_ids):
        """Positions in a pool with these ids that have no label; None without ids."""
        if pool_ids is None:
            return None
        labeled = self._known_ids()
        return np.flatnonzero([id_ not in labeled for id_ in pool_ids])

    def _open_rows(self, n_rows, exclude, ids):
        """Positions that may be asked: not excluded, not taught, not skipped."""
        closed = check_exclude(() if exclude is None else exclude, n_rows)
        if ids is not None:
            ids = check_ids(ids, n_rows)
            done = self._known_ids() | getattr(self, "_skipped", frozenset())
            closed |= np.fromiter(map(done.__contains__, ids), bool, count=n_rows)
        return np.flatnonzero(~closed)


def _given_classes(estimator):
    """The `classes` given to a classifier, else those given to the one inside it."""
    params = last_step(estimator).get_params(deep=False)
    if params.get("classes") is None and {"classes", "estimator"} <= set(params):
        return _given_classes(params["estimator"])
    return params.get("classes")
