# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Features that make unlabelled rows certain, against a classifier that resists."""

import torch

from skal.functional import cosine_logits, discriminator_loss, logit_entropy
from skal.neural._dense import DenseModule
from skal.neural._device import seeded
from skal.neural._duel import Draws, Standardize, descend


class _Reverse(torch.autograd.Function):
    """The identity, with the gradient turned round."""

    @staticmethod
    def forward(ctx, X):
        """X itself."""
        return X.view_as(X)

    @staticmethod
    def backward(ctx, gradient):
        """The gradient's negative."""
        return -gradient


class MinimaxModule(torch.nn.Module):
    """Feature network, cosine classifier and discriminator.

    Parameters
    ----------
    standardize : Standardize
        Comes first.
    n_features : int
    hidden_layer_sizes : sequence of int, at least one
        Of the feature network and the discriminator, which have no dropout.
    n_components : int
        Dimensions of a row's features.
    n_classes : int
    temperature : float
        Of the classifier.
    """

    def __init__(
        self,
        standardize,
        n_features,
        hidden_layer_sizes,
        n_components,
        n_classes,
        temperature,
    ):
        super().__init__()
        sizes = list(hidden_layer_sizes)
        self.standardize = standardize
        self.features = DenseModule(n_features, sizes, n_components, dropout=0)
        self.weights = torch.nn.Parameter(torch.empty(n_components, n_classes))
        torch.nn.init.normal_(self.weights, std=n_components**-0.5)
        self.discriminator = DenseModule(n_components, sizes, 1, dropout=0)
        self.temperature = temperature

    def represent(self, X):
        """Features of length 1, (n_rows, n_components)."""
        return torch.nn.functional.normalize(self.features(self.standardize(X)))

    def classify(self, features):
        """Logits of the classes, (n_rows, n_classes)."""
        return cosine_logits(features, self.weights, temperature=self.temperature)

    def forward(self, X):
        """Logits: of the classes, (n_rows, n_classes), and of "labelled", (n_rows,)."""
        features = self.represent(X)
        return {
            "logits": self.classify(features),
            "labeled": self.discriminator(features)[:, 0],
        }

    def task_loss(self, labeled, codes):
        """What features and classifier both minimise."""
        logits = self.classify(self.represent(labeled))
        return torch.nn.functional.cross_entropy(logits, codes)

    def game_loss(self, unlabeled):
        """The entropy that features minimise and the classifier maximises, negative.

        Descending its gradient is what both want: that of the features is turned round.
        """
        features = _Reverse.apply(self.represent(unlabeled))
        return -logit_entropy(self.classify(features)).mean()

    def discriminator_loss(self, labeled, unlabeled):
        """What the discriminator is trained by; the features are left alone."""
        with torch.no_grad():
            features = self.represent(labeled), self.represent(unlabeled)
        return discriminator_loss(*(self.discriminator(part) for part in features))


def fit_mal(
    labeled,
    codes,
    unlabeled,
    *,
    hidden_layer_sizes,
    n_components,
    temperature,
    entropy_weight,
    n_steps,
    batch_size,
    lr,
    seed,
    device,
):
    """Train the networks of MAL.

    Parameters
    ----------
    labeled : ndarray of shape (n, n_features), dtype float32
        At least one row.
    codes : ndarray of shape (n,), dtype int64
        Their classes, 0 to the largest.
    unlabeled : ndarray of shape (m, n_features), dtype float32
        At least one row.
    hidden_layer_sizes, n_components, temperature
        See `MinimaxModule`.
    entropy_weight : float
        Of the game against the cross-entropy.
    n_steps : int
        Steps of each side, in turn.
    batch_size : int
        Rows of each kind in a batch.
    lr : float
        Of Adam, for both sides.
    seed : int
        Of weights and batches; the global generators stay as they are.
    device : torch.device

    Returns
    -------
    module : MinimaxModule

    Raises
    ------
    FloatingPointError
        If a loss overflows.
    """
    standardize = Standardize(labeled, unlabeled)
    n_classes = int(codes.max()) + 1
    with seeded(seed, device):
        module = MinimaxModule(
            standardize,
            labeled.shape[1],
            hidden_layer_sizes,
            n_components,
            n_classes,
            temperature,
        ).to(device)
        learns = torch.optim.Adam([*module.features.parameters(), module.weights], lr)
        seeks = torch.optim.Adam(module.discriminator.parameters(), lr)
        draws = [Draws(part, batch_size, device) for part in (labeled, unlabeled)]
        codes = torch.tensor(codes, device=device)
        for step in range(n_steps):
            (rows, known), (_, others) = (draw.next() for draw in draws)
            loss = module.task_loss(known, codes[rows])
            loss = loss + entropy_weight * module.game_loss(others)
            descend(learns, loss, "the classifier", step)
            loss = module.discriminator_loss(known, others)
            descend(seeks, loss, "the discriminator", step)
    return module
