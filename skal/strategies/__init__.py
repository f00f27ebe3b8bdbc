# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Query strategies: which rows to label next."""

from skal.strategies._actune import AcTune
from skal.strategies._alps import ALPS
from skal.strategies._badge import BADGE
from skal.strategies._cartography import CartographyAL
from skal.strategies._catalogue import list_strategies
from skal.strategies._committee import (
    BALD,
    BatchBALD,
    ConsensusEntropy,
    KLDivergence,
    MeanSTD,
    VariationRatio,
    VoteEntropy,
)
from skal.strategies._composition import ClassBalanced, Combine, PowerSampling
from skal.strategies._contrastive import ContrastiveAL
from skal.strategies._core_set import CoreSet
from skal.strategies._discriminative import DiscriminativeAL
from skal.strategies._dynamics import ForgettingEvents, LabelDispersion
from skal.strategies._embedding_k_means import PLMKM, BertKM, FTBertKM
from skal.strategies._gradient_length import ExpectedGradientLength
from skal.strategies._mal import MAL
from skal.strategies._predicted_loss import PredictedLoss
from skal.strategies._prefiltered import DiverseMiniBatch, SuggestiveAnnotation
from skal.strategies._proxy import ViaProxy
from skal.strategies._random import RandomSampling
from skal.strategies._real import REAL
from skal.strategies._uncertainty import Entropy, LeastConfidence, Margin
from skal.strategies._vaal import VAAL

__all__ = [
    "ALPS",
    "BADGE",
    "BALD",
    "MAL",
    "PLMKM",
    "REAL",
    "VAAL",
    "AcTune",
    "BatchBALD",
    "BertKM",
    "CartographyAL",
    "ClassBalanced",
    "Combine",
    "ConsensusEntropy",
    "ContrastiveAL",
    "CoreSet",
    "DiscriminativeAL",
    "DiverseMiniBatch",
    "Entropy",
    "ExpectedGradientLength",
    "FTBertKM",
    "ForgettingEvents",
    "KLDivergence",
    "LabelDispersion",
    "LeastConfidence",
    "Margin",
    "MeanSTD",
    "PowerSampling",
    "PredictedLoss",
    "RandomSampling",
    "SuggestiveAnnotation",
    "VariationRatio",
    "ViaProxy",
    "VoteEntropy",
    "list_strategies",
]
