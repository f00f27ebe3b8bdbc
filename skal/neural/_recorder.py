# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What a net predicts of other rows while it is trained."""

import numpy as np

from skal.neural._recipe import Recipe
from skal.neural._tokenized import TokenizedTexts

# Logits at a time, in single precision: 64 MB.
_AT_ONCE = 2**24


class RecordPredictions(Recipe):
    """Training as it is, with a note of what is predicted of some rows.

    One byte per row and recorded epoch, two where there are more than 256 classes.

    Parameters
    ----------
    rows : TokenizedTexts, ndarray or data frame of length n
        What `look` takes, in a container that nobody else changes.
    every : int
        The predictions are noted after each `every`-th epoch.

    Attributes
    ----------
    epochs : list of int
        The epochs, from 1, after which they were noted.
    codes : list of ndarray of shape (n,)
        The class codes predicted after each of them, of the smallest unsigned type.
    """

    def __init__(self, rows, every):
        self.rows, self.every = rows, every
        self.epochs, self.codes = [], []
        self._n_epochs = 0

    def start(self, net):
        """Refuse what would record nothing, and rows that the module cannot read."""
        if self.every > net.max_epochs:
            raise ValueError(
                "every must be at most the number of epochs, or nothing is recorded. "
                f"Got every={self.every} and {net.max_epochs} epochs; lower it."
            )
        self._size = max(1, _AT_ONCE // len(net.classes))
        self._dtype = np.min_scalar_type(len(net.classes) - 1)
        if isinstance(self.rows, TokenizedTexts):  # any text can be read
            return
        try:
            self._predict(slice(0, 1))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"X_unlabeled must hold rows like those of X. {error}"
            ) from error

    def end_epoch(self, net):
        """Note what is predicted now, if it is the epoch's turn."""
        self._n_epochs += 1
        if self._n_epochs % self.every:
            return
        starts = range(0, len(self.rows), self._size)
        parts = [self._predict(slice(i, i + self._size)) for i in starts]
        self.codes.append(np.concatenate(parts))
        self.epochs.append(self._n_epochs)

    def _predict(self, part):
        rows = getattr(self.rows, "iloc", self.rows)[part]
        logits = self.look(rows, {"logits"})["logits"]
        return logits.argmax(axis=1).astype(self._dtype)
