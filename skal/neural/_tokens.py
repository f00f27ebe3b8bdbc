# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Texts tokenised once, kept flat, padded batch by batch."""

import copy
import itertools
import warnings

import numpy as np
import torch

from skal.exceptions import TruncationWarning
from skal.neural._transformer_module import n_positions

_CHUNK = 1000


class TokenTable:
    """The token ids of many texts in one flat array per model input.

    Row i's tokens are ``values[offsets[i]:offsets[i + 1]]``: 4 bytes a token and input,
    where lists of Python integers take ten times that.

    Parameters
    ----------
    texts : sequence of str of length n
    tokenizer : transformers tokenizer
    max_length : int
        Longer texts are cut to this many tokens, or to as many as the tokenizer allows
        or `module` has positions for.
    module : torch.nn.Module

    Attributes
    ----------
    lengths : ndarray of shape (n,), dtype int64
        Token counts, special tokens included; at least 1.
    max_length : int
        The number of tokens that longer texts were cut to.

    Warns
    -----
    TruncationWarning
        Once, with their number, if texts are cut shorter than `max_length` asks for
        because the model has fewer positions.
    """

    def __init__(self, texts, tokenizer, *, max_length, module):
        self.max_length = token_limit(tokenizer, max_length, module)
        self._pads = {
            "input_ids": tokenizer.pad_token_id or 0,
            "token_type_ids": tokenizer.pad_token_type_id,
        }
        self._left = tokenizer.padding_side == "left"
        n_cut = self._tokenize(texts, tokenizer, count=self.max_length < max_length)
        if module.network.config.is_encoder_decoder:
            self._keep_last_end(tokenizer)
        if n_cut:
            warnings.warn(
                f"{n_cut} of {len(texts)} texts were cut to {self.max_length} tokens: "
                f"the model has no more positions, and max_length={max_length}. Split "
                "long texts, use a model with more positions, or lower max_length.",
                TruncationWarning,
                stacklevel=2,
            )

    def _tokenize(self, texts, tokenizer, *, count):
        """Fill the flat arrays; return how many texts were cut, if asked to count."""
        lengths, values, n_cut = [], {}, 0
        for start in range(0, len(texts), _CHUNK):
            encoded = self._cut_and_tokenize(texts[start : start + _CHUNK], tokenizer)
            n_cut += _n_cut(encoded, self.max_length) if count else 0
            _fill_empty(encoded, tokenizer)
            lengths.extend(map(len, encoded["input_ids"]))
            for key, rows in encoded.items():
                flat = np.fromiter(itertools.chain.from_iterable(rows), np.int32)
                values.setdefault(key, []).append(flat)
        self.lengths = np.array(lengths, dtype=np.int64)
        self._starts = np.cumsum(self.lengths) - self.lengths
        self._values = {key: np.concatenate(flat) for key, flat in values.items()}
        return n_cut

    def _cut_and_tokenize(self, texts, tokenizer):
        """Tokens of some texts, of long ones from their first words only.

        A word has at least one token, and no token reaches across a space: words that
        come after enough others never matter. (Where those others turn out to be no
        words, spaces say, the whole text is tokenised.)
        """
        options = {
            "truncation": True,
            "max_length": self.max_length,
            "return_attention_mask": False,
        }
        texts = [_encodable(text) for text in texts]
        if tokenizer.truncation_side == "left":
            return tokenizer(texts, **options)
        n_words = self.max_length + 1
        begun = [_first_words(text, n_words) for text in texts]
        encoded = tokenizer(begun, **options)
        for row, (text, beginning) in enumerate(zip(texts, begun, strict=True)):
            is_full = len(encoded["input_ids"][row]) == self.max_length
            if len(beginning) < len(text) and not is_full:
                return tokenizer(texts, **options)
        return encoded

    def take(self, rows):
        """The `batch` and `lengths` of some rows, in that order; shares the tokens."""
        table = copy.copy(self)
        table.lengths, table._starts = self.lengths[rows], self._starts[rows]
        return table

    def followed_by(self, other):
        """The table of all rows of this one and of another with the same settings."""
        table = copy.copy(self)
        n_tokens = len(self._values["input_ids"])
        table.lengths = np.concatenate([self.lengths, other.lengths])
        table._starts = np.concatenate([self._starts, other._starts + n_tokens])
        table._values = {
            key: np.concatenate([values, other._values[key]])
            for key, values in self._values.items()
        }
        return table

    def _keep_last_end(self, tokenizer):
        """Leave one end token per text: encoder-decoders find a text's end by it."""
        ids = self._values["input_ids"]
        inner = ids == tokenizer.eos_token_id
        inner[self._starts + self.lengths - 1] = False
        ids[inner] = tokenizer.unk_token_id

    def __len__(self):
        return len(self.lengths)

    def values(self, key):
        """One model input of all tokens, rows one after the other."""
        return self._values[key]

    def add(self, key, values):
        """Give every token one more input: a flat array like those of `values`."""
        self._values[key] = values

    def row_and_position(self):
        """The row of each token and its position in the row: two flat int64 arrays."""
        row = np.repeat(np.arange(len(self)), self.lengths)
        return row, np.arange(len(row)) - self._starts[row]

    def batch(self, rows):
        """The model inputs of some rows, padded to the longest of them.

        Parameters
        ----------
        rows : array-like of int of shape (k,)

        Returns
        -------
        inputs : dict of int64 tensor of shape (k, longest row)
        """
        lengths = self.lengths[rows][:, None]
        column = np.arange(lengths.max())
        is_token = column < lengths
        tokens = (self._starts[rows][:, None] + column)[is_token]
        if self._left:
            is_token = is_token[:, ::-1]
        inputs = {"attention_mask": torch.from_numpy(is_token.astype(np.int64))}
        for key, values in self._values.items():
            padded = np.full(is_token.shape, self._pads.get(key, 0), dtype=np.int64)
            padded[is_token] = values[tokens]
            inputs[key] = torch.from_numpy(padded)
        return inputs


def token_limit(tokenizer, max_length, module):
    """The number of tokens that longer texts are cut to."""
    limits = (max_length, tokenizer.model_max_length, n_positions(module))
    return min(limit for limit in limits if limit is not None)


def _encodable(text):
    """The text with lone surrogates, which no tokenizer takes, replaced by "?"."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _first_words(text, n):
    """The text up to the n-th space, without spaces at the end."""
    parts = text.split(" ", n)
    return text if len(parts) <= n else text[: -len(parts[n]) - 1].rstrip(" ")


def _n_cut(encoded, max_length):
    """How many texts lost tokens. A slow tokenizer counts those that just fit too."""
    full = [
        row for row, ids in enumerate(encoded["input_ids"]) if len(ids) == max_length
    ]
    if not encoded.encodings:
        return len(full)
    return sum(bool(encoded.encodings[row].overflowing) for row in full)


def _fill_empty(encoded, tokenizer):
    """Give a text without any token one: its beginning, its end or padding."""
    special = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    stand_in = next((token for token in special if token is not None), 0)
    for row, ids in enumerate(encoded["input_ids"]):
        if not ids:
            for key, rows in encoded.items():
                rows[row] = [stand_in if key == "input_ids" else 0]


class TokenDataset(torch.utils.data.Dataset):
    """A token table and its class codes; a DataLoader gets whole padded batches.

    Parameters
    ----------
    table : TokenTable
    codes : ndarray of shape (n,), dtype int64

    Attributes
    ----------
    rows : list of int
        The rows of the batch handed out last.
    """

    def __init__(self, table, codes):
        self.table = table
        self.rows = []
        self.codes = torch.from_numpy(codes)

    def __len__(self):
        return len(self.table)

    def __getitem__(self, row):
        return self.__getitems__([row])

    def __getitems__(self, rows):
        self.rows = rows
        return self.table.batch(rows), self.codes[rows]


def as_it_is(batch):
    """The collate function of a dataset that makes whole batches itself."""
    return batch
