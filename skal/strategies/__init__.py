# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Query strategies: which rows to label next."""

from skal.strategies._badge import BADGE
from skal.strategies._cartography import CartographyAL
from skal.strategies._composition import ClassBalanced, Combine, PowerSampling
from skal.strategies._proxy import ViaProxy
from skal.strategies._random import RandomSampling
from skal.strategies._real import REAL
from skal.strategies._uncertainty import Entropy, LeastConfidence, Margin

__all__ = [
    "BADGE",
    "REAL",
    "CartographyAL",
    "ClassBalanced",
    "Combine",
    "Entropy",
    "LeastConfidence",
    "Margin",
    "PowerSampling",
    "RandomSampling",
    "ViaProxy",
]
