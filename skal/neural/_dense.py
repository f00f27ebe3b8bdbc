# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A multi-layer perceptron on vectors: module, dataset, streamed forward pass."""

import itertools

import numpy as np
import torch

from skal.neural._recipe import turns

_MAX_ROWS = 1024


class DenseModule(torch.nn.Module):
    """Linear, ReLU and dropout for each hidden layer, then a linear layer.

    Parameters
    ----------
    n_features : int
    hidden_layer_sizes : sequence of int, at least one
    n_classes : int
    dropout : float

    Attributes
    ----------
    loss_module : LossModule or None
        Reads the hidden layers' outputs, where training put one there.
    """

    def __init__(self, n_features, hidden_layer_sizes, n_classes, dropout):
        super().__init__()
        self.sizes = [int(size) for size in hidden_layer_sizes]
        pairs = itertools.pairwise([n_features, *self.sizes])
        self.hidden = torch.nn.ModuleList(torch.nn.Linear(*pair) for pair in pairs)
        self.dropout = torch.nn.Dropout(dropout)
        self.last_linear = torch.nn.Linear(self.sizes[-1], n_classes)
        self.loss_module = None

    def forward(self, X):
        """Logits of shape (n_rows, n_classes).

        In training, where there is a loss module, a pair: the logits and its losses.
        """
        if self.training and self.loss_module is not None:
            found = self.forward_outputs(X, predicted_loss=True)
            return found["logits"], found["predicted_loss"]
        return self.forward_outputs(X)["logits"]

    def forward_outputs(self, X, *, embedding=False, predicted_loss=False, masks=None):
        """Logits and, if asked for, what else a batch of rows gives in the same pass.

        Parameters
        ----------
        X : tensor of shape (n_rows, n_features)
        embedding : bool, default=False
        predicted_loss : bool, default=False
        masks : tensor of shape (n_samples, sum of the hidden sizes), default=None
            Dropout masks. One mask is one network: it is applied to all rows.

        Returns
        -------
        outputs : dict of tensor
            "logits" (n_rows, n_classes), "embedding" (n_rows, size of the last hidden
            layer), "predicted_loss" (n_rows,), by the loss module, "samples" (n_rows,
            n_samples, n_classes): the logits of each mask.
        """
        first = self.hidden[0](X).relu()
        states = [X, self.dropout(first)]
        for layer in self.hidden[1:]:
            states.append(self.dropout(layer(states[-1]).relu()))
        outputs = {"logits": self.last_linear(states[-1])}
        if embedding:
            outputs["embedding"] = states[-1]
        if predicted_loss:
            outputs["predicted_loss"] = self.loss_module(states)
        if masks is not None:
            draws = [
                self._draw(first, masks[turn].split(self.sizes))
                for turn in turns(self, len(masks))
            ]
            outputs["samples"] = torch.stack(draws, dim=1)
        return outputs

    def _draw(self, first, masks):
        X = first * masks[0]
        for layer, mask in zip(self.hidden[1:], masks[1:], strict=True):
            X = layer(X).relu() * mask
        return self.last_linear(X)

    def state_sizes(self):
        """The width of a vector and of each hidden layer."""
        return [self.hidden[0].in_features, *self.sizes]

    def replace_last_linear(self, head):
        """Put a `Head` in the place of the layer that makes the logits."""
        self.last_linear = head

    def draw_masks(self, n_samples, rng):
        """Dropout masks, kept entries scaled up: (n_samples, sum of hidden sizes).

        The first masks are the same whatever `n_samples` is.
        """
        rate = self.dropout.p
        kept = rng.random_sample((n_samples, sum(self.sizes))) >= rate
        masks = torch.from_numpy((kept / (1 - rate)).astype(np.float32))
        return masks.to(self.hidden[0].weight.device)


class VectorDataset(torch.utils.data.Dataset):
    """Vectors and their class codes; a DataLoader gets whole batches.

    Parameters
    ----------
    X : ndarray of shape (n, n_features), dtype float32
    codes : ndarray of shape (n,), dtype int64

    Attributes
    ----------
    rows : list of int
        The rows of the batch handed out last.
    """

    def __init__(self, X, codes):
        self.X = X
        self.rows = []
        self.codes = torch.from_numpy(codes)

    def __len__(self):
        return len(self.X)

    def __getitem__(self, row):
        return self.__getitems__([row])

    def __getitems__(self, rows):
        self.rows = rows
        return torch.from_numpy(self.X[rows]), self.codes[rows]


def run_vectors(module, forward, X):
    """Run a module over vectors and collect what it returns, rows in order.

    Parameters
    ----------
    module : torch.nn.Module
        Put in evaluation mode; runs on the device it lies on.
    forward : callable
        ``forward(X) -> dict of tensor``, one row per row of the batch.
    X : ndarray of shape (n, n_features), dtype float32

    Returns
    -------
    outputs : dict of ndarray of shape (n, ...)

    Notes
    -----
    Memory: the outputs and the activations of one batch of at most 1,024 rows. When a
    batch does not fit on the device it is halved, for good.
    """
    device = next(module.parameters()).device
    module.eval()
    parts, start, size = [], 0, _MAX_ROWS
    while start < len(X):
        try:
            with torch.inference_mode():
                batch = torch.tensor(X[start : start + size], device=device)
                found = {key: value.cpu() for key, value in forward(batch).items()}
        except torch.OutOfMemoryError:
            if size == 1:
                raise
            size //= 2
            continue
        parts.append(found)
        start += size
    return {key: torch.cat([part[key] for part in parts]).numpy() for key in parts[0]}
