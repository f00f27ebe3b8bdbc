# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The arithmetic of active learning: arrays in, arrays out, no state."""

from skal.functional._anchors import anchor_subpool, spread_anchors
from skal.functional._gradient import badge, gradient_embedding
from skal.functional._ranking import top_rows
from skal.functional._sampling import random_rows
from skal.functional._surprisal import surprisal_embedding
from skal.functional._uncertainty import entropy, least_confidence, margin

__all__ = [
    "anchor_subpool",
    "badge",
    "entropy",
    "gradient_embedding",
    "least_confidence",
    "margin",
    "random_rows",
    "spread_anchors",
    "surprisal_embedding",
    "top_rows",
]
