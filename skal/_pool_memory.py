# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What is computed once for a pool object and kept between queries."""

from functools import partial

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skal._encoded_pool import EncodedPool, hash_rows
from skal.exceptions import PoolChangedError
from skal.utils._random import seed_nested, stream
from skal.utils._rows import num_rows, take_rows
from skal.utils._slices import RowsInSlices, part_of, through_slices

_N_SAMPLED_ROWS = 64
_N_ENCODERS = _N_SURPRISALS = _N_REMEMBERED = 4


class PoolMemory:
    """What was computed once for a pool: tokens, surprisal, scores, vectors, indexes.

    Holds the pool object itself and is never pickled. A change made to that object is
    noticed by its length, its dtype and a fixed sample of 64 rows (a change to other
    rows is not), one to Parquet files by their sizes and dates.
    """

    def __init__(self):
        self.pool = None

    def encoded(self, pool, encoder, seed):
        """The whole pool under an encoder; None is the identity.

        The pools of the latest four encoders are kept. `seed` matters only to an
        encoder with a `random_state` of None.
        """
        self._hold(pool)
        params = {} if encoder is None else encoder.get_params()
        key = id(encoder), repr(sorted(params.items())), seed if _is_open(params) else 0
        if key not in self._entries:
            entry = EncodedPool(pool, encoder, _fit_encoder(encoder, pool, seed))
            if len(self._entries) == _N_ENCODERS:
                del self._entries[next(iter(self._entries))]
            self._entries[key] = entry
        return self._entries[key]

    def tokenized(self, pool, classifier):
        """The rows of the pool as the classifier's `keep_tokens` gives them."""
        self._hold(pool)
        if self._tokenized is None:
            self._tokenized = classifier.keep_tokens(pool)
        return self._tokenized

    def surprisal(self, pool, rows, language_model, **settings):
        """The token surprisal of rows of the pool (None: all), each computed once.

        `settings` are those of the model's `token_surprisal`. The latest four kinds
        are kept.
        """
        self._hold(pool)
        key = id(language_model), *sorted(settings.items())
        if key not in self._surprisals:
            if len(self._surprisals) == _N_SURPRISALS:
                del self._surprisals[next(iter(self._surprisals))]
            # The model is held so that its id stays taken.
            self._surprisals[key] = language_model, _RowsOnce(num_rows(pool))

        def compute(new):
            ask = partial(language_model.token_surprisal, **settings)
            return through_slices(ask, part_of(pool, new))

        return self._surprisals[key][1].read(rows, compute)

    def remember(self, pool, key, compute):
        """What `compute` gives for a key, computed once; the latest four are kept."""
        self._hold(pool)
        if key not in self._remembered:
            found = compute()
            if len(self._remembered) == _N_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[key] = found
        return self._remembered[key]

    def _hold(self, pool):
        mark = _fingerprint(pool)
        if pool is not self.pool:
            self.pool, self._mark, self._entries = pool, mark, {}
            self._tokenized, self._surprisals, self._remembered = None, {}, {}
        elif mark != self._mark:
            raise PoolChangedError(
                "A pool must not be changed in place once it has been looked at: its "
                "length, its dtype or some of its rows differ from those of the last "
                "query. Leave it as it is and pass `ids` or `exclude` to leave rows "
                "out, or pass a new object (a copy, say) to have it indexed afresh."
            )


class _RowsOnce:
    """Vectors of which each row is computed when it is first read.

    `compute` gets the positions of the rows, None for all.
    """

    def __init__(self, n_rows):
        self._place = np.full(n_rows, -1)
        self._vectors = None

    def read(self, rows, compute):
        """Vectors of some rows, None for all; what is kept itself where it can be."""
        if rows is None and self._vectors is None:
            self._vectors = compute(None)
            self._place = np.arange(len(self._place))
        rows = np.arange(len(self._place)) if rows is None else rows
        new = rows[self._place[rows] < 0]
        if len(new):
            self._add(new, compute(new))
        place = self._place[rows]
        in_order = len(place) == len(self._vectors) and (np.diff(place) == 1).all()
        return self._vectors if in_order else self._vectors[place]

    def _add(self, rows, vectors):
        kept = 0 if self._vectors is None else len(self._vectors)
        self._place[rows] = kept + np.arange(len(rows))
        self._vectors = (
            np.concatenate([self._vectors, vectors]) if kept else np.asarray(vectors)
        )


def _is_open(params):
    """Whether a random_state among the parameters was left None."""
    return any(
        key.rpartition("__")[2] == "random_state" and value is None
        for key, value in params.items()
    )


def _fit_encoder(encoder, pool, seed):
    if encoder is None or isinstance(encoder, FrozenEstimator):
        return encoder
    return seed_nested(clone(encoder), stream(seed, 0)).fit(part_of(pool))


def _fingerprint(pool):
    if isinstance(pool, RowsInSlices):
        return pool.fingerprint()
    n_rows = num_rows(pool)
    rows = np.unique(np.linspace(0, n_rows - 1, _N_SAMPLED_ROWS).astype(np.int64))
    return (
        n_rows,
        str(getattr(pool, "dtype", "")),
        hash_rows(take_rows(pool, rows)),
    )
