# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What networks that play against each other on labelled and other rows have in common.

The game has two sides: networks that represent rows, and a discriminator that tells
labelled rows from the others by what they are represented as.
"""

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from sklearn.utils import gen_batches

_MAX_ROWS = 1024


class Standardize(torch.nn.Module):
    """Mean 0 and variance 1 for each feature of the rows it was made for.

    Parameters
    ----------
    *parts : ndarray of shape (n, n_features), dtype float32
        A feature that is the same in all rows of all parts becomes 0.

    Notes
    -----
    Keeps no copy of the rows.
    """

    def __init__(self, *parts):
        super().__init__()
        scaler = StandardScaler()
        for part in parts:
            for rows in gen_batches(len(part), _MAX_ROWS):
                scaler.partial_fit(part[rows])
        for name, values in [("mean", scaler.mean_), ("scale", scaler.scale_)]:
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32))

    def forward(self, X):
        """Rows of the same shape."""
        return (X - self.mean) / self.scale


class Draws:
    """Batches of rows for ever; every pass over them goes in another order.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_features), dtype float32
    batch_size : int
        Every batch has this many rows; all n, where there are fewer. What does not fill
        a batch at the end of a pass is left out of it.
    device : torch.device
    """

    def __init__(self, vectors, batch_size, device):
        self.vectors, self.device = vectors, device
        self.size = min(batch_size, len(vectors))
        self._left = []

    def next(self):
        """Positions, ndarray of shape (size,), and rows, tensor (size, n_features)."""
        if not self._left:
            order = torch.randperm(len(self.vectors)).numpy()
            n_batches = len(order) // self.size
            self._left = np.split(order[: n_batches * self.size], n_batches)
        rows = self._left.pop()
        return rows, torch.from_numpy(self.vectors[rows]).to(self.device)


def descend(optimizer, loss, name, step):
    """Take one step down, unless the loss is no number any more.

    Raises
    ------
    FloatingPointError
        Naming the step, and what to change.
    """
    if not torch.isfinite(loss):
        raise FloatingPointError(
            f"The loss of {name} must stay finite. It was {loss.item()} in step "
            f"{step + 1}, at a learning rate of {optimizer.param_groups[0]['lr']:g}: "
            "lower `lr`, or bring the vectors to a common scale and cut outliers."
        )
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
