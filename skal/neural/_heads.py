# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Last layers that are many: several heads, or a distribution of weights."""

import itertools
import math

import torch
from torch.nn import functional

from skal.functional import minibatch_weights
from skal.neural._dropout import drops
from skal.neural._recipe import Head, Recipe


class SplitHead(Head):
    """Several heads on one input, which in evaluation mode speak with one voice.

    Parameters
    ----------
    n_features, n_classes, n_heads : int
    head_size : int or None
        The width of a hidden ReLU layer in each head; None: heads are linear.
    rate : float
        Part of the input that each head drops in training, by a mask of its own. For
        training alone: Monte Carlo dropout leaves it out.
    """

    def __init__(self, n_features, n_classes, n_heads, head_size, rate):
        super().__init__()
        sizes = [n_features, *([head_size] if head_size else []), n_classes]
        self.rate = rate
        self.heads = torch.nn.ModuleList(_perceptron(sizes) for _ in range(n_heads))

    def forward(self, X):
        """Logits: of all heads, (k, n_heads, C), in training mode.

        In evaluation mode (k, C): those of the mean of the heads' probabilities, or of
        the one head whose turn it is in a sample.
        """
        if self.training:
            dropped = [functional.dropout(X, self.rate) for _ in self.heads]
            pairs = zip(self.heads, dropped, strict=True)
            return torch.stack([head(part) for head, part in pairs], dim=1)
        if self.turn is not None:
            return self.heads[self.turn % len(self.heads)](X)
        return log_mean_proba(torch.stack([head(X) for head in self.heads], dim=1))

    def layers(self):
        """The linear layers of each head, as pairs (weight, bias) of ndarray."""
        return [
            [
                (_to_numpy(layer.weight), _to_numpy(layer.bias))
                for layer in head
                if isinstance(layer, torch.nn.Linear)
            ]
            for head in self.heads
        ]


def _perceptron(sizes):
    """Linear layers with a ReLU between them."""
    parts = []
    for size, following in itertools.pairwise(sizes):
        parts += [torch.nn.Linear(size, following), torch.nn.ReLU()]
    return torch.nn.Sequential(*parts[:-1])


def log_mean_proba(logits):
    """Logarithm of the mean of the heads' probabilities: (k, M, C) to (k, C)."""
    log_proba = logits.float().log_softmax(dim=2)
    return log_proba.logsumexp(dim=1) - math.log(logits.shape[1])


class SplitHeadRecipe(Recipe):
    """Train several heads, all on all rows.

    Parameters
    ----------
    stochastic : bool
        Whether samples will be drawn with the network's dropout.
    **head
        Parameters of `SplitHead` but the sizes of input and output.
    """

    def __init__(self, *, stochastic, **head):
        self.stochastic = stochastic
        self.head = head

    def adapt(self, module, n_classes):
        """Put the heads in the place of the last linear layer."""
        n_features = module.last_linear.in_features
        module.replace_last_linear(SplitHead(n_features, n_classes, **self.head))

    def start(self, net):
        """Refuse samples of a dropout that there is not."""
        if self.stochastic and not drops(net.module):
            raise ValueError(
                "stochastic=True draws samples with the network's dropout, and all its "
                "dropout rates are 0. Give it a rate above 0 or take stochastic=False: "
                "the heads differ without it."
            )

    def logits(self, output):
        """Those of the mean of the heads' probabilities."""
        return log_mean_proba(output)

    def loss(self, output, codes, net):
        """The mean of the heads' cross-entropies."""
        n_heads = output.shape[1]
        return functional.cross_entropy(
            output.float().flatten(0, 1), codes.repeat_interleave(n_heads)
        )


class VariationalHead(Head):
    """A linear layer whose weights are independent normals, drawn for each batch.

    Weights and biases stand in one flat vector: the optimiser lets matrices decay, and
    a decay of the means would be a second prior.

    Parameters
    ----------
    layer : torch.nn.Linear
        Its weights are the first means.
    init_scale : float
        The first standard deviation of all weights.

    Attributes
    ----------
    drawn : tensor of shape (d,)
        The weights that the last forward pass in training mode drew.
    """

    drawn = None

    def __init__(self, layer, init_scale):
        super().__init__()
        weight = layer.weight.detach()
        bias = weight.new_zeros(len(weight)) if layer.bias is None else layer.bias
        mean = torch.cat([weight, bias.detach()[:, None]], dim=1)
        self.shape = tuple(mean.shape)
        self.mean = torch.nn.Parameter(mean.flatten())
        rho = init_scale + math.log(-math.expm1(-init_scale))
        self.rho = torch.nn.Parameter(torch.full_like(self.mean, rho))

    @property
    def scale(self):
        """The standard deviations, softplus(rho)."""
        return functional.softplus(self.rho)

    def forward(self, X):
        """Logits (k, C), by drawn weights in training mode, else by the means."""
        weights = self.mean
        if self.training:
            weights = self.drawn = self.draw(torch.randn_like(self.mean))
        weights = weights.view(self.shape)
        return functional.linear(X, weights[:, :-1], weights[:, -1])

    def draw(self, noise):
        """The weights that standard normal noise (d,) stands for."""
        return self.mean + self.scale * noise

    def gaussian_divergence(self, prior_scale):
        """KL(q || p) for the prior N(0, prior_scale^2), in closed form."""
        ratio = self.scale / prior_scale
        squares = ratio.square() + (self.mean / prior_scale).square() - 1
        return (squares / 2 - ratio.log()).sum()

    def mixture_divergence(self, share, wide, narrow):
        """log q(w) - log p(w) of the weights drawn last, for a mixture prior."""
        log_q = _log_normal(self.drawn - self.mean, self.scale)
        parts = [
            _log_normal(self.drawn, torch.full_like(self.drawn, scale)) + math.log(part)
            for scale, part in ((wide, share), (narrow, 1 - share))
        ]
        return (log_q - torch.logaddexp(*parts)).sum()

    def posterior(self):
        """Means and standard deviations, ndarray of shape (C, n_features + 1)."""
        return tuple(
            _to_numpy(values).reshape(self.shape) for values in (self.mean, self.scale)
        )


def _log_normal(deviation, scale):
    """Log-density of each deviation from the mean of a normal."""
    squares = (deviation / scale).square()
    return -scale.log() - (math.log(2 * math.pi) + squares) / 2


class VariationalRecipe(Recipe):
    """Train a last layer whose weights are a distribution (Bayes by backprop).

    Parameters
    ----------
    init_scale : float
        As in `VariationalHead`.
    divergence : callable
        ``divergence(head)``, a scalar tensor: that of the posterior from the prior.
    kl_scale : float
    kl_weights : str
        A `kind` of `skal.functional.minibatch_weights`.
    pace : float
        How many times the learning rate the posterior's parameters take.
    """

    def __init__(self, *, init_scale, divergence, kl_scale, kl_weights, pace):
        self.init_scale = init_scale
        self.divergence = divergence
        self.kl_scale = kl_scale
        self.kl_weights = kl_weights
        self._pace = pace
        self.head = None

    def adapt(self, module, n_classes):
        """Put the distribution in the place of the last linear layer."""
        self.head = VariationalHead(module.last_linear, self.init_scale)
        module.replace_last_linear(self.head)

    def pace(self, parameter):
        """Posterior parameters have a pace of their own."""
        own = any(parameter is part for part in self.head.parameters())
        return self._pace if own else 1.0

    def start(self, net):
        """Share the divergence out among the batches of an epoch."""
        n_batches = net.n_steps // net.max_epochs
        self.shares = self.kl_scale * minibatch_weights(n_batches, self.kl_weights)

    def loss(self, output, codes, net):
        """Cross-entropy, and the batch's share of the divergence per row."""
        share = float(self.shares[net.steps_done_ % len(self.shares)])
        loss = super().loss(output, codes, net)
        if share:
            loss = loss + share * self.divergence(self.head) / len(codes)
        self.head.drawn = None
        return loss


def _to_numpy(tensor):
    return tensor.detach().float().cpu().numpy()
