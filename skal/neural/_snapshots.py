# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Training under a cyclic learning rate that keeps the model of each cycle."""

from skal.functional import cyclic_cosine
from skal.neural._recipe import Recipe


class SnapshotRecipe(Recipe):
    """Let the learning rate fall to almost 0 in each cycle and keep the weights then.

    Parameters
    ----------
    n_cycles : int

    Attributes
    ----------
    snapshots : dict of int to dict of tensor
        By the number of steps done: the weights at the end of each cycle but the last,
        on the CPU. Those of the last are in the net itself.

    Raises
    ------
    ValueError
        In `start`, if the planned steps make fewer cycles.
    """

    def __init__(self, n_cycles):
        self.n_cycles = n_cycles

    def start(self, net):
        """Lay out the cycles over the steps that the net is to take."""
        try:
            self._factors, ends = cyclic_cosine(net.n_steps, self.n_cycles)
        except ValueError as error:
            raise ValueError(
                f"A snapshot is taken at the end of each cycle, so n_estimators="
                f"{self.n_cycles} takes as many cycles. {error} Take fewer members or "
                "train for more steps: raise max_epochs (or min_steps), or lower "
                "batch_size."
            ) from error
        self._ends = ends.tolist()
        self.snapshots = {}

    def learning_rate_factor(self, step, net):
        """The cyclic schedule, in place of warm-up and decay."""
        return self._factors[step]

    def end_step(self, net):
        """Keep the weights where a cycle, but the last one, ends."""
        if net.steps_done_ in self._ends[:-1]:
            self.snapshots[net.steps_done_] = {
                name: weights.to("cpu", copy=True)
                for name, weights in net.module_.state_dict().items()
            }
