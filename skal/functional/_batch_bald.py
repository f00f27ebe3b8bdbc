# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""BatchBALD: the rows whose labels together say most of the model."""

import numpy as np
from sklearn.utils import check_random_state, gen_batches

from skal.functional._disagreement import bald, sample_entropies
from skal.utils._arrays import check_samples

# Rows looked at again at a time, and numbers made of them at a time: 256 KB.
_ROWS = 64
_BLOCK = 2**15
# Nats by which rounding may tell equal gains apart.
_TIE = 1e-10


def batch_bald(samples, n_queries, *, max_configurations=10_000, random_state=None):
    r"""Pick rows whose labels together have most information about the model.

    The batch grows by the row whose label adds most to what the labels of the rows
    picked so far say of the model: of two like rows the second adds little.

    .. math:: I(y_1, \ldots, y_b; \omega)
        = H(y_1, \ldots, y_b) - \sum_i \frac{1}{T} \sum_t H(p_{ti})

    Parameters
    ----------
    samples : array-like of shape (T, n, C)
        Class probabilities of T committee members or networks, each the same for all
        rows: with masks drawn anew for each row nothing is known of rows together.
    n_queries : int
        Clamped to n.
    max_configurations : int, default=10_000
        Most configurations of labels of the rows picked that are summed over. While
        there are C to the power of their number or fewer, joint entropies are exact.
        Where there would be more, so many are drawn.
    random_state : int, RandomState instance or None, default=None
        Where these draws come from; not read while joint entropies are exact.

    Returns
    -------
    rows : ndarray of shape (min(n_queries, n),), dtype int64
        In the order picked; no duplicates. Gains within 1e-10 tie: the lower row.

    Raises
    ------
    ValueError
        If `samples` is not three-dimensional or empty, or an entry is not a
        probability.

    See Also
    --------
    bald : The gain of the first row.

    Notes
    -----
    What a row adds can only fall as the batch grows, so a row's old gain bounds its new
    one, and only rows whose bound exceeds the best new gain are looked at again (lazy
    greedy): the picks are those of looking at all. O(T n C) time for the first row;
    then, for each further one, O(m T C max_configurations) with m rows looked at again,
    few of n as a rule. Memory: O((T + C) n) beside the samples, and O(T + C) for each
    configuration.

    Configurations are drawn without bias, by likelihood, the likeliest kept for certain
    with their own weights; each pick extends them. Bounds then hold up to the error of
    the draws. The authors' code draws with replacement, and anew for each pick, and
    gives NaN where a probability is 0.

    References
    ----------
    A. Kirsch, J. van Amersfoort, Y. Gal. BatchBALD: Efficient and diverse batch
    acquisition for deep Bayesian active learning. NeurIPS 2019, Algorithm 1 and Section
    3.3. https://arxiv.org/abs/1906.08158

    P. Fearnhead, P. Clifford. On-line inference for hidden Markov models via particle
    filters. JRSS B 65, 2003 (the draws). :doi:`10.1111/1467-9868.00421`

    Examples
    --------
    >>> import numpy as np
    >>> from skal.functional import batch_bald
    >>> row = [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    >>> other = [[0.2, 0.8], [0.2, 0.8], [0.9, 0.1]]
    >>> samples = np.stack([row, row, other], axis=1)
    >>> batch_bald(samples, 2).tolist()
    [0, 2]
    """
    samples = check_samples(samples)
    n_queries = min(n_queries, samples.shape[1])
    if n_queries == 0:
        return np.empty(0, dtype=np.int64)
    rng = check_random_state(random_state)
    picked = _Configurations(samples, max_configurations, rng)
    bounds = bald(samples)
    rows = [_first(bounds, bounds.max())]
    while len(rows) < n_queries:
        picked.add(rows[-1])
        bounds[rows[-1]] = -np.inf
        rows.append(_most_informative(picked, bounds))
    return np.array(rows, dtype=np.int64)


def _most_informative(picked, bounds):
    """The row that adds most; the bounds of rows looked at become their gains."""
    order = np.argsort(-bounds, kind="stable")
    best = -np.inf
    for block in gen_batches(len(order), picked.block_size):
        rows = order[block]
        if bounds[rows[0]] < best - _TIE:
            break
        rows = rows[bounds[rows] > -np.inf]
        bounds[rows] = picked.gains(rows)
        best = max(best, bounds[rows].max(initial=-np.inf))
    return _first(bounds, best)


def _first(gains, best):
    return int(np.argmax(gains >= best - _TIE))


class _Configurations:
    """Labels the rows picked may have: how likely they are, and what they would tell.

    `weights` (m,) are the probabilities of the configurations, `posterior` (m, T) those
    of the samples given each of them.
    """

    def __init__(self, samples, size, rng):
        self.samples, self.size, self.rng = samples, size, rng
        numbers_per_row = len(samples) * samples.shape[2]
        self.block_size = int(np.clip(_BLOCK // numbers_per_row, 1, _ROWS))
        self.entropies = sample_entropies(samples)
        self.weights = np.ones(1)
        self.posterior = np.full((1, len(samples)), 1 / len(samples))

    def add(self, row):
        """Extend every configuration by every label of a row."""
        proba = self.samples[:, row]
        weights = (self.weights[:, None] * (self.posterior @ proba)).ravel()
        kept, self.weights = _thin(weights, self.size, self.rng)
        earlier, label = np.divmod(kept, proba.shape[1])
        posterior = self.posterior[earlier] * proba.T[label]
        self.posterior = posterior / posterior.sum(axis=1, keepdims=True)

    def gains(self, rows):
        """What the label of each row says of the samples beyond the rows picked."""
        proba = self.samples[:, rows].reshape(len(self.samples), -1)
        gains = -(self.weights @ self.posterior) @ self.entropies[:, rows]
        for block in gen_batches(len(self.weights), max(1, _BLOCK // proba.shape[1])):
            predicted = self.posterior[block] @ proba
            logs = np.log(np.maximum(predicted, np.finfo(np.float64).tiny))
            logs *= predicted
            surprise = self.weights[block] @ logs
            gains -= surprise.reshape(len(rows), -1).sum(axis=1)
        return gains


def _thin(weights, size, rng):
    """At most `size` of the items, and weights whose expectation is the old ones.

    The heaviest stay as they are. Of the others as many are drawn as there is room for,
    in proportion to their weights, and share what they weighed.
    """
    alive = np.flatnonzero(weights)
    if len(alive) <= size:
        return alive, weights[alive]
    heaviest = np.sort(weights)[::-1]
    rest = heaviest[::-1].cumsum()[::-1][:size]
    shares = rest / (size - np.arange(size))
    share = shares[np.argmax(heaviest[:size] <= shares)]
    light = np.where(weights > share, 0, weights)
    n_drawn = size - np.count_nonzero(weights > share)
    points = rng.random_sample() + np.arange(n_drawn)
    drawn = np.searchsorted(light.cumsum() / share, points, side="right")
    drawn = np.unique(drawn[drawn < len(weights)])
    kept = np.union1d(np.flatnonzero(weights > share), drawn)
    return kept, np.maximum(weights[kept], share)
