# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Small, quickly trained classifiers."""

import pytest

from skal.text import TransformerClassifier

QUICK = {
    "lr": 5e-3,
    "max_epochs": 4,
    "min_steps": 0,
    "batch_size": 8,
    "device": "cpu",
    "random_state": 0,
}


@pytest.fixture(scope="session")
def make_classifier(tiny_checkpoint):
    """A function that returns an unfitted classifier, trained in a moment."""

    def make(**params):
        return TransformerClassifier(tiny_checkpoint, **(QUICK | params))

    return make


@pytest.fixture(scope="session")
def fitted(make_classifier, toy_texts):
    """A fitted classifier. Careful: do not fit it again."""
    return make_classifier().fit(*toy_texts)
