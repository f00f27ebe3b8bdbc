# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Monte Carlo dropout: the same batch through different dropout masks."""

import contextlib

import torch

from skal.neural._recipe import turns


class DropoutSampler:
    """Draws logits with the dropout of a classifier switched on and nothing else.

    Dropout is both the modules of that name and what other modules do with a rate of
    their own or of a child (attention weights); these are put in training mode for the
    length of a draw, every other module stays as it is.

    Parameters
    ----------
    module : SequenceClassifier
    n_samples : int

    Attributes
    ----------
    head_only : bool
        Whether dropout leaves what the encoder computes as it is.

    Raises
    ------
    ValueError
        If no module drops anything.
    """

    def __init__(self, module, n_samples):
        self.module = module
        self.n_samples = n_samples
        self._dropping = [part for part in module.modules() if _drops(part)]
        if not self._dropping:
            raise ValueError(
                "Samples are drawn with dropout, and every dropout rate of "
                f"{type(module.network).__name__} is 0: all of them would be equal. "
                "Use a checkpoint whose configuration has a dropout rate above 0, or "
                "a committee of classifiers."
            )
        encoder = set(module.network.base_model.modules())
        self.head_only = encoder.isdisjoint(self._dropping)

    def draw(self, inputs):
        """Logits of shape (n_rows, n_samples, n_classes)."""
        with self._dropout(), self.shared_encoder():
            draws = [self.module(**inputs) for _ in turns(self.module, self.n_samples)]
        return torch.stack(draws, dim=1)

    @contextlib.contextmanager
    def _dropout(self):
        before = [part.training for part in self._dropping]
        try:
            for part in self._dropping:
                part.training = True
            yield
        finally:
            for part, training in zip(self._dropping, before, strict=True):
                part.training = training

    @contextlib.contextmanager
    def shared_encoder(self):
        """Run the encoder once in this block if dropout does not touch it.

        All passes inside have to be of the same inputs. May be nested.
        """
        network = self.module.network
        encoder = network.base_model
        if not self.head_only or isinstance(encoder, _Once):
            yield
            return
        name = network.base_model_prefix
        setattr(network, name, _Once(encoder))
        try:
            yield
        finally:
            setattr(network, name, encoder)


class _Once(torch.nn.Module):
    """Runs a module at the first call and returns the same output ever after."""

    def __init__(self, module):
        super().__init__()
        self.module = module
        self.output = None

    def forward(self, *args, **kwargs):
        if self.output is None:
            self.output = self.module(*args, **kwargs)
        return self.output


def drops(module):
    """Whether a network drops anything in training mode."""
    return any(_drops(part) for part in module.modules())


def _drops(module):
    """Whether a module drops something in training mode.

    It is a dropout, or has a rate: of its own (T5's attention, an LSTM) or of a dropout
    that it owns and need not call (BERT's attention hands the rate to a kernel).
    """
    owned = [module, *module.children()]
    dropouts = [
        part for part in owned if isinstance(part, torch.nn.modules.dropout._DropoutNd)
    ]
    rates = [part.p for part in dropouts]
    rates += [
        value
        for name, value in vars(module).items()
        if "drop" in name and isinstance(value, float)
    ]
    return any(rate > 0 for rate in rates)
