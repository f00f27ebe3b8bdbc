# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""One streamed forward pass over many texts."""

import numpy as np
import torch
from tqdm import tqdm

from skal.neural._precision import autocast
from skal.neural._tokenized import TokenizedTexts
from skal.neural._tokens import TokenTable

_MAX_ROWS = 512
_CPU_TOKENS = 2048
_GPU_TOKENS = 32768


def run_texts(module, forward, texts, tokenizer, *, max_length, **stream):
    """Run a module over texts and collect what it returns, rows in input order.

    Each distinct text passes the module once. The distinct texts are sorted by token
    count, then by text, so a result does not depend on the order of the rows.

    Parameters
    ----------
    module : torch.nn.Module
    forward : callable
    texts : ndarray of shape (n,), dtype object, or TokenizedTexts
    tokenizer : transformers tokenizer
    max_length : int
    **stream
        What `run_table` takes.

    Returns
    -------
    outputs : dict of ndarray of shape (n, ...)
        Floating point outputs are float32.
    """
    settings = {"max_length": max_length, "module": module}
    if isinstance(texts, TokenizedTexts):
        _, rows, inverse = np.unique(
            texts.strings(), return_index=True, return_inverse=True
        )
        table = texts.table(rows, tokenizer, **settings)
    else:
        distinct, inverse = np.unique(texts, return_inverse=True)
        table = TokenTable(distinct, tokenizer, **settings)
    outputs = run_table(module, forward, table, **stream)
    return {name: values[inverse] for name, values in outputs.items()}


def run_table(
    module,
    forward,
    table,
    *,
    max_batch_tokens="auto",
    mixed_precision=None,
    verbose=0,
):
    """Run a module over the rows of a token table.

    The rows are sorted by token count; batches are filled up to a number of padded
    tokens, longest texts first.

    Parameters
    ----------
    module : torch.nn.Module
        Put in evaluation mode; runs on the device it lies on.
    forward : callable
        ``forward(inputs) -> dict of tensor``, one row per text of the batch and the
        same trailing shape in every batch. `inputs` is a dict of tensors.
    table : TokenTable
    max_batch_tokens : int or "auto", default="auto"
        Padded tokens in a batch; "auto" is 2,048 on a CPU and 32,768 on a GPU. A batch
        has at least one and at most 512 rows.
    mixed_precision : {"bf16", "fp16"} or None, default=None
    verbose : int, default=0
        Whether to show a progress bar, counted in distinct texts.

    Returns
    -------
    outputs : dict of ndarray of shape (n, ...)
        Floating point outputs are float32.

    Notes
    -----
    Memory: the token ids, the outputs and the activations of one batch. When a batch
    does not fit on the device the budget is halved, for it and for what is left.
    """
    device = next(module.parameters()).device
    if max_batch_tokens == "auto":
        max_batch_tokens = _CPU_TOKENS if device.type == "cpu" else _GPU_TOKENS

    def step(rows):
        inputs = {key: value.to(device) for key, value in table.batch(rows).items()}
        with torch.inference_mode(), autocast(device, mixed_precision):
            return {key: _to_numpy(value) for key, value in forward(inputs).items()}

    module.eval()
    outputs = {}
    with tqdm(total=len(table), unit="text", disable=not verbose) as bar:
        for rows, batch in _batches(step, table.lengths, max_batch_tokens):
            for name, values in batch.items():
                if name not in outputs:
                    shape = (len(table), *values.shape[1:])
                    outputs[name] = np.empty(shape, dtype=values.dtype)
                outputs[name][rows] = values
            bar.update(len(rows))
    return outputs


def _batches(step, lengths, budget):
    """Yield (rows, step(rows)), the longest rows first, within a token budget."""
    order = np.argsort(lengths, kind="stable")
    left = len(order)
    while left:
        longest = lengths[order[left - 1]]
        size = min(max(budget // longest, 1), _MAX_ROWS, left)
        rows = order[left - size : left]
        try:
            outputs = step(rows)
        except torch.OutOfMemoryError:
            if size == 1:
                raise
            outputs = None
        if outputs is None:
            budget = longest * (size // 2)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            continue
        yield rows, outputs
        left -= size


def _to_numpy(tensor):
    if tensor.is_floating_point():
        tensor = tensor.float()
    return tensor.cpu().numpy()
