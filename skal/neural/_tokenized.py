# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Texts that keep the tokens they were cut into."""

import json
from collections.abc import Sequence
from hashlib import sha256

import numpy as np

from skal.neural._fingerprint import describe_tokenizer
from skal.neural._tokens import TokenTable, token_limit


class TokenizedTexts(Sequence):
    """Texts of which none is tokenised twice in the same way.

    A row is tokenised when a table with it is first asked for. The tokens of one kind
    (tokenizer, length, architecture) are kept: those of the last table asked for.

    Parameters
    ----------
    texts : ndarray of shape (n,), dtype object
        Each a str.
    """

    def __init__(self, texts):
        self.texts = texts
        self.rows = np.arange(len(texts))
        self._kept = _Kept(len(texts))

    def __len__(self):
        return len(self.texts)

    def __getitem__(self, rows):
        """One text (an int), or several (a slice or an array) that share the tokens."""
        found = self.texts[rows]
        if isinstance(found, str):
            return found
        part = object.__new__(type(self))
        part.texts, part.rows, part._kept = found, self.rows[rows], self._kept
        return part

    def table(self, rows, tokenizer, *, max_length, module):
        """The token table of some of the texts, as `TokenTable` would make it.

        Warns of the texts that are cut only when they are first tokenised.
        """
        settings = {"max_length": max_length, "module": module}
        key = _key(tokenizer, **settings)
        table, place = self._kept.of(key)
        where = self.rows[rows]
        new = place[where] < 0
        if new.any():
            fresh = TokenTable(self.texts[rows][new], tokenizer, **settings)
            place = place.copy()
            place[where[new]] = np.arange(len(fresh)) + (
                0 if table is None else len(table)
            )
            table = fresh if table is None else table.followed_by(fresh)
            self._kept.entry = key, table, place
        return table.take(place[where])


class _Kept:
    """One token table of a whole pool, growing, and the place of each row in it."""

    def __init__(self, n_rows):
        self.n_rows = n_rows
        self.entry = None, None, None

    def of(self, key):
        kept, table, place = self.entry
        return (table, place) if kept == key else (None, np.full(self.n_rows, -1))


def _key(tokenizer, *, max_length, module):
    """All that decides which tokens a text becomes."""
    limit = token_limit(tokenizer, max_length, module)
    described = json.dumps(describe_tokenizer(tokenizer), sort_keys=True, default=str)
    is_encoder_decoder = module.network.config.is_encoder_decoder
    return sha256(described.encode()).digest(), limit, is_encoder_decoder
