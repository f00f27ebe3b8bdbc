# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A small network that tells two kinds of vectors apart."""

import numpy as np
import torch
from scipy.special import expit

from skal.neural._dense import DenseModule, run_vectors
from skal.neural._device import seeded


def fit_binary(
    X,
    is_positive,
    *,
    hidden_layer_sizes,
    lr,
    max_epochs,
    batch_size,
    seed,
    device,
    weight_decay=0.01,
    balanced=False,
    stop_accuracy=None,
):
    """Train a multi-layer perceptron without dropout by AdamW on cross-entropy.

    Parameters
    ----------
    X : ndarray of shape (n, n_features), dtype float32
    is_positive : ndarray of shape (n,), dtype bool
    hidden_layer_sizes : sequence of int, at least one
        Widths of the ReLU layers.
    lr : float
    max_epochs, batch_size : int
        Rows are shuffled in every epoch.
    seed : int
        Of the weights and the order of the rows; the global generators stay as they
        are.
    device : torch.device
    weight_decay : float, default=0.01
    balanced : bool, default=False
        Whether both kinds weigh the same in all, however many there are of each.
    stop_accuracy : float, default=None
        Training ends after the first epoch in which more than this share of the rows,
        weighed like the loss, was predicted right, each before the step it led to.

    Returns
    -------
    module : DenseModule
        With two logits, negative first.

    Notes
    -----
    O(n h (n_features + h)) time per epoch for layers of width h; the vectors go to the
    device whole.
    """
    with seeded(seed, device):
        module = DenseModule(X.shape[1], hidden_layer_sizes, 2, dropout=0).to(device)
        vectors = torch.tensor(X, device=device)
        codes = torch.tensor(is_positive, dtype=torch.int64, device=device)
        weights = torch.tensor(row_weights(is_positive, balanced), device=device)
        optimizer = torch.optim.AdamW(
            module.parameters(), lr=lr, weight_decay=weight_decay
        )
        for _ in range(max_epochs):
            right = _epoch(module, vectors, codes, weights, batch_size, optimizer)
            if stop_accuracy is not None and float(right) > stop_accuracy * len(X):
                break
    return module


def row_weights(is_positive, balanced):
    """How much each row counts, 1 on average; (n,) float32."""
    n_positive = np.count_nonzero(is_positive)
    n_negative = len(is_positive) - n_positive
    if not (balanced and n_positive and n_negative):
        return np.ones(len(is_positive), dtype=np.float32)
    share = len(is_positive) / 2
    weights = np.where(is_positive, share / n_positive, share / n_negative)
    return weights.astype(np.float32)


def _epoch(module, vectors, codes, weights, batch_size, optimizer):
    """One pass over the rows; the weight of those that were predicted right."""
    right = torch.zeros((), device=vectors.device)
    for rows in torch.randperm(len(vectors)).to(vectors.device).split(batch_size):
        logits = module(vectors[rows])
        loss = torch.nn.functional.cross_entropy(logits, codes[rows], reduction="none")
        optimizer.zero_grad()
        (loss * weights[rows]).mean().backward()
        optimizer.step()
        right += weights[rows][logits.argmax(dim=1) == codes[rows]].sum()
    return right


def predict_binary(module, X):
    """The probability of the positive kind, (n,) float64.

    Parameters
    ----------
    module : DenseModule
        From `fit_binary`.
    X : ndarray of shape (n, n_features), dtype float32
    """
    logits = run_vectors(module, module.forward_outputs, X)["logits"]
    return expit(np.subtract(logits[:, 1], logits[:, 0], dtype=np.float64))
