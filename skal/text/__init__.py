# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Estimators that know transformers: classifiers, ensembles and encoders of text."""

from skal.text._bayes_by_backprop import BayesByBackpropClassifier
from skal.text._classifier import TransformerClassifier
from skal.text._dense import DenseClassifier
from skal.text._diverse import DiverseEnsemble
from skal.text._embed import embed
from skal.text._encoder import SentenceEncoder
from skal.text._loss_prediction import LossPredictingClassifier
from skal.text._recorder import PoolRecorder
from skal.text._snapshot import SnapshotEnsemble
from skal.text._split_head import SplitHeadClassifier
from skal.text._stored_encoder import StoredEncoder
from skal.text._stored_vectors import load_vectors

__all__ = [
    "BayesByBackpropClassifier",
    "DenseClassifier",
    "DiverseEnsemble",
    "LossPredictingClassifier",
    "PoolRecorder",
    "SentenceEncoder",
    "SnapshotEnsemble",
    "SplitHeadClassifier",
    "StoredEncoder",
    "TransformerClassifier",
    "embed",
    "load_vectors",
]
