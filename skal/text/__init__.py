# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Estimators that know transformers: classifiers and encoders of text."""

from skal.text._classifier import TransformerClassifier
from skal.text._dense import DenseClassifier
from skal.text._encoder import SentenceEncoder
from skal.text._recorder import PoolRecorder

__all__ = [
    "DenseClassifier",
    "PoolRecorder",
    "SentenceEncoder",
    "TransformerClassifier",
]
