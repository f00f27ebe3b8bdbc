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
        optimizer = torch.optim.AdamW(
            module.parameters(), lr=lr, weight_decay=weight_decay
        )
        for _ in range(max_epochs):
            for rows in torch.randperm(len(X)).to(device).split(batch_size):
                loss = torch.nn.functional.cross_entropy(
                    module(vectors[rows]), codes[rows]
                )
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    return module


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
