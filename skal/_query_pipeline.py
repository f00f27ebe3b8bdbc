# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Filters and a strategy as named steps."""

from skal._filter import PoolFilter, query_through
from skal._strategy import QueryStrategy
from skal.utils._naming import name_parts
from skal.utils._sklearn import BaseComposition


class QueryPipeline(QueryStrategy, BaseComposition):
    """Filters and a strategy as named steps, like scikit-learn's Pipeline.

    Parameters
    ----------
    steps : list of (str, estimator) tuples
        Any number of filters, whose own `strategy` stays None, or the string
        "passthrough" in place of one; last, the strategy that picks.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier or None
        The classifier given to `fit`.
    encoder_ : FrozenEstimator or None
        The classifier's frozen encoder, where a filter asks for it.
    seed_ : int
        Seed of the steps whose `random_state` is None.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.

    See Also
    --------
    make_query_pipeline : The same without naming the steps.

    Notes
    -----
    ``QueryPipeline([("a", A()), ("b", B()), ("s", S())])`` picks what
    ``A(B(S()))`` picks; only the parameter names are flat, so that a search can swap
    a filter for another or for "passthrough".

    Examples
    --------
    >>> from skal import QueryPipeline
    >>> from skal.filters import RandSub
    >>> from skal.strategies import Entropy
    >>> pipeline = QueryPipeline([("sub", RandSub()), ("entropy", Entropy())])
    >>> pipeline.set_params(sub__max_subpool=50).get_params()["sub__max_subpool"]
    50
    """

    def __init__(self, steps):
        self.steps = steps

    @property
    def reads(self):
        """What the steps read of the classifier, together."""
        reads = super().reads
        for pool_filter in self._filters():
            reads = reads | pool_filter.filter_reads
        return reads

    @property
    def draws_from_pool(self):
        """Whether a step draws rows at random by their positions in the pool."""
        filters = self._filters()
        return self._last().draws_from_pool or any(f.filter_draws for f in filters)

    @property
    def named_steps(self):
        """The steps by name, a dict."""
        return dict(self.steps)

    def get_params(self, deep=True):
        """Get the parameters of the pipeline and of its steps, by flat names.

        Parameters
        ----------
        deep : bool, default=True
            Include the steps and their parameters.

        Returns
        -------
        params : dict of str to object
            Values by name.
        """
        return self._get_params("steps", deep=deep)

    def set_params(self, **params):
        """Set parameters of the pipeline, swap steps, set parameters of steps.

        Parameters
        ----------
        **params : dict
            ``name=step`` replaces a step, ``name__parameter=value`` sets one of its
            parameters.

        Returns
        -------
        self : object
            The pipeline.
        """
        self._set_params("steps", **params)
        return self

    def fit(self, X, y=None, estimator=None):
        """Remember the labelled set and the classifier; see :class:`QueryStrategy`.

        Parameters
        ----------
        X : sequence of length n_labeled
            The labelled rows.
        y : array-like of shape (n_labeled,), default=None
            Their labels.
        estimator : fitted classifier, default=None
            Neither cloned nor refitted.

        Returns
        -------
        self : object
            The pipeline.

        Raises
        ------
        TypeError
            If a step is not a filter or the last one is not a strategy.
        ValueError
            If a filter among the steps holds a strategy of its own.
        """
        return super().fit(X, y, estimator)

    def _filters(self):
        return [step for _, step in self.steps[:-1] if _is_filter(step)]

    def _last(self):
        return self.steps[-1][1]

    def _inside(self):
        return (self._last(),)

    def _check_parameters(self):
        self._check_steps()
        for step in (*self._filters(), self._last()):
            step._check_parameters()

    def _check_steps(self):
        if not self.steps:
            raise ValueError(
                "A QueryPipeline needs at least a strategy as its last step. Got none."
            )
        self._validate_names([name for name, _ in self.steps])
        for name, step in self.steps[:-1]:
            if not isinstance(step, PoolFilter) and _is_filter(step):
                raise TypeError(
                    "Every step but the last must be a filter or 'passthrough'. Step "
                    f"{name!r} is {step!r:.60}; strategies go last."
                )
            if _is_filter(step) and step.strategy is not None:
                raise ValueError(
                    "A filter in a QueryPipeline must leave its own strategy None. "
                    f"Step {name!r} holds {step.strategy!r:.60}; make that the last "
                    "step."
                )
        name, last = self.steps[-1]
        if not isinstance(last, QueryStrategy):
            raise TypeError(
                f"The last step must be a strategy. Step {name!r} is {last!r:.60}."
            )

    def _represent(self, view):
        return self._last()._represent(view)

    def _query(self, view, n_queries):
        return query_through(self._filters(), self._last(), view, n_queries)


def _is_filter(step):
    return not (isinstance(step, str) and step == "passthrough")


def make_query_pipeline(*steps):
    """Build a :class:`QueryPipeline`, naming each step after its class in lower case.

    Parameters
    ----------
    *steps : estimators
        Filters, last a strategy. A class that occurs more than once gets a number:
        "randsub-1", "randsub-2".

    Returns
    -------
    pipeline : QueryPipeline
        With the steps in the order given.

    Examples
    --------
    >>> from skal import make_query_pipeline
    >>> from skal.filters import AnchorAL, RandSub
    >>> from skal.strategies import Entropy
    >>> pipeline = make_query_pipeline(RandSub(), AnchorAL(), Entropy())
    >>> list(pipeline.named_steps)
    ['randsub', 'anchoral', 'entropy']
    """
    return QueryPipeline(name_parts(steps))
