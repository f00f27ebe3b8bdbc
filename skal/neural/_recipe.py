# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What a wrapper may change of a classifier's training."""

import torch


class Recipe:
    """How a net is trained: this one changes nothing, subclasses do.

    A classifier of `skal.text` trains by one of these: wrappers such as
    :class:`~skal.text.SnapshotEnsemble` pass one of their own to its `_fit`. What they
    gather they keep themselves; a trained net holds no recipe.

    Attributes
    ----------
    look : callable
        ``look(X, outputs) -> dict of ndarray``: what the module being trained says of
        rows, in evaluation mode, as the classifier's `predict_outputs` would stream it
        ("logits", "embedding", float32). Draws no random number. Set before `start`.
    """

    look = None

    def adapt(self, module, n_classes):
        """Change the module, in place, before the optimiser sees its parameters.

        Torch is seeded here. Not called where training goes on from earlier weights.
        """

    def start(self, net):
        """See the net before its first step; what is wrong with it is raised here."""

    def pace(self, parameter):
        """How many times the learning rate of the others a parameter takes."""
        return 1.0

    def learning_rate_factor(self, step, net):
        """The part of the peak learning rate that step `step`, from 0, uses."""
        return net.planned_factor(step)

    def logits(self, output):
        """One logit per row and class, (k, C), from what the module returned."""
        return output

    def loss(self, output, codes, net):
        """The loss of a batch, from what the module returned in training mode."""
        return torch.nn.functional.cross_entropy(output.float(), codes)

    def clipped_apart(self, module):
        """Parts of the module's parameters; the gradient of each is clipped alone."""
        return [list(module.parameters())]

    def end_step(self, net):
        """See the net after a step; ``net.steps_done_`` counts it."""

    def end_epoch(self, net):
        """See the net after an epoch, in whatever mode."""


class Head(torch.nn.Module):
    """What takes the place of a classifier's last linear layer.

    Returns in training mode what the recipe's `loss` takes, in evaluation mode logits
    of any shape that begins with the rows.

    Attributes
    ----------
    turn : int or None
        The number, from 0, of the dropout sample that is being drawn; None outside.
    """

    turn = None


def turns(module, n_samples):
    """Count the dropout samples of a module, and tell its heads which one is drawn."""
    heads = [part for part in module.modules() if isinstance(part, Head)]
    try:
        for turn in range(n_samples):
            for head in heads:
                head.turn = turn
            yield turn
    finally:
        for head in heads:
            head.turn = None
