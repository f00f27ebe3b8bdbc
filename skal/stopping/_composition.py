# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Criteria made of criteria."""

import functools
import operator
from numbers import Integral

from sklearn.base import clone

from skal.stopping._base import StoppingCriterion, updated
from skal.utils._naming import name_parts
from skal.utils._sklearn import BaseComposition, Interval


class _OfSeveral(StoppingCriterion, BaseComposition):
    """Base of the criteria that ask several others, all of them in every round."""

    _parameter_constraints = {"criteria": [list, tuple]}

    def __init__(self, criteria):
        self.criteria = criteria

    @property
    def reads(self):
        """What the criteria inside read."""
        return functools.reduce(operator.or_, (c.reads for c in self._inside()))

    @property
    def _named(self):
        """(name, criterion) of each, for parameter names like ``deltaf__window``."""
        given = self.criteria if isinstance(self.criteria, (list, tuple)) else ()
        return name_parts(given)

    @_named.setter
    def _named(self, named):
        self.criteria = named

    def get_params(self, deep=True):
        """Get the parameters and, by name, the criteria and their parameters.

        Parameters
        ----------
        deep : bool, default=True
            Include the criteria by name and their parameters.

        Returns
        -------
        params : dict of str to object
            Values by name.
        """
        return self._get_params("_named", deep=deep)

    def set_params(self, **params):
        """Set parameters, swap criteria, set parameters of criteria.

        Parameters
        ----------
        **params : dict
            ``name=criterion`` replaces one, ``name__parameter=value`` sets one of its
            parameters.

        Returns
        -------
        self : object
            The criterion.
        """
        if "criteria" in params:
            self.criteria = params.pop("criteria")
        self._set_params("_named", **params)
        return self

    def _inside(self):
        return tuple(criterion for _, criterion in self._named)

    def _check_parameters(self):
        self._validate_params()
        if not self._named:
            raise ValueError(
                "criteria must be a list of at least one criterion. Got "
                f"{self.criteria!r:.60}."
            )
        for name, criterion in self._named:
            if not isinstance(criterion, StoppingCriterion):
                raise TypeError(
                    "criteria must hold criteria, or (name, criterion) tuples. "
                    f"{name!r} is {criterion!r:.60}."
                )
        self._validate_names([name for name, _ in self._named])
        super()._check_parameters()

    def _value(self, seen):
        before = getattr(self, "criteria_", None) or [clone(c) for c in self._inside()]
        pairs = [updated(criterion, seen) for criterion in before]
        self.criteria_ = [criterion for criterion, _ in pairs]
        return sum(advice for _, advice in pairs)


class All(_OfSeveral):
    """Stop when all of several criteria advise to; ``a & b``.

    Parameters
    ----------
    criteria : list of StoppingCriterion or of (str, StoppingCriterion) tuples
        At least one. Without names each is named after its class in lower case, with a
        number if the class occurs more than once.

    Attributes
    ----------
    history_ : list of float
        How many of them advised to stop in each round.
    advice_ : list of bool
        What was advised in each round.
    criteria_ : list of StoppingCriterion
        Clones of the criteria, each with its own history.

    See Also
    --------
    Any : When one of them advises to.

    Notes
    -----
    All criteria are told of every round, with one look at the stop set for all of them:
    each uses the first `n_stop` rows of the largest.

    Examples
    --------
    >>> from skal.stopping import All, Budget, ClassificationChange
    >>> both = ClassificationChange() & Budget(100)
    >>> both
    All(criteria=[ClassificationChange(), Budget(n_labels=100)])
    >>> both.set_params(classificationchange__threshold=0.01).criteria[0]
    ClassificationChange(threshold=0.01)
    """

    def _advises(self, values):
        return values[-1] == len(self.criteria_)


class Any(_OfSeveral):
    """Stop when one of several criteria advises to; ``a | b``.

    Parameters
    ----------
    criteria : list of StoppingCriterion or of (str, StoppingCriterion) tuples
        At least one. Without names each is named after its class in lower case, with a
        number if the class occurs more than once.

    Attributes
    ----------
    history_ : list of float
        How many of them advised to stop in each round.
    advice_ : list of bool
        What was advised in each round.
    criteria_ : list of StoppingCriterion
        Clones of the criteria, each with its own history.

    See Also
    --------
    All : When all of them advise to.

    Notes
    -----
    All criteria are told of every round, with one look at the stop set for all of them:
    each uses the first `n_stop` rows of the largest.

    Examples
    --------
    >>> from skal.stopping import Any, Budget, SelectedAccuracy
    >>> SelectedAccuracy() | Budget(500)
    Any(criteria=[SelectedAccuracy(), Budget(n_labels=500)])
    """

    def _advises(self, values):
        return values[-1] > 0


class Patience(StoppingCriterion):
    """Stop when a criterion has advised to several rounds in a row.

    Parameters
    ----------
    criterion : StoppingCriterion
        What is asked in each round.
    n_rounds : int, default=3
        How often in a row it must advise to stop.

    Attributes
    ----------
    history_ : list of float
        How often in a row it had advised to stop, in each round.
    advice_ : list of bool
        What was advised in each round.
    criterion_ : StoppingCriterion
        A clone of the criterion, with its own history.

    Notes
    -----
    The cost of the criterion.

    Examples
    --------
    >>> from skal.stopping import Patience, SelectedAccuracy
    >>> Patience(SelectedAccuracy(), n_rounds=2).reads
    frozenset({'selected'})
    """

    _parameter_constraints = {
        "criterion": [StoppingCriterion],
        "n_rounds": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, criterion, n_rounds=3):
        self.criterion = criterion
        self.n_rounds = n_rounds

    @property
    def reads(self):
        """What the criterion inside reads."""
        return self.criterion.reads

    def _inside(self):
        return (self.criterion,)

    def _value(self, seen):
        before = getattr(self, "criterion_", None) or clone(self.criterion)
        self.criterion_, advice = updated(before, seen)
        in_a_row = self.history_[-1] if hasattr(self, "history_") else 0
        return in_a_row + 1 if advice else 0

    def _advises(self, values):
        return values[-1] >= self.n_rounds
