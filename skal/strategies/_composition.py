# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Strategies made of strategies: shared, stochastic and balanced batches."""

from numbers import Real

import numpy as np

from skal._strategy import WrapperStrategy, query_part
from skal.base import QueryStrategy, Reads, ScoreStrategy
from skal.functional import allocate_evenly, allocate_shares, perturbed_scores
from skal.utils._naming import name_parts
from skal.utils._sklearn import BaseComposition, Interval, StrOptions


class Combine(QueryStrategy, BaseComposition):
    """Share each batch between several strategies, without duplicates.

    The strategies pick one after the other; each takes its share of the batch out of
    what those before it left.

    Parameters
    ----------
    strategies : list of QueryStrategy or of (str, QueryStrategy) tuples
        At least one. Without names each is named after its class in lower case, with a
        number if the class occurs more than once, as in
        :func:`~skal.make_query_pipeline`.
    shares : array-like of shape (n_strategies,), default=None
        Proportions of the batch, not negative. None: equal ones. What does not divide
        goes to the largest remainders, of equal ones to the first.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier or None
        The classifier given to `fit`.
    encoder_ : FrozenEstimator or None
        The classifier's frozen encoder, where a strategy asks for it.
    seed_ : int
        Seed of the strategies whose `random_state` is None.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    CartographyAL : Half a batch of these and half by entropy is a baseline of its
        paper.

    Notes
    -----
    The time and memory of the strategies, one after the other. What several of them
    read of the whole pool is computed once; a filter among them looks at its subpool
    again, unless a strategy before it read the whole pool.

    `transform` gives the columns of all strategies side by side. The batch is in the
    order of the strategies.

    References
    ----------
    M. Zhang, B. Plank. Cartography Active Learning. Findings of EMNLP 2021, section 5
    (batches half of which come from entropy).
    :doi:`10.18653/v1/2021.findings-emnlp.36`

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal.strategies import Combine, Entropy, RandomSampling
    >>> X, y = [[-1.0], [1.0]], [0, 1]
    >>> strategy = Combine([Entropy(), RandomSampling(random_state=0)])
    >>> strategy = strategy.fit(X, y, estimator=LogisticRegression().fit(X, y))
    >>> strategy.query([[-2.0], [0.1], [3.0]], n_queries=2).tolist()
    [1, 2]
    >>> strategy.set_params(randomsampling__random_state=1).get_params()["entropy"]
    Entropy()
    """

    _parameter_constraints = {
        "strategies": [list, tuple],
        "shares": ["array-like", None],
    }

    def __init__(self, strategies, shares=None):
        self.strategies = strategies
        self.shares = shares

    @property
    def draws_from_pool(self):
        """Whether a strategy draws rows at random by their positions in the pool."""
        return any(strategy.draws_from_pool for strategy in self._inside())

    @property
    def _named(self):
        """(name, strategy) of each, for parameter names such as ``entropy__...``."""
        given = self.strategies if isinstance(self.strategies, (list, tuple)) else ()
        return name_parts(given)

    @_named.setter
    def _named(self, named):
        self.strategies = named

    def get_params(self, deep=True):
        """Get the parameters and, by name, the strategies and their parameters.

        Parameters
        ----------
        deep : bool, default=True
            Include the strategies by name and their parameters.

        Returns
        -------
        params : dict of str to object
            Values by name.
        """
        return self._get_params("_named", deep=deep)

    def set_params(self, **params):
        """Set parameters, swap strategies, set parameters of strategies.

        Parameters
        ----------
        **params : dict
            ``name=strategy`` replaces one, ``name__parameter=value`` sets one of its
            parameters.

        Returns
        -------
        self : object
            The strategy.
        """
        if "strategies" in params:
            self.strategies = params.pop("strategies")
        self._set_params("_named", **params)
        return self

    def _inside(self):
        return tuple(strategy for _, strategy in self._named)

    def _check_parameters(self):
        self._check_strategies()
        super()._check_parameters()
        self._check_shares()

    def _check_strategies(self):
        if not self._named:
            raise TypeError(
                "strategies must be a list of at least one strategy. Got "
                f"{self.strategies!r:.60}."
            )
        for name, strategy in self._named:
            if not isinstance(strategy, QueryStrategy):
                raise TypeError(
                    "strategies must hold strategies, or (name, strategy) tuples. "
                    f"{name!r} is {strategy!r:.60}."
                )
        self._validate_names([name for name, _ in self._named])

    def _check_shares(self):
        if self.shares is None:
            return
        shares = np.asarray(self.shares, dtype=np.float64)
        if shares.shape != (len(self.strategies),) or not (
            np.isfinite(shares).all() and (shares >= 0).all() and shares.any()
        ):
            raise ValueError(
                "shares must hold one number of at least 0 per strategy, not all of "
                f"them 0. Got {self.shares!r:.60} for {len(self.strategies)} "
                "strategies."
            )

    def _represent(self, view):
        return np.column_stack([s._represent(view) for s in self._inside()])

    def _query(self, view, n_queries):
        inside = self._inside()
        shares = np.ones(len(inside)) if self.shares is None else self.shares
        picked = np.empty(0, dtype=np.int64)
        for strategy, count in zip(
            inside, allocate_shares(shares, n_queries), strict=True
        ):
            left = np.delete(np.arange(len(view)), picked)
            picked = np.concatenate([picked, query_part(strategy, view, left, count)])
        return picked


class PowerSampling(ScoreStrategy, WrapperStrategy):
    """Draw the batch at random, rows with larger scores more often.

    The best rows of one score are often alike, and one of them would do. A draw without
    replacement, with probabilities that grow with the score, spreads the batch at no
    cost.

    Parameters
    ----------
    strategy : ScoreStrategy or None, default=None
        What scores the rows; None means Entropy.
    kind : {"power", "softmax", "softrank"}, default="power"
        The law of the draw: powers of the score, exponentials of it, or powers of the
        rank; see :func:`~skal.functional.perturbed_scores`.
    beta : float, default=1.0
        How much the scores weigh (the paper's coldness): 0 draws uniformly, large
        values come close to `strategy` itself.
    random_state : int, RandomState instance or None, default=None
        None takes the learner's seed. Every round draws anew either way.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier or None
        The classifier given to `fit`.
    encoder_ : FrozenEstimator or None
        The classifier's frozen encoder, where the strategy asks for it.
    seed_ : int
        Seed used when `random_state` is None.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.functional.perturbed_scores : The scores with their noise.
    ClassBalanced : Spreads the batch over the predicted classes.

    Notes
    -----
    The cost of `strategy` and O(n) time and memory. `transform` gives the scores with
    the noise that decides. "power" takes scores of at least 0; where one is negative,
    as with :class:`Margin`, the smallest is subtracted from all.

    The strategy must score each row on its own: a filter goes around,
    ``AnchorAL(PowerSampling(Entropy()))``.

    References
    ----------
    A. Kirsch, S. Farquhar, P. Atighehchian, A. Jesson, F. Branchaud-Charron, Y. Gal.
    Stochastic batch acquisition: a simple baseline for deep active learning. TMLR 2023.
    https://arxiv.org/abs/2106.12059

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal.strategies import Margin, PowerSampling
    >>> X, y = [[-1.0], [1.0]], [0, 1]
    >>> strategy = PowerSampling(Margin(), beta=2.0, random_state=0)
    >>> strategy = strategy.fit(X, y, estimator=LogisticRegression().fit(X, y))
    >>> len(strategy.query([[-2.0], [0.1], [3.0]], n_queries=2))
    2
    """

    draws_from_pool = True
    _parameter_constraints = {
        "strategy": [ScoreStrategy, None],
        "kind": [StrOptions({"power", "softmax", "softrank"})],
        "beta": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, strategy=None, *, kind="power", beta=1.0, random_state=None):
        self.strategy = strategy
        self.kind = kind
        self.beta = beta
        self.random_state = random_state

    def _score(self, view):
        return perturbed_scores(
            self._inner()._score(view),
            kind=self.kind,
            beta=self.beta,
            random_state=view.rng(self.random_state),
        )


class ClassBalanced(WrapperStrategy):
    """Share each batch evenly between the classes that the classifier predicts.

    The pool is cut by predicted class, and the strategy picks in each part.

    Parameters
    ----------
    strategy : QueryStrategy or None, default=None
        What picks among the rows of one predicted class; None means Entropy.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier
        The classifier given to `fit`.
    encoder_ : FrozenEstimator or None
        The classifier's frozen encoder, where the strategy asks for it.
    seed_ : int
        Seed of whatever inside leaves its own `random_state` None.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    skal.functional.allocate_evenly : How many rows each class gives.
    skal.filters.AnchorAL : Balances what the strategy gets to see.

    Notes
    -----
    The cost of the strategy, once per class on the rows predicted so, and O(n C) time.
    A class that is predicted for fewer rows than its share gives all of them; what does
    not divide goes to the classes predicted least often. A class never predicted gives
    none: with a small minority the classifier may not know yet, AnchorAL does more.

    Equal probabilities count for the lower class. `transform` gives what the strategy
    gives, of the whole pool.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal.strategies import ClassBalanced, Entropy
    >>> X, y = [[-1.0], [1.0]], [0, 1]
    >>> strategy = ClassBalanced(Entropy())
    >>> strategy = strategy.fit(X, y, estimator=LogisticRegression().fit(X, y))
    >>> strategy.query([[0.1], [0.2], [0.3], [-2.0]], n_queries=2).tolist()
    [3, 0]
    """

    _parameter_constraints = {"strategy": [QueryStrategy, None]}

    def __init__(self, strategy=None):
        self.strategy = strategy

    @property
    def reads(self):
        """The pool's class probabilities, and what the strategy inside reads."""
        return Reads(pool=frozenset({"proba"})) | super().reads

    def _query(self, view, n_queries):
        predicted = view.proba.argmax(axis=1)
        counts = allocate_evenly(np.bincount(predicted), n_queries)
        parts = [
            query_part(self._inner(), view, np.flatnonzero(predicted == c), count)
            for c, count in enumerate(counts)
        ]
        return np.concatenate(parts)
