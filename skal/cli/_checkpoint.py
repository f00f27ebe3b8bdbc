# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A small BERT made on the spot, for a machine without a checkpoint or a network."""

import math
from pathlib import Path

import numpy as np
import torch
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

_MAX_LENGTH = 64


def build_checkpoint(
    texts,
    folder,
    *,
    n_steps=600,
    batch_size=64,
    lr=1e-3,
    vocab_size=6000,
    random_state=0,
    on_step=lambda: None,
):
    """Train a WordPiece tokenizer and pretrain a small BERT on `texts`.

    Two layers of 128 units learn to fill in masked words. That is a fraction of what
    a published checkpoint has seen, but enough to beat random weights by far.

    Parameters
    ----------
    texts : list of str
        What to learn from; labels are not needed.
    folder : str or path-like
        Where the checkpoint is saved.
    n_steps : int, default=600
        Optimiser steps; 0 saves random weights.
    batch_size : int, default=64
        Texts per step.
    lr : float, default=1e-3
        The highest learning rate; it rises for a tenth of the steps and falls to zero.
    vocab_size : int, default=6000
        The number of WordPieces.
    random_state : int, default=0
        Seeds everything. The global generators are left alone.
    on_step : callable, default=no operation
        Called after each step.

    Returns
    -------
    str
        `folder`, which ``AutoModel.from_pretrained`` can load.

    Notes
    -----
    Takes about a minute for 600 steps on two cores.
    """
    tokenizer = _train_tokenizer(texts, vocab_size)
    with torch.random.fork_rng():
        torch.manual_seed(random_state)
        model = BertForMaskedLM(
            BertConfig(
                vocab_size=len(tokenizer),
                hidden_size=128,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=512,
                max_position_embeddings=_MAX_LENGTH,
            )
        )
        batches = _batches(texts, n_steps, batch_size, random_state)
        _pretrain(model, tokenizer, batches, n_steps, lr, on_step)
    folder = Path(folder)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def _train_tokenizer(texts, vocab_size):
    wordpiece = BertWordPieceTokenizer(lowercase=True)
    wordpiece.train_from_iterator(
        texts, vocab_size=vocab_size, min_frequency=2, show_progress=False
    )
    return BertTokenizerFast(
        tokenizer_object=wordpiece._tokenizer, model_max_length=_MAX_LENGTH
    )


def _batches(texts, n_steps, batch_size, random_state):
    """Batches of texts of similar length, in random order, as often as it takes."""
    rng = np.random.RandomState(random_state)
    lengths = np.array([len(text) for text in texts])
    n_batches = math.ceil(len(texts) / batch_size)
    for step in range(n_steps):
        if step % n_batches == 0:
            jitter = lengths * rng.uniform(0.9, 1.1, len(texts))
            batches = np.array_split(np.argsort(jitter), n_batches)
            order = rng.permutation(n_batches)
        yield [texts[i] for i in batches[order[step % n_batches]]]


def _pretrain(model, tokenizer, batches, n_steps, lr, on_step):
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=lr, total_steps=n_steps + 1, pct_start=0.1
    )
    for texts in batches:
        encoded = tokenizer(
            texts,
            padding=True,
            truncation=True,
            max_length=_MAX_LENGTH,
            return_tensors="pt",
        )
        input_ids, labels = _mask(encoded["input_ids"], tokenizer)
        hidden = model.bert(input_ids, attention_mask=encoded["attention_mask"])[0]
        chosen = labels >= 0
        logits = model.cls(hidden[chosen])
        loss = torch.nn.functional.cross_entropy(logits, labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        on_step()
    model.eval()


def _mask(input_ids, tokenizer):
    """Hide 15 % of the tokens: 80 % as [MASK], 10 % as another one, 10 % not at all."""
    special = torch.tensor(tokenizer.all_special_ids)
    chosen = (torch.rand(input_ids.shape) < 0.15) & ~torch.isin(input_ids, special)
    labels = torch.where(chosen, input_ids, -100)
    how = torch.rand(input_ids.shape)
    masked = torch.where(chosen & (how < 0.8), tokenizer.mask_token_id, input_ids)
    other = torch.randint(len(tokenizer), input_ids.shape)
    return torch.where(chosen & (how >= 0.9), other, masked), labels
