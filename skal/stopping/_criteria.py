# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Criteria that read one model: its certainty, its hits, a metric, the labels."""

import math
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone

from skal.functional import overall_uncertainty
from skal.stopping._base import (
    N_STOP,
    WINDOW,
    StoppingCriterion,
    latest,
    mean_reaches,
    updated,
)
from skal.utils._sklearn import Interval


class OverallUncertainty(StoppingCriterion):
    """Stop when the model is sure of what is left.

    The mean entropy of the rows of the stop set that are not labelled yet, as a share
    of the largest there could be.

    Parameters
    ----------
    threshold : float, default=0.05
        In (0, 1]. Advises to stop below it.
    n_stop : int or None, default=1000
        Rows in the stop set, drawn from the pool at the beginning; None takes the whole
        pool, as in the paper.

    Attributes
    ----------
    history_ : list of float
        The uncertainty in each round; nan while there is one class, and when no row of
        the stop set is left.
    advice_ : list of bool
        What was advised in each round.

    See Also
    --------
    skal.functional.overall_uncertainty : The equation.

    Notes
    -----
    One look at the stop set per round, shared with all criteria in a combination. It
    needs `predict_proba`, and believes it: networks tend to be surer than they should.

    `update` knows which rows are labelled if it is given `ids`; without, all rows of
    the stop set count.

    References
    ----------
    J. Zhu, H. Wang, E. Hovy. Multi-criteria-based strategy to stop active learning for
    data annotation. COLING 2008. https://aclanthology.org/C08-1142

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal import ActiveLearner
    >>> from skal.stopping import OverallUncertainty
    >>> X, y = make_blobs(300, centers=2, random_state=0)
    >>> learner = ActiveLearner(
    ...     LogisticRegression(),
    ...     budget=200,
    ...     stopping=OverallUncertainty(threshold=0.3),
    ...     random_state=0,
    ... ).fit(X, y)
    >>> learner.termination_condition_, len(learner.y_labeled_)
    ('stopping', 30)
    """

    reads = frozenset({"proba"})
    _parameter_constraints = {
        "threshold": [Interval(Real, 0, 1, closed="right")],
        "n_stop": N_STOP,
    }

    def __init__(self, threshold=0.05, *, n_stop=1000):
        self.threshold = threshold
        self.n_stop = n_stop

    def _value(self, seen):
        if seen.proba is None:
            return math.nan
        rows = slice(self.n_stop)
        return overall_uncertainty(seen.proba[rows][seen.is_open[rows]])

    def _advises(self, values):
        return values[-1] < self.threshold


class SelectedAccuracy(StoppingCriterion):
    """Stop when the model predicts right what the strategy picks.

    The accuracy of the model of the last round on the rows that were answered since.
    Costs no label, for these are in hand.

    Parameters
    ----------
    threshold : float, default=0.9
        In (0, 1]. The mean that is enough.
    window : int, default=1
        Rounds in the mean. The accuracy of a batch of 10 is a coarse number.

    Attributes
    ----------
    history_ : list of float
        The accuracy in each round; nan in the first.
    advice_ : list of bool
        What was advised in each round.

    Notes
    -----
    One prediction of the batch per round. The model of a round is kept until the next
    one: `update` must be called in each. It knows the answers that came in by `teach`,
    or while a budget was spent; a second `fit` begins again.

    This is no estimate of the accuracy on new rows: an uncertainty strategy picks the
    hardest ones, so that at first it is worse than on others.

    References
    ----------
    J. Zhu, E. Hovy. Active learning for word sense disambiguation with methods for
    addressing the class imbalance problem. EMNLP-CoNLL 2007 (min-error).
    https://aclanthology.org/D07-1082

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal import ActiveLearner
    >>> from skal.stopping import SelectedAccuracy
    >>> X, y = make_blobs(300, centers=2, random_state=0)
    >>> learner = ActiveLearner(
    ...     LogisticRegression(),
    ...     budget=200,
    ...     stopping=SelectedAccuracy(threshold=0.9, window=2),
    ...     random_state=0,
    ... ).fit(X, y)
    >>> learner.stopping_.history_[-2:], len(learner.y_labeled_)
    ([0.8, 1.0], 60)
    """

    reads = frozenset({"selected"})
    _parameter_constraints = {
        "threshold": [Interval(Real, 0, 1, closed="right")],
        "window": WINDOW,
    }

    def __init__(self, threshold=0.9, window=1):
        self.threshold = threshold
        self.window = window

    def _value(self, seen):
        return seen.selected_accuracy

    def _advises(self, values):
        return mean_reaches(values, self.window, self.threshold)


class Budget(StoppingCriterion):
    """Stop when so many rows are labelled.

    Parameters
    ----------
    n_labels : int
        How many, the initial ones included.

    Attributes
    ----------
    history_ : list of float
        Labels in each round.
    advice_ : list of bool
        What was advised in each round.

    Notes
    -----
    Costs nothing. ``criterion | Budget(500)`` bounds another criterion from above,
    ``criterion & Budget(200)`` from below.

    Examples
    --------
    >>> from skal.stopping import Budget, KappaAverage
    >>> KappaAverage() & Budget(200) | Budget(500)
    Any(criteria=[All(criteria=[KappaAverage(), Budget(n_labels=200)]),
                  Budget(n_labels=500)])
    """

    _parameter_constraints = {"n_labels": [Interval(Integral, 1, None, closed="left")]}

    def __init__(self, n_labels):
        self.n_labels = n_labels

    def _value(self, seen):
        return seen.n_labeled

    def _advises(self, values):
        return values[-1] >= self.n_labels


class Plateau(StoppingCriterion):
    """Stop when a number no longer moves.

    Advises to stop when the numbers of the latest rounds all lie close to that of the
    last one.

    Parameters
    ----------
    metric : callable or StoppingCriterion
        ``metric(learner)`` returns a float, for example the accuracy on labelled rows
        set apart. Of a criterion, its number in each round is watched.
    window : int, default=10
        Rounds over which it must not have moved: the first advice can come in round
        `window` + 1.
    tol : float, default=1e-4
        How far a number may lie from the last one, up to rounding.

    Attributes
    ----------
    history_ : list of float
        The metric in each round.
    advice_ : list of bool
        What was advised in each round.
    metric_ : callable or StoppingCriterion
        What was asked; of a criterion a clone, with a history of its own.

    Notes
    -----
    The cost of the metric once per round. A metric that falls has not come to rest:
    this is no test of "no improvement". nan has not come to rest either.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal import ActiveLearner
    >>> from skal.stopping import OverallUncertainty, Plateau
    >>> X, y = make_blobs(300, centers=2, random_state=0)
    >>> learner = ActiveLearner(
    ...     LogisticRegression(),
    ...     budget=200,
    ...     stopping=Plateau(OverallUncertainty(), window=3, tol=0.01),
    ...     random_state=0,
    ... ).fit(X, y)
    >>> learner.termination_condition_, len(learner.y_labeled_)
    ('stopping', 150)
    """

    _parameter_constraints = {
        "metric": [callable, StoppingCriterion],
        "window": WINDOW,
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, metric, window=10, tol=1e-4):
        self.metric = metric
        self.window = window
        self.tol = tol

    @property
    def reads(self):
        """What the criterion inside reads; of a callable the model."""
        if isinstance(self.metric, StoppingCriterion):
            return self.metric.reads
        return frozenset({"model"})

    def _inside(self):
        return (self.metric,) if isinstance(self.metric, StoppingCriterion) else ()

    def _value(self, seen):
        if not self._inside():
            self.metric_ = self.metric
            return _as_float(self.metric(seen.learner))
        before = getattr(self, "metric_", None) or clone(self.metric)
        self.metric_, _ = updated(before, seen)
        return self.metric_.history_[-1]

    def _advises(self, values):
        values = latest(values, self.window + 1)
        if values is None:
            return False
        farthest = np.max(np.abs(np.subtract(values, values[-1])))
        return farthest <= self.tol * (1 + 1e-9)


def _as_float(value):
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(
            "metric must return one number per round. Got "
            f"{value!r:.60} of type {type(value).__name__}."
        ) from error
