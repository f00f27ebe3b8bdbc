# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Torch modules, training and streamed inference behind the estimators of `skal.text`.

A leaf: everything here imports torch, and is itself imported inside methods only.
"""

from skal.neural._binary import fit_binary, predict_binary
from skal.neural._checkpoint import (
    load_encoder,
    load_masked_language_model,
    load_sequence_classifier,
    load_tokenizer,
    locate,
)
from skal.neural._dense import DenseModule, VectorDataset, run_vectors
from skal.neural._device import resolve_device, seeded
from skal.neural._dropout import DropoutSampler
from skal.neural._fingerprint import fingerprint
from skal.neural._heads import SplitHeadRecipe, VariationalRecipe
from skal.neural._inference import run_table, run_texts
from skal.neural._loss_prediction import LossPrediction
from skal.neural._mal import MinimaxModule, fit_mal
from skal.neural._net import TransformerNet
from skal.neural._precision import set_compiled
from skal.neural._recipe import Head, Recipe
from skal.neural._recorder import RecordPredictions
from skal.neural._snapshots import SnapshotRecipe
from skal.neural._storage import on_cpu
from skal.neural._surprisal import token_surprisal
from skal.neural._tokenized import TokenizedTexts
from skal.neural._tokens import TokenDataset, TokenTable
from skal.neural._transformer_module import (
    SentenceModule,
    SequenceClassifier,
    left_as_it_was,
)
from skal.neural._vaal import VariationalModule, fit_vaal

__all__ = [
    "DenseModule",
    "DropoutSampler",
    "Head",
    "LossPrediction",
    "MinimaxModule",
    "Recipe",
    "RecordPredictions",
    "SentenceModule",
    "SequenceClassifier",
    "SnapshotRecipe",
    "SplitHeadRecipe",
    "TokenDataset",
    "TokenTable",
    "TokenizedTexts",
    "TransformerNet",
    "VariationalModule",
    "VariationalRecipe",
    "VectorDataset",
    "fingerprint",
    "fit_binary",
    "fit_mal",
    "fit_vaal",
    "left_as_it_was",
    "load_encoder",
    "load_masked_language_model",
    "load_sequence_classifier",
    "load_tokenizer",
    "locate",
    "on_cpu",
    "predict_binary",
    "resolve_device",
    "run_table",
    "run_texts",
    "run_vectors",
    "seeded",
    "set_compiled",
    "token_surprisal",
]
