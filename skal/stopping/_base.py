# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The base of every stopping criterion."""

import copy
import math
from abc import abstractmethod
from numbers import Integral

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skal._labeling import KeepsLabeledSet
from skal.stopping._round import Round, StopSet
from skal.utils._capabilities import check_provides
from skal.utils._rollback import as_before_on_error
from skal.utils._sklearn import Interval
from skal.utils._validation import check_ids, check_pool

_OF_STOP_SET = frozenset({"predictions", "proba"})
N_STOP = [Interval(Integral, 1, None, closed="left"), None]
WINDOW = [Interval(Integral, 1, None, closed="left")]


class StoppingCriterion(BaseEstimator):
    """Base of the criteria that say when enough rows are labelled.

    A criterion is told of every round by `update`, notes one number for it in
    `history_` and says whether it advises to stop. It never stops anything by itself.
    ``a & b`` advises to stop when both do, ``a | b`` when one of them does.

    A subclass names in `reads` what it reads: "predictions" or "proba" of the stop set,
    "selected" for the accuracy on the rows selected last, "model" if it asks the
    learner's classifier something else, nothing if the labels alone are enough. It
    implements two methods:

    `_value(seen)`
        The number of this round, nan if it cannot be told. `seen` has the attributes
        `learner`, `n_labeled`, `proba`, `predictions`, `previous_predictions` (both
        None where they are not known), `is_open` and `selected_accuracy`. Rows of the
        stop set beyond its own `n_stop` are not meant for this criterion.
    `_advises(values)`
        Whether to stop, given the numbers of all rounds so far.

    Attributes
    ----------
    history_ : list of float
        One number per round.
    advice_ : list of bool
        What was advised in each round.

    See Also
    --------
    skal.ActiveLearner : Obeys a criterion while it spends a `budget`.
    skal.simulate : Notes the advice of several criteria.

    Examples
    --------
    >>> from skal.stopping import StoppingCriterion
    >>> class Confident(StoppingCriterion):
    ...     '''Stop when the model is surer than this of the least sure row.'''
    ...
    ...     reads = frozenset({"proba"})
    ...
    ...     def __init__(self, threshold=0.8, n_stop=1000):
    ...         self.threshold = threshold
    ...         self.n_stop = n_stop
    ...
    ...     def _value(self, seen):
    ...         return seen.proba[: self.n_stop].max(axis=1).min()
    ...
    ...     def _advises(self, values):
    ...         return values[-1] >= self.threshold
    >>> Confident() | Confident(0.9)
    Any(criteria=[Confident(), Confident(threshold=0.9)])
    """

    _parameter_constraints = {}

    #: What is read, a frozenset of names.
    reads = frozenset()

    def update(self, learner, X_pool=None, *, ids=None):
        """Note a round, and say whether it could be the last.

        Call it after each `fit` or `teach`. A second call in the same round notes
        nothing and says the same.

        Parameters
        ----------
        learner : ActiveLearner
            Fitted. It is not changed.
        X_pool : sequence of length n, default=None
            The pool, needed in the first call, by criteria that look at rows: the stop
            set is drawn from it with the learner's seed and copied. Later calls do not
            read it, so that it may shrink.
        ids : sequence of length n, default=None
            Names of the rows of that pool, as given to `teach`; also read in the first
            call only. With them :class:`OverallUncertainty` leaves rows out that are
            labelled by now.

        Returns
        -------
        advice : bool
            Whether to stop.

        Raises
        ------
        ValueError
            If a parameter, `X_pool` or `ids` is not what is described above; if the
            learner has answers that it could not be fitted on yet, or fewer labels than
            in the round before.
        TypeError
            If the learner is no ActiveLearner.
        NotFittedError
            If the learner is not fitted.
        MissingCapabilityError
            If the classifier lacks what the criterion reads.
        """
        self._check_parameters()
        check_round(learner)
        self._check_readable(learner.estimator_, X_pool)
        names = None
        if self._wants_rows():
            names = check_stop_pool(learner, X_pool, ids, type(self).__name__)
        done = learner._known_ids() | learner._skipped
        return self._follow(learner, X_pool, names, done)

    @abstractmethod
    def _value(self, seen):
        """The number of the round."""

    @abstractmethod
    def _advises(self, values):
        """Whether to stop after rounds with these numbers."""

    def __and__(self, other):
        return _composed("All", self, other)

    def __or__(self, other):
        return _composed("Any", self, other)

    # What the learner and criteria made of criteria use.

    def _inside(self):
        """The criteria inside, which may themselves have some inside."""
        return ()

    def _check_parameters(self):
        """Validate the parameters, and those of criteria inside."""
        self._validate_params()
        for criterion in self._inside():
            criterion._check_parameters()

    def _check_readable(self, estimator, X):
        """Refuse a classifier without the method for what is read, by name."""
        if not self._inside() and "proba" in self.reads:
            name, instead = type(self).__name__, "another criterion"
            check_provides(name, estimator, {"proba"}, X, instead)
        for criterion in self._inside():
            criterion._check_readable(estimator, X)

    def _wants_rows(self):
        """Whether the stop set is yet to be drawn."""
        return bool(self.reads & _OF_STOP_SET) and not hasattr(self, "_stop_set")

    def _largest_stop_set(self):
        """The largest `n_stop`, None if one of them means the whole pool."""
        sizes = [criterion._largest_stop_set() for criterion in self._inside()]
        if not sizes:
            return getattr(self, "n_stop", None) if self.reads & _OF_STOP_SET else 0
        return None if None in sizes else max(sizes)

    def _follow(self, learner, pool, names, done):
        """`update`, of what is checked. `done` are the names of rows not open."""
        before = getattr(self, "_before", None)
        key = Round(learner).key
        if before is not None and key == before.key:
            return self.advice_[-1]
        if before is not None and key[-1] < before.key[-1]:
            raise ValueError(
                "A criterion follows one run, in which labels only come in. Got "
                f"{key[-1]} after {before.key[-1]} in the round before; pass another "
                "run to a clone: sklearn.base.clone(criterion)."
            )
        with as_before_on_error(self):
            if self._wants_rows():
                self._stop_set = StopSet.draw(
                    pool, names, self._largest_stop_set(), learner._seed
                )
            stop_set = getattr(self, "_stop_set", None)
            seen = Round(learner, stop_set, before, done)
            advice = self._update(seen)
            self._before = seen.kept(self.reads)
        return advice

    def _update(self, seen):
        """Note a round. Attributes are replaced, never changed in place."""
        value = float(self._value(seen))
        self.history_ = [*getattr(self, "history_", ()), value]
        advice = bool(self._advises(self.history_))
        self.advice_ = [*getattr(self, "advice_", ()), advice]
        return advice


def latest(values, n_values):
    """The last of the values; None if there are fewer or one of them is nan."""
    values = values[-n_values:]
    if len(values) < n_values or any(map(math.isnan, values)):
        return None
    return values


def mean_reaches(values, n_values, bound):
    """Whether the mean of the last values is a bound at least, but for rounding."""
    values = latest(values, n_values)
    return values is not None and math.fsum(values) / n_values >= bound - 1e-12


def updated(criterion, seen):
    """A criterion that has noted a round, and its advice; the one given has not."""
    criterion = copy.copy(criterion)
    return criterion, criterion._update(seen)


def _composed(kind, first, second):
    if not isinstance(second, StoppingCriterion):
        return NotImplemented
    from skal.stopping import _composition

    cls = getattr(_composition, kind)
    flat = type(first) is cls and isinstance(first.criteria, list)
    return cls([*(first.criteria if flat else [first]), second])


def check_round(learner):
    """Refuse what is no learner, or one whose model has not seen all answers."""
    if not isinstance(learner, KeepsLabeledSet):
        raise TypeError(
            "The learner is asked for, not its classifier: its labels are read too. "
            f"Got {type(learner).__name__}; pass a skal.ActiveLearner around it."
        )
    check_is_fitted(learner)
    if learner._stale:
        raise ValueError(
            "A round ends with a fit on all answers. The learner has some that its "
            "model has not seen, because its last refit failed; call "
            "learner.teach([], []) first."
        )


def check_stop_pool(learner, X_pool, ids, who):
    """Refuse a pool that no stop set can be drawn from; its ids as a list, or None."""
    if X_pool is None:
        raise ValueError(
            f"{who} looks at fixed rows of the pool. Got no pool in the first round; "
            "pass it: update(learner, X_pool)."
        )
    n_rows = check_pool(X_pool, learner.estimator)
    return None if ids is None else check_ids(ids, n_rows)
