# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""How far two models of the same labels agree."""

import copy
import itertools
import math
from numbers import Integral

from sklearn.base import clone

from skal._round_estimator import fit_round
from skal.functional import cohen_kappa
from skal.stopping._base import N_STOP, check_round, check_stop_pool
from skal.stopping._round import Round, StopSet
from skal.utils._random import draw_seed, seed_nested, stream
from skal.utils._sklearn import Interval, validate_parameter_constraints

_CONSTRAINTS = {
    "n_repeats": [Interval(Integral, 2, None, closed="left")],
    "n_stop": N_STOP,
    "random_state": ["random_state"],
}


def noise_floor(
    learner, X_pool, *, ids=None, n_repeats=2, n_stop=1000, random_state=None
):
    """Measure how far models of the same labels agree that differ in their seeds.

    A fine-tuned transformer never agrees fully with another one that saw the same
    labels: another seed is another head, another order of the rows, other dropout
    masks. A threshold on the agreement of consecutive rounds that lies above this floor
    is not reached, however many labels come in.

    Parameters
    ----------
    learner : ActiveLearner
        Fitted. It is not changed.
    X_pool : sequence of length n
        The pool, as it is given to `update` of a criterion: the stop set is the same.
    ids : sequence of length n, default=None
        Names of its rows, as given to `teach`. With them a classifier whose `fit` takes
        `X_unlabeled` is offered the rows without a label, else the whole pool.
    n_repeats : int, default=2
        How many models are fitted on the labels of this round.
    n_stop : int or None, default=1000
        Rows in the stop set; None takes the whole pool.
    random_state : int, RandomState instance or None, default=None
        Every `random_state` in the classifier is drawn from it, also those that are
        set. None takes the learner's seed.

    Returns
    -------
    kappa : float
        Cohen's kappa of their predictions, the mean over all pairs. 1 for a classifier
        in which nothing is random; around 0 while the models have learned nothing; nan
        if probabilities are not finite.

    Raises
    ------
    ValueError, TypeError
        If a parameter is not what is described above, or the learner has answers that
        it could not be fitted on yet.
    NotFittedError
        If the learner is not fitted.

    See Also
    --------
    KappaAverage : Takes the floor as `noise_floor`.

    Notes
    -----
    `n_repeats` fits and as many predictions of the stop set. The floor rises with the
    number of labels: measure it again after some rounds.

    Models are fitted from scratch, also those with ``warm_start=True``. A frozen one is
    not fitted: the floor is 1.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.neural_network import MLPClassifier
    >>> from skal import ActiveLearner
    >>> from skal.stopping import KappaAverage, noise_floor
    >>> X, y = make_blobs(300, cluster_std=3.0, random_state=0)
    >>> network = MLPClassifier(solver="lbfgs", max_iter=15000, random_state=0)
    >>> learner = ActiveLearner(network, random_state=0).fit(X[:20], y[:20])
    >>> floor = noise_floor(learner, X)
    >>> floor < 0.99
    True
    >>> criterion = KappaAverage(threshold=0.99, noise_floor=floor)
    """
    params = {"n_repeats": n_repeats, "n_stop": n_stop, "random_state": random_state}
    validate_parameter_constraints(_CONSTRAINTS, params, "noise_floor")
    check_round(learner)
    ids = check_stop_pool(learner, X_pool, ids, "noise_floor")
    stop_set = StopSet.draw(X_pool, ids, n_stop, learner._seed)
    seed = learner._seed if random_state is None else draw_seed(random_state)
    rng = stream(seed, learner._round)
    predictions = []
    for _ in range(n_repeats):
        twin = _refitted(learner, rng, X_pool, learner._unlabeled_rows(ids))
        predictions.append(Round(twin, stop_set).predictions)
    if any(predicted is None for predicted in predictions):
        return math.nan
    kappas = [cohen_kappa(*pair) for pair in itertools.combinations(predictions, 2)]
    return math.fsum(kappas) / len(kappas)


def _refitted(learner, rng, pool, pool_rows):
    """A copy of the learner with another model of the same labels."""
    twin = copy.copy(learner)
    twin.estimator = seed_nested(clone(learner.estimator), rng, overwrite=True)
    twin.keep_estimators = False
    del twin.estimator_  # that a warm start begins anew
    fit_round(twin, pool, pool_rows)
    return twin
