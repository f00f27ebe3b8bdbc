# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A variational autoencoder that hides from a discriminator which rows are labelled."""

import torch

from skal.functional import adversarial_loss, discriminator_loss, vae_loss
from skal.neural._dense import DenseModule
from skal.neural._device import seeded
from skal.neural._duel import Draws, Standardize, descend

_VAE_STEPS = 2  # per step of the discriminator


class VariationalModule(torch.nn.Module):
    """Encoder, decoder and discriminator: multi-layer perceptrons without dropout.

    Parameters
    ----------
    standardize : Standardize
        Comes first.
    n_features : int
    hidden_layer_sizes : sequence of int, at least one
        Of the encoder and the discriminator; the decoder's are in turned order.
    n_components : int
        Dimensions of the code.
    """

    def __init__(self, standardize, n_features, hidden_layer_sizes, n_components):
        super().__init__()
        sizes = list(hidden_layer_sizes)
        self.standardize = standardize
        self.encoder = DenseModule(n_features, sizes, 2 * n_components, dropout=0)
        self.decoder = DenseModule(n_components, sizes[::-1], n_features, dropout=0)
        self.discriminator = DenseModule(n_components, sizes, 1, dropout=0)

    def encode(self, X):
        """Means and log-variances of the codes, both (n_rows, n_components)."""
        return self.encoder(self.standardize(X)).chunk(2, dim=1)

    def autoencode(self, X, beta):
        """The loss of the autoencoder, and the means."""
        mean, log_variance = self.encode(X)
        code = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        reconstruction = self.decoder(code)
        loss = vae_loss(
            self.standardize(X), reconstruction, mean, log_variance, beta=beta
        )
        return loss, mean

    def forward(self, X):
        """The discriminator's logits of "labelled", (n_rows,), by that name."""
        return {"labeled": self.discriminator(self.encode(X)[0])[:, 0]}

    def encoder_loss(self, labeled, unlabeled, beta, adversary):
        """What encoder and decoder are trained by."""
        lost, mean = self.autoencode(labeled, beta)
        lost_unlabeled, mean_unlabeled = self.autoencode(unlabeled, beta)
        fooled = adversarial_loss(
            self.discriminator(mean), self.discriminator(mean_unlabeled)
        )
        return lost + lost_unlabeled + adversary * fooled

    def discriminator_loss(self, labeled, unlabeled):
        """What the discriminator is trained by; the encoder is left alone."""
        with torch.no_grad():
            means = self.encode(labeled)[0], self.encode(unlabeled)[0]
        return discriminator_loss(*(self.discriminator(mean) for mean in means))


def fit_vaal(
    labeled,
    unlabeled,
    *,
    hidden_layer_sizes,
    n_components,
    beta,
    adversary,
    n_steps,
    batch_size,
    lr,
    seed,
    device,
):
    """Train the networks of VAAL.

    Parameters
    ----------
    labeled, unlabeled : ndarray of shape (n, n_features), dtype float32
        At least one row each.
    hidden_layer_sizes, n_components
        See `VariationalModule`.
    beta, adversary : float
        Weights of the divergence and of the game.
    n_steps : int
        Steps of the discriminator, each after two of the autoencoder.
    batch_size : int
        Rows of each kind in a batch.
    lr : float
        Of Adam, for both sides.
    seed : int
        Of weights, batches and codes; the global generators stay as they are.
    device : torch.device

    Returns
    -------
    module : VariationalModule

    Raises
    ------
    FloatingPointError
        If a loss overflows.

    Notes
    -----
    The vectors stay where they are, batches of them go to the device.
    """
    standardize = Standardize(labeled, unlabeled)
    with seeded(seed, device):
        module = VariationalModule(
            standardize, labeled.shape[1], hidden_layer_sizes, n_components
        ).to(device)
        autoencoder = [*module.encoder.parameters(), *module.decoder.parameters()]
        hides = torch.optim.Adam(autoencoder, lr=lr)
        seeks = torch.optim.Adam(module.discriminator.parameters(), lr=lr)
        draws = [Draws(part, batch_size, device) for part in (labeled, unlabeled)]
        for step in range(n_steps):
            for _ in range(_VAE_STEPS):
                batch = [draw.next()[1] for draw in draws]
                loss = module.encoder_loss(*batch, beta, adversary)
                descend(hides, loss, "the autoencoder", step)
            loss = module.discriminator_loss(*batch)
            descend(seeks, loss, "the discriminator", step)
    return module
