# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Criteria that compare the predictions of consecutive models."""

import math
from numbers import Real

from skal.functional import cohen_kappa, predicted_f_change, prediction_change
from skal.stopping._base import N_STOP, WINDOW, StoppingCriterion, latest, mean_reaches
from skal.utils._sklearn import Interval


class _ComparesPredictions(StoppingCriterion):
    """Base of the criteria that compare the models of two rounds on the stop set."""

    reads = frozenset({"predictions"})

    def _value(self, seen):
        before, now = seen.previous_predictions, seen.predictions
        if before is None or now is None:
            return math.nan
        return self._compare(seen, before[: self.n_stop], now[: self.n_stop])


class KappaAverage(_ComparesPredictions):
    """Stop when the models of consecutive rounds agree (stabilizing predictions).

    Cohen's kappa of each model's predictions and those of its predecessor, on the stop
    set; advises to stop when its mean over the latest rounds reaches the threshold.

    Parameters
    ----------
    threshold : float, default=0.99
        In (0, 1]. The mean that is enough.
    window : int, default=3
        Comparisons in the mean: the first advice can come in round `window` + 1.
    noise_floor : float, default=1.0
        In (0, 1]. The agreement of two models of the same labels that differ in their
        seeds, as :func:`noise_floor` measures it. The threshold is relative to it: the
        mean must reach ``threshold * noise_floor``.
    n_stop : int or None, default=1000
        Rows in the stop set, drawn from the pool at the beginning; None takes the whole
        pool.

    Attributes
    ----------
    history_ : list of float
        Kappa of each round and the round before; nan in the first.
    advice_ : list of bool
        What was advised in each round.

    See Also
    --------
    skal.functional.cohen_kappa : Kappa, and what it is where it would be 0/0.
    ClassificationChange : The plain share of rows that changed.

    Notes
    -----
    One prediction of the stop set per round, shared with all criteria in a combination.

    Models that predict one class for all rows agree, kappa is 1. On a pool with a rare
    class that may be so for some rounds before the class is found:
    ``KappaAverage() & Budget(200)`` waits for 200 labels.

    The paper's stop set is apart from the pool. Here its rows may be labelled in the
    meantime; they stay in it, so that all rounds compare the same rows.

    References
    ----------
    M. Bloodgood, K. Vijay-Shanker. A method for stopping active learning based on
    stabilizing predictions and the need for user-adjustable stopping. CoNLL 2009.
    https://arxiv.org/abs/1409.5165

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal import ActiveLearner
    >>> from skal.stopping import KappaAverage
    >>> X, y = make_blobs(300, centers=2, random_state=0)
    >>> learner = ActiveLearner(
    ...     LogisticRegression(), budget=200, stopping=KappaAverage(), random_state=0
    ... ).fit(X, y)
    >>> learner.termination_condition_, len(learner.y_labeled_)
    ('stopping', 70)
    """

    _parameter_constraints = {
        "threshold": [Interval(Real, 0, 1, closed="right")],
        "window": WINDOW,
        "noise_floor": [Interval(Real, 0, 1, closed="right")],
        "n_stop": N_STOP,
    }

    def __init__(self, threshold=0.99, window=3, *, noise_floor=1.0, n_stop=1000):
        self.threshold = threshold
        self.window = window
        self.noise_floor = noise_floor
        self.n_stop = n_stop

    def _compare(self, seen, before, now):
        return cohen_kappa(before, now)

    def _advises(self, values):
        return mean_reaches(values, self.window, self.threshold * self.noise_floor)


class DeltaF(_ComparesPredictions):
    """Stop when the predicted change of F1 stays small.

    How much F1 would change from one model to the next, if either were right, on the
    stop set; advises to stop when it was below the threshold in each of the latest
    rounds.

    Parameters
    ----------
    threshold : float, default=0.05
        In (0, 1]. The change that is too small to go on.
    window : int, default=3
        Comparisons that must lie below it.
    pos_label : label or None, default=None
        The positive class, as in the paper. None: the mean over the classes, each in
        its turn positive.
    n_stop : int or None, default=1000
        Rows in the stop set, drawn from the pool at the beginning; None takes the whole
        pool.

    Attributes
    ----------
    history_ : list of float
        The predicted change of each round; nan in the first.
    advice_ : list of bool
        What was advised in each round.

    See Also
    --------
    skal.functional.predicted_f_change : The equation, for two classes and for more.

    Notes
    -----
    One prediction of the stop set per round, shared with all criteria in a combination.

    Rows that both models predict to be negative do not count. If neither predicts the
    positive class at all, the equation reads 0/0 and the change is 0. The paper has two
    classes; the mean over several of them is this library's.

    References
    ----------
    M. Altschuler, M. Bloodgood. Stopping active learning based on predicted change of F
    measure for text classification. ICSC 2019. https://arxiv.org/abs/1901.09118

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal import ActiveLearner
    >>> from skal.stopping import DeltaF
    >>> X, y = make_blobs(300, centers=2, random_state=0)
    >>> learner = ActiveLearner(
    ...     LogisticRegression(), budget=200, stopping=DeltaF(), random_state=0
    ... ).fit(X, y)
    >>> learner.termination_condition_, len(learner.y_labeled_)
    ('stopping', 50)
    """

    _parameter_constraints = {
        "threshold": [Interval(Real, 0, 1, closed="right")],
        "window": WINDOW,
        "pos_label": "no_validation",
        "n_stop": N_STOP,
    }

    def __init__(self, threshold=0.05, window=3, *, pos_label=None, n_stop=1000):
        self.threshold = threshold
        self.window = window
        self.pos_label = pos_label
        self.n_stop = n_stop

    def _compare(self, seen, before, now):
        return predicted_f_change(before, now, pos_label=self.pos_label)

    def _value(self, seen):
        classes = seen.learner.classes_.tolist()
        if self.pos_label is not None and self.pos_label not in classes:
            raise ValueError(
                f"pos_label must be one of the labels {classes}, or None for the mean "
                f"over all. Got {self.pos_label!r}."
            )
        return super()._value(seen)

    def _advises(self, values):
        values = latest(values, self.window)
        return values is not None and max(values) < self.threshold


class ClassificationChange(_ComparesPredictions):
    """Stop when hardly any prediction changes from one round to the next.

    Parameters
    ----------
    threshold : float, default=0.0
        In [0, 1]. The share of the stop set that may change.
    n_stop : int or None, default=1000
        Rows in the stop set, drawn from the pool at the beginning; None takes the whole
        pool, as in the paper.

    Attributes
    ----------
    history_ : list of float
        The share that changed in each round; nan in the first.
    advice_ : list of bool
        What was advised in each round.

    See Also
    --------
    KappaAverage : Agreement beyond chance, over several rounds.
    Patience : Waits until the advice lasts.

    Notes
    -----
    One prediction of the stop set per round, shared with all criteria in a combination.

    Rows of the stop set that are labelled in the meantime stay in it, where the paper
    compares the rows that are left.

    References
    ----------
    J. Zhu, H. Wang, E. Hovy. Multi-criteria-based strategy to stop active learning for
    data annotation. COLING 2008. https://aclanthology.org/C08-1142

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal import ActiveLearner
    >>> from skal.stopping import ClassificationChange, Patience
    >>> X, y = make_blobs(300, centers=2, random_state=0)
    >>> stopping = Patience(ClassificationChange(threshold=0.01), n_rounds=2)
    >>> learner = ActiveLearner(
    ...     LogisticRegression(), budget=200, stopping=stopping, random_state=0
    ... ).fit(X, y)
    >>> learner.termination_condition_, len(learner.y_labeled_)
    ('stopping', 60)
    """

    _parameter_constraints = {
        "threshold": [Interval(Real, 0, 1, closed="both")],
        "n_stop": N_STOP,
    }

    def __init__(self, threshold=0.0, *, n_stop=1000):
        self.threshold = threshold
        self.n_stop = n_stop

    def _compare(self, seen, before, now):
        return prediction_change(before, now)

    def _advises(self, values):
        return values[-1] <= self.threshold
