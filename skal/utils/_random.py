# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Where every random number of skal comes from."""

import copy

import numpy as np
from sklearn.utils import check_random_state

_MAX_SEED = np.iinfo(np.int32).max


def draw_seed(random_state):
    """One integer seed, in [0, 2**31 - 1), from None, an int or a RandomState.

    None takes fresh entropy from the operating system; NumPy's global generator is
    neither read nor advanced.
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] % _MAX_SEED)
    return int(check_random_state(random_state).randint(_MAX_SEED))


def peek_seed(random_state):
    """The seed that `random_state` stands for, without advancing it.

    An int is its own seed; a RandomState is read from a copy, so that a query stays a
    pure function of the strategy's parameters.
    """
    if isinstance(random_state, np.random.RandomState):
        return draw_seed(copy.deepcopy(random_state))
    return int(random_state)


def stream(seed, round_, depth=0):
    """The random numbers of one round: a RandomState seeded by (seed, round, depth)."""
    sequence = np.random.SeedSequence([seed, round_], spawn_key=(depth,))
    return np.random.RandomState(np.random.MT19937(sequence))


def seed_nested(estimator, rng, like=None, overwrite=False):
    """Give every nested `random_state=None` of `estimator` an integer from `rng`.

    Changes `estimator` in place (pass a clone). Keys are visited in sorted order, so
    the seeds do not depend on the order in which parameters are declared; a
    random_state the user set is left alone, but with `overwrite`. With `like`, those
    are seeded that are None there.
    """
    params = (estimator if like is None else like).get_params(deep=True)
    seeds = {
        key: draw_seed(rng)
        for key in sorted(params)
        if (key == "random_state" or key.endswith("__random_state"))
        and (overwrite or params[key] is None)
    }
    if seeds:
        estimator.set_params(**seeds)
    return estimator
