# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What a classifier thought of its training rows while it was trained."""

import numpy as np
import torch
from sklearn.utils import Bunch


class TrainingDynamics:
    """Records the gold label's probability and correctness of each row and epoch.

    5 bytes per row and epoch; nothing is computed that training does not compute.

    Parameters
    ----------
    n_rows : int
    device : torch.device
        Where an epoch's values are kept until it ends.
    """

    def __init__(self, n_rows, device):
        self._gold_proba = torch.zeros(n_rows, device=device)
        self._correct = torch.zeros(n_rows, dtype=torch.bool, device=device)
        self._epochs = []

    def record(self, rows, logits, codes):
        """Note one batch: row numbers, logits (k, C), class codes (k,)."""
        rows = torch.as_tensor(rows, device=self._correct.device)
        codes = codes.to(logits.device)
        proba = logits.detach().float().softmax(dim=1)
        self._gold_proba[rows] = proba.gather(1, codes[:, None])[:, 0]
        self._correct[rows] = proba.argmax(dim=1) == codes

    def end_epoch(self):
        """Keep what was recorded as one epoch."""
        kept = (self._gold_proba, self._correct)
        self._epochs.append([values.cpu().numpy().copy() for values in kept])

    def arrays(self, n_epochs):
        """The first epochs: `gold_proba`, float32, and `correct`, bool, both (E, n)."""
        gold_proba, correct = zip(*self._epochs[:n_epochs], strict=True)
        return Bunch(gold_proba=np.stack(gold_proba), correct=np.stack(correct))
