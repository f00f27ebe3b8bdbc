# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Texts tokenised once, kept flat, padded batch by batch."""

import itertools

import numpy as np
import torch

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
        Token counts, special tokens included.
    """

    def __init__(self, texts, tokenizer, *, max_length, module):
        limits = (max_length, tokenizer.model_max_length, n_positions(module))
        self.max_length = min(limit for limit in limits if limit is not None)
        self._pads = {
            "input_ids": tokenizer.pad_token_id,
            "token_type_ids": tokenizer.pad_token_type_id,
        }
        self._left = tokenizer.padding_side == "left"
        self._tokenize(texts, tokenizer)

    def _tokenize(self, texts, tokenizer):
        lengths, values = [], {}
        for start in range(0, len(texts), _CHUNK):
            encoded = tokenizer(
                [_encodable(text) for text in texts[start : start + _CHUNK]],
                truncation=True,
                max_length=self.max_length,
                return_attention_mask=False,
            )
            lengths.extend(map(len, encoded["input_ids"]))
            for key, rows in encoded.items():
                flat = np.fromiter(itertools.chain.from_iterable(rows), np.int32)
                values.setdefault(key, []).append(flat)
        self.lengths = np.array(lengths, dtype=np.int64)
        self._starts = np.cumsum(self.lengths) - self.lengths
        self._values = {key: np.concatenate(flat) for key, flat in values.items()}

    def __len__(self):
        return len(self.lengths)

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


def _encodable(text):
    """The text with lone surrogates, which no tokenizer takes, replaced by "?"."""
    return text.encode("utf-8", "replace").decode("utf-8")


class TokenDataset(torch.utils.data.Dataset):
    """A token table and its class codes; a DataLoader gets whole padded batches.

    Parameters
    ----------
    table : TokenTable
    codes : ndarray of shape (n,), dtype int64
    """

    def __init__(self, table, codes):
        self.table = table
        self.codes = torch.from_numpy(codes)

    def __len__(self):
        return len(self.table)

    def __getitem__(self, row):
        return self.__getitems__([row])

    def __getitems__(self, rows):
        return self.table.batch(rows), self.codes[rows]


def as_it_is(batch):
    """The collate function of a dataset that makes whole batches itself."""
    return batch
