# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""How surprised a masked language model is by the tokens of a text."""

import hashlib

import numpy as np
import torch

from skal.exceptions import MissingCapabilityError
from skal.neural._inference import run_table
from skal.neural._tokens import TokenTable

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
# What a number is drawn for.
_PICK, _CORRUPT, _REPLACE = range(3)


def token_surprisal(
    texts, picked, module, tokenizer, *, max_length, seed, masked=False, **stream
):
    """The surprisal -log p(token | text) of picked tokens; 0 elsewhere.

    Parameters
    ----------
    texts : ndarray of shape (n,), dtype object
    picked : float or boolean ndarray of shape (n, L)
        The probability with which a token is picked, or the tokens themselves. Special
        tokens never are.
    module : MaskedLanguageModel
    tokenizer : transformers tokenizer
    max_length : int
    seed : int
        A token's draw depends on it, on the text and on the token's position only.
    masked : bool, default=False
        Whether the picked tokens are corrupted before the model reads them, as in
        pretraining: 80 % are masked, 10 % replaced by any token, 10 % left.
    **stream
        What `run_table` takes.

    Returns
    -------
    surprisal : ndarray of shape (n, L), dtype float32
        L is `max_length`, or the number of positions that the model has.
    """
    if isinstance(picked, np.ndarray):  # equal texts may have different tokens picked
        distinct, inverse = texts, slice(None)
    else:
        distinct, inverse = np.unique(texts, return_inverse=True)
    table = TokenTable(distinct, tokenizer, max_length=max_length, module=module)
    row, position = table.row_and_position()
    if isinstance(picked, np.ndarray):
        chosen = _check_mask(picked, len(texts), table.max_length)[row, position]
    else:
        chosen = _uniform(seed, _PICK, distinct, row, position) < picked
    tokens = table.values("input_ids")
    chosen &= ~np.isin(tokens, tokenizer.all_special_ids)
    table.add("picked", chosen)
    if masked:
        draws = [
            _uniform(seed, what, distinct, row, position)
            for what in (_CORRUPT, _REPLACE)
        ]
        table.add("target", tokens)
        table.add("input_ids", _corrupt(tokens, chosen, *draws, tokenizer))
    outputs = run_table(
        module,
        lambda inputs: module.surprisal(inputs, table.max_length),
        table,
        **stream,
    )
    return outputs["surprisal"][inverse]


def _check_mask(picked, n_rows, width):
    if picked.dtype != bool or picked.shape != (n_rows, width):
        raise ValueError(
            "picked must be a share of the tokens or a boolean array with one row per "
            f"text and one column per token, of shape ({n_rows}, {width}). Got an "
            f"array of shape {picked.shape} and dtype {picked.dtype}; columns count "
            "tokens, special ones included, up to max_length or the model's positions."
        )
    return picked


def _corrupt(tokens, chosen, which, replacement, tokenizer):
    """The tokens as pretraining shows them; two numbers in [0, 1) decide for each."""
    if tokenizer.mask_token_id is None:
        raise MissingCapabilityError(
            "masked=True takes a tokenizer with a mask token, and the checkpoint's has "
            "none; use masked=False."
        )
    corrupted = tokens.copy()
    corrupted[chosen & (which < 0.8)] = tokenizer.mask_token_id
    replaced = chosen & (which >= 0.8) & (which < 0.9)
    corrupted[replaced] = (replacement[replaced] * len(tokenizer)).astype(tokens.dtype)
    return corrupted


def _uniform(seed, what, texts, row, position):
    """One number in [0, 1) per token, by hashing seed, purpose, text and position.

    Hashing makes a draw independent of the other texts and of their order.
    """
    settings = {
        "digest_size": 8,
        "key": int(seed).to_bytes(8, "little", signed=True),
        "salt": bytes([what]),
    }
    digests = [
        hashlib.blake2b(text.encode("utf-8", "replace"), **settings).digest()
        for text in texts
    ]
    state = np.frombuffer(b"".join(digests), dtype=np.uint64)[row]
    state = state + position.astype(np.uint64) * _GOLDEN  # from here on: splitmix64
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state = state ^ (state >> np.uint64(31))
    return (state >> np.uint64(11)) * 2.0**-53


class MaskedLanguageModel(torch.nn.Module):
    """A transformer with a masked-language-model head.

    Parameters
    ----------
    network : transformers.PreTrainedModel
        Any ``AutoModelForMaskedLM``.
    """

    def __init__(self, network):
        super().__init__()
        self.network = network

    def surprisal(self, inputs, width):
        """The surprisal of the tokens picked, each at its position in the text.

        The head runs on their states only: nothing of batch x length x vocabulary is
        ever built.

        Parameters
        ----------
        inputs : dict of tensor
            With "picked", 1 for the tokens wanted; where the model is to read other
            tokens than those whose surprisal is wanted, these in "target".
        width : int

        Returns
        -------
        outputs : dict of tensor
            "surprisal" of shape (n_rows, width).
        """
        inputs = dict(inputs)
        row, column = inputs.pop("picked").nonzero(as_tuple=True)
        target = inputs.pop("target", inputs["input_ids"])
        shape = (len(inputs["input_ids"]), width)
        surprisal = torch.zeros(shape, device=row.device)
        if len(row):
            logits = self._logits_at(row, column, inputs).float()
            token = target[row, column]
            position = inputs["attention_mask"].cumsum(dim=1)[row, column] - 1
            log_proba = logits.log_softmax(dim=1).gather(1, token[:, None])[:, 0]
            surprisal[row, position] = -log_proba
        return {"surprisal": surprisal}

    def _logits_at(self, row, column, inputs):
        """Logits over the vocabulary at some tokens, (n_tokens, n_vocabulary)."""

        def keep(encoder, args, output):
            output.last_hidden_state = output.last_hidden_state[row, column][None]
            return output

        hook = self.network.base_model.register_forward_hook(keep)
        try:
            return self.network(**inputs).logits[0]
        finally:
            hook.remove()
