# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""UPS: the rows that an earlier round was unsure of, and some of the others."""

from numbers import Integral, Real

import joblib
import numpy as np
from sklearn.frozen import FrozenEstimator

from skal._encoded_pool import hash_rows
from skal._fresh_estimator import clone_for, offered
from skal.base import PoolFilter, QueryStrategy, Reads
from skal.functional import entropy, least_confidence, margin, subsampled_rows
from skal.utils._describe import describe
from skal.utils._interrupt import reraise_interrupt
from skal.utils._random import peek_seed, seed_nested, stream
from skal.utils._rows import take_rows
from skal.utils._sklearn import HasMethods, Interval, StrOptions

_MEASURES = {
    "entropy": entropy,
    "least_confidence": least_confidence,
    "margin": margin,
}


class UPS(PoolFilter):
    """Show the strategy the rows that an earlier round was unsure of, and some others.

    Unlabelled pool subsampling. Every few rounds a classifier looks at the whole pool.
    In these rounds and in those between, the share `gamma` of the pool that it was
    least sure of is kept, and each other row with a probability that falls with its
    rank.

    Parameters
    ----------
    strategy : QueryStrategy or None, default=None
        The strategy (or filter) that picks in the subpool; None means Entropy.
    scorer : classifier or None, default=None
        What says how uncertain rows are, cloned and fitted every `every` rounds. None
        means one like the learner's own; a cheap one, TF-IDF and a logistic regression
        say, saves a training. A :class:`~sklearn.frozen.FrozenEstimator` is used as it
        is, and looks at the pool once.
    uncertainty : {"entropy", "least_confidence", "margin"}, default="entropy"
        How uncertainty is measured.
    every : int, default=5
        Rounds from one look at the whole pool to the next.
    gamma : float, default=0.1
        The share of most uncertain rows that is always kept, from 0 to 1.
    temperature : float, default=0.01
        About how large a share of the pool is kept beside it (the paper's T).
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
    RandSub : A random part of the pool.
    skal.functional.subsampling_proba : The probabilities.
    skal.strategies.ViaProxy : A small classifier picks, too.

    Notes
    -----
    *Cost.* In rounds 1, 1 + `every`, 1 + 2 `every` and so on: one training of the
    scorer on the labelled set, and its look at the whole pool object, what a query
    without a filter costs; O(n C) memory (n rows, C classes). The n scores are kept
    with the pool object. In each round O(n log n) time, and what the strategy costs in
    a subpool of about (`gamma` + `temperature`) n rows. So this pays where a look at
    the pool is dear beside a training: in large pools. It has no cap of its own,
    because filters nest: ``UPS(RandSub(strategy, max_subpool=10_000))``. The other way
    round the whole pool object would be looked at for a part of it.

    *Where this differs from the authors' code.* There the scores that the strategy gave
    to the rows it saw are stored and overwritten from query to query; so a batch
    depends on all earlier ones, and a row that was not shown keeps a score from long
    ago. Here a query is a pure function: the scorer learns the labels that were known
    in the latest round that is a multiple of `every`, and all its seeds follow from the
    filter's seed and that round. What is kept saves the training and changes no batch:
    in a new process, or after a label was corrected, the scores are made again. The
    price is the extra training, because the learner's own earlier model is gone by
    then. The learner's classifier is copied with its parameters; a `random_state` that
    it was given does not count, for all are drawn anew. Further:

    * scores are of `uncertainty`, whatever the strategy inside is;
    * rows of equal scores are kept equally often; there an unstable sort ranks them;
    * fewer rows than are to be picked are filled up with the most uncertain ones.

    *Where there is nothing to rank by.* Before any label exists, and as long as the
    labels that the scorer learns have one class, all rows count as equally uncertain:
    each is kept with probability of about `gamma` + `temperature`. A class that comes
    in later is unknown to the scorer until its next training.

    `sample_weight` and other metadata given to the learner's `fit` do not reach the
    scorer, nor does the pool, as `X_unlabeled`.

    References
    ----------
    A. Tsvigun, A. Shelmanov, G. Kuzmin, L. Sanochkin, D. Larionov, G. Gusev, M.
    Avetisian, L. Zhukov. Towards computationally feasible deep active learning.
    Findings of NAACL 2022. :doi:`10.18653/v1/2022.findings-naacl.90`

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal.filters import UPS
    >>> from skal.strategies import Entropy
    >>> X_pool = np.random.RandomState(0).normal(size=(1000, 8))
    >>> X, y = X_pool[:20], np.arange(20) % 2
    >>> classifier = LogisticRegression().fit(X, y)
    >>> strategy = UPS(Entropy(), gamma=0.05, random_state=0)
    >>> len(strategy.fit(X, y, estimator=classifier).query(X_pool[20:], n_queries=5))
    5
    """

    filter_draws = True
    _parameter_constraints = {
        "strategy": [QueryStrategy, None],
        "scorer": [HasMethods(["fit", "predict_proba"]), None],
        "uncertainty": [StrOptions(set(_MEASURES))],
        "every": [Interval(Integral, 1, None, closed="left")],
        "gamma": [Interval(Real, 0, 1, closed="both")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        strategy=None,
        *,
        scorer=None,
        uncertainty="entropy",
        every=5,
        gamma=0.1,
        temperature=0.01,
        random_state=None,
    ):
        self.strategy = strategy
        self.scorer = scorer
        self.uncertainty = uncertainty
        self.every = every
        self.gamma = gamma
        self.temperature = temperature
        self.random_state = random_state

    @property
    def filter_reads(self):
        """A classifier with class probabilities, unless there is a scorer."""
        return Reads(pool={"proba"} if self.scorer is None else ())

    def _select(self, view, n_queries):
        return subsampled_rows(
            self._earlier_scores(view),
            n_queries,
            gamma=self.gamma,
            temperature=self.temperature,
            random_state=view.rng(self.random_state),
        )

    def _earlier_scores(self, view):
        """How uncertain the scorer is of each row of the view, (n,)."""
        template = view.estimator if self.scorer is None else self.scorer
        if isinstance(template, FrozenEstimator):
            scores = self._score(view, id(template), lambda: template)
        elif len(view.labeled) == 0:
            return np.zeros(len(view))
        else:
            scores = self._score(view, *self._earlier_scorer(view, template))
        return scores if view.rows is None else scores[view.rows]

    def _score(self, view, name, fit):
        """The scores of the whole pool object, remembered by the scorer's name."""

        def compute():
            scorer = fit()
            seen = view.seen_by(scorer, Reads(pool={"proba"}), whole=True)
            # A frozen one is held so that its id stays taken.
            held = scorer if isinstance(scorer, FrozenEstimator) else None
            return held, _MEASURES[self.uncertainty](seen.proba)

        key = self.uncertainty, joblib.hash(view.classes), name
        return view.memory.remember(view.pool, key, compute)[1]

    def _earlier_scorer(self, view, template):
        """A name for the scorer of the latest look, and what fits it."""
        round_, X, y = self._known_then(view)
        classes = np.unique(view.labeled.y) if view.classes is None else view.classes
        scorer = clone_for(template, np.unique(y), classes)
        own = self.random_state is not None
        seed = peek_seed(self.random_state) if own else view.seed
        seed_nested(scorer, stream(seed, round_), overwrite=self.scorer is None)
        name = joblib.hash((hash_rows(X), y, round_, describe(scorer)))

        def fit():
            with reraise_interrupt():
                return scorer.fit(X, y, **offered(scorer, None, None, round_ + 1))

        return name, fit

    def _known_then(self, view):
        """The round of the latest look, and the rows and labels known in it.

        If all of these have been corrected since, the first round that has any.
        """
        labeled = view.labeled
        latest = max(view.round - 1, 0) // self.every * self.every
        round_ = max(latest, int(labeled.rounds.min()))
        rows = np.flatnonzero(labeled.rounds <= round_)
        return round_, take_rows(labeled.X, rows), np.asarray(labeled.y)[rows]
