# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Texts that keep the tokens they were cut into."""

import json
from collections.abc import Sequence
from hashlib import sha256

import numpy as np

from skal.neural._fingerprint import describe_tokenizer
from skal.neural._tokens import TokenTable, token_limit
from skal.utils._rows import take_rows
from skal.utils._validation import check_texts


class TokenizedTexts(Sequence):
    """Texts of which none is tokenised twice in the same way.

    A row is tokenised when a table with it is first asked for. The tokens of one kind
    (tokenizer, length, architecture) are kept: those of the last table asked for.

    Parameters
    ----------
    texts : ndarray of shape (n,), dtype object, or Series of texts
        Each a str. Of a Series the texts are taken when they are asked for.
    """

    in_memory = True

    def __init__(self, texts):
        self.texts = texts
        self.rows = np.arange(len(texts))
        self._kept = _Kept(len(texts))

    def __len__(self):
        return len(self.texts)

    def __getitem__(self, rows):
        """One text (an int), or several (a slice or an array) that share the tokens."""
        if np.ndim(self.rows[rows]) == 0:
            return self.strings([rows])[0]
        part = object.__new__(type(self))
        part.texts, part.rows = self.strings(rows), self.rows[rows]
        part._kept = self._kept
        return part

    def strings(self, rows=slice(None)):
        """Some of the texts themselves, an object array."""
        if isinstance(self.texts, np.ndarray):
            return self.texts[rows]
        return check_texts(take_rows(self.texts, np.arange(len(self))[rows]))

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
            fresh = TokenTable(self.strings(rows)[new], tokenizer, **settings)
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
