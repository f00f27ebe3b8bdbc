# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Random picking, the baseline every strategy has to beat."""

from skal.base import ScoreStrategy


class RandomSampling(ScoreStrategy):
    """Pick rows uniformly at random, without replacement.

    Reads nothing of a classifier, so it works before the first fit (cold start).

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        None takes the learner's seed. Every round draws anew either way.

    Attributes
    ----------
    labeled_ : tuple (X, y, rounds) or None
        The labelled set given to `fit`.
    estimator_ : classifier or None
        The classifier given to `fit`.
    encoder_ : None
        Random picking asks for no encoder.
    seed_ : int
        Seed used when `random_state` is None.
    n_features_in_ : int
        Number of features of X in `fit`, where X has features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X is a data frame.

    See Also
    --------
    Entropy : The rows whose predicted distribution is widest.

    Notes
    -----
    O(n) time and memory. `transform` gives the uniform scores that decide.

    Examples
    --------
    >>> from skal.strategies import RandomSampling
    >>> strategy = RandomSampling(random_state=0).fit(["a seed text"], [0])
    >>> len(strategy.query(["some", "texts", "of", "a", "pool"], n_queries=2))
    2
    """

    draws_from_pool = True
    _parameter_constraints = {"random_state": ["random_state"]}

    def __init__(self, *, random_state=None):
        self.random_state = random_state

    def _score(self, view):
        return view.rng(self.random_state).uniform(size=len(view))
