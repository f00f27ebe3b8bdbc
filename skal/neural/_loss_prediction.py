# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A small network that learns, beside a classifier, how large its loss is."""

import contextlib

import torch

from skal.neural._precision import autocast
from skal.neural._recipe import Recipe
from skal.neural._transformer_module import left_as_it_was

_MAX_LAYERS = 4  # how many the authors read


class LossModule(torch.nn.Module):
    """Predicts the loss of each row from its hidden states after several layers.

    A linear layer and ReLU for each state; one linear layer on all of them together.
    Runs in float32, whatever the precision of the classifier.

    Parameters
    ----------
    layers : list of int
        Which of the states are read.
    sizes : list of int
        The width of each state there is.
    hidden_size : int
        The width of each branch.

    Attributes
    ----------
    detached : bool
        Whether no gradient flows back into the states.
    """

    def __init__(self, layers, sizes, hidden_size):
        super().__init__()
        self.layers = layers
        self.branches = torch.nn.ModuleList(
            torch.nn.Linear(sizes[layer], hidden_size) for layer in layers
        )
        self.last_linear = torch.nn.Linear(len(layers) * hidden_size, 1)
        self.detached = False

    def forward(self, states):
        """One loss per row, (n,), from all hidden states, each (n, its width)."""
        states = [states[layer].float() for layer in self.layers]
        if self.detached:
            states = [state.detach() for state in states]
        with autocast(states[0].device, None):
            pairs = zip(self.branches, states, strict=True)
            features = [branch(state).relu() for branch, state in pairs]
            return self.last_linear(torch.cat(features, dim=1))[:, 0]


def ranking_losses(predicted, losses, margin):
    """How wrong the order of each pair of predicted losses is.

    Row i is paired with row B - 1 - i; of an odd number the middle one has no partner.

    Parameters
    ----------
    predicted : tensor of shape (B,)
    losses : tensor of shape (B,)
        The true ones; no gradient flows through them.
    margin : float
        By how much the larger one is to be predicted larger.

    Returns
    -------
    ranking : tensor of shape (B // 2,)
        ``max(0, margin - s (predicted_i - predicted_j))``, where s is 1 if
        ``losses_i > losses_j`` and -1 otherwise.
    """
    n_pairs = len(predicted) // 2
    by = (predicted - predicted.flip(0))[:n_pairs]
    is_larger = (losses > losses.flip(0))[:n_pairs]
    return (margin - torch.where(is_larger, by, -by)).clamp(min=0)


class LossPrediction(Recipe):
    """Training a classifier together with a module that predicts its loss.

    Parameters
    ----------
    margin : float
    loss_weight : float
        What the ranking loss is multiplied by before it is added.
    hidden_size : int
    detach_after : float
        Part of the planned epochs after which the hidden states are detached.
    layers : list of int or "auto"
    """

    def __init__(self, *, margin, loss_weight, hidden_size, detach_after, layers):
        self.margin = margin
        self.loss_weight = loss_weight
        self.hidden_size = hidden_size
        self.detach_after = detach_after
        self.layers = layers

    def adapt(self, module, n_classes):
        """Give the module a loss module, drawn apart from all else that is random."""
        sizes = module.state_sizes()
        layers = _pick_layers(self.layers, len(sizes) - 1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(torch.initial_seed() + 1)
            module.loss_module = LossModule(layers, sizes, self.hidden_size)

    def start(self, net):
        """Detach the states from the beginning if that is what was asked for."""
        self._n_attached = round(self.detach_after * net.max_epochs)
        net.module.loss_module.detached = self._n_attached == 0
        self._around = contextlib.ExitStack()
        self._around.enter_context(left_as_it_was(net.module))

    def finish(self):
        """Take off what reading the states left on the module, once it is trained."""
        self._around.close()

    def end_epoch(self, net):
        """Detach the states once their time has come."""
        net.module_.loss_module.detached = len(net.history) >= self._n_attached

    def logits(self, output):
        """Those of the pair that the module returned."""
        return output[0]

    def loss(self, output, codes, net):
        """The classifier's own loss, and how wrongly the rows' losses are ranked."""
        logits, predicted = output
        own = super().loss(logits, codes, net)
        losses = torch.nn.functional.cross_entropy(
            logits.detach().float(), codes, reduction="none"
        )
        ranking = ranking_losses(predicted, losses, self.margin)
        return own + self.loss_weight * ranking.sum() / max(len(ranking), 1)

    def clipped_apart(self, module):
        """The loss module apart, so that it does not shorten the classifier's steps."""
        apart = list(module.loss_module.parameters())
        known = set(map(id, apart))
        return [[p for p in module.parameters() if id(p) not in known], apart]


def _pick_layers(layers, n_layers):
    if isinstance(layers, str):  # "auto"
        n = min(_MAX_LAYERS, n_layers)
        return [-(-n_layers * i // n) for i in range(1, n + 1)]
    outside = [layer for layer in layers if not 0 <= layer <= n_layers]
    if outside:
        raise ValueError(
            f"layers must be numbers from 0, what goes into the first layer, to "
            f"{n_layers}, what comes out of the last one. Got {outside}."
        )
    return layers
